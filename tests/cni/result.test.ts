import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Assignment, formatResult } from "../../src/lib/cni/result.ts";
import { type CniVersion, SUPPORTED_VERSIONS } from "../../src/lib/cni/version.ts";

const V4: Assignment = { ip: "192.168.0.2/16", gateway: "192.168.0.1", routes: [{ dest: "5.5.0.0/24" }] };
const V6: Assignment = { ip: "fd00::2/64", gateway: "fd00::1", routes: [{ dest: "::/0" }] };

function shape(version: CniVersion, ...assignments: readonly Assignment[]): object {
  return JSON.parse(formatResult(version, assignments));
}

const IP4 = { ip: "192.168.0.2/16", gateway: "192.168.0.1", routes: [{ dst: "5.5.0.0/24", gw: "192.168.0.1" }] };
const IP6 = { ip: "fd00::2/64", gateway: "fd00::1", routes: [{ dst: "::/0", gw: "fd00::1" }] };
const ROUTES = [...IP4.routes, ...IP6.routes];
const ADDRESSES = [
  { address: "192.168.0.2/16", gateway: "192.168.0.1" },
  { address: "fd00::2/64", gateway: "fd00::1" },
];
const VERSIONED = [
  { version: "4", ...ADDRESSES[0] },
  { version: "6", ...ADDRESSES[1] },
];

const SHAPES: Readonly<Record<CniVersion, object>> = {
  "0.1.0": { ip4: IP4, ip6: IP6, dns: {} },
  "0.2.0": { ip4: IP4, ip6: IP6, dns: {} },
  "0.3.0": { ips: VERSIONED, routes: ROUTES, dns: {} },
  "0.3.1": { ips: VERSIONED, routes: ROUTES, dns: {} },
  "0.4.0": { ips: VERSIONED, routes: ROUTES, dns: {} },
  "1.0.0": { ips: ADDRESSES, routes: ROUTES },
  "1.1.0": { ips: ADDRESSES, routes: ROUTES },
};

for (const version of SUPPORTED_VERSIONS) {
  test(`the result of ${version} has that version's shape`, () => {
    assert.equal(shape(version, V4, V6), { cniVersion: version, ...SHAPES[version] });
  });
}

test("what there is not is left out", () => {
  const bare = { ip: "10.0.0.9/24", gateway: "", routes: [] };
  assert.equal(shape("1.0.0", bare), { cniVersion: "1.0.0", ips: [{ address: "10.0.0.9/24" }] });
  assert.equal(shape("0.2.0", bare), { cniVersion: "0.2.0", ip4: { ip: "10.0.0.9/24" }, dns: {} });
  assert.equal(shape("1.0.0", { ...bare, routes: [{ dest: "5.5.0.0/24" }] }), {
    cniVersion: "1.0.0",
    ips: [{ address: "10.0.0.9/24" }],
    routes: [{ dst: "5.5.0.0/24" }],
  });
});

test("addresses stay in the order of the pools", () => {
  assert.equal(shape("1.0.0", V6, V4), {
    cniVersion: "1.0.0",
    ips: [ADDRESSES[1], ADDRESSES[0]],
    routes: [...IP6.routes, ...IP4.routes],
  });
});

test("equal routes appear once, the same destination over two gateways twice", () => {
  const other = { ip: "10.0.0.2/24", gateway: "10.0.0.1", routes: V4.routes };
  assert.equal(shape("1.0.0", { ...V4, routes: [...V4.routes, ...V4.routes] }, other), {
    cniVersion: "1.0.0",
    ips: [ADDRESSES[0], { address: "10.0.0.2/24", gateway: "10.0.0.1" }],
    routes: [
      { dst: "5.5.0.0/24", gw: "192.168.0.1" },
      { dst: "5.5.0.0/24", gw: "10.0.0.1" },
    ],
  });
});

test("before 0.3.0 the first address of each family is shown", () => {
  const other = { ip: "10.0.0.2/24", gateway: "10.0.0.1", routes: [] };
  assert.equal(shape("0.2.0", V4, other), { cniVersion: "0.2.0", ip4: IP4, dns: {} });
});

test("a result is one line", () => {
  assert.match(formatResult("1.0.0", [V4]), /^\{[^\n]*\}\n$/);
});

test.run();
