import { test } from "uvu";
import * as assert from "uvu/assert";
import { configFault, readNetworkIpam } from "../../src/lib/inspect/network_ipam.ts";

const nv = { type: "nv-ipam", poolName: "p1,p2" };
const configs: readonly [what: string, config: unknown, cniArgs: object, expected: readonly unknown[]][] = [
  ["one plugin", { name: "n", type: "macvlan", ipam: nv }, {}, ["nv-ipam", "IPPool", ["p1", "p2"]]],
  [
    "a list",
    { name: "n", plugins: [{ type: "sriov", ipam: nv }, { type: "tuning" }] },
    {},
    ["nv-ipam", "IPPool", ["p1", "p2"]],
  ],
  [
    "the kind in any case",
    { name: "n", ipam: { ...nv, poolType: "CIDRPool" } },
    {},
    ["nv-ipam", "CIDRPool", ["p1", "p2"]],
  ],
  ["no pool: the network's name", { name: "n", ipam: { type: "nv-ipam" } }, {}, ["nv-ipam", "IPPool", ["n"]]],
  ["no name either: the definition's", { ipam: { type: "nv-ipam" } }, {}, ["nv-ipam", "IPPool", ["net-a"]]],
  [
    "the pod's own pools win",
    { name: "n", ipam: nv },
    { poolNames: ["mine"], poolType: "cidrpool" },
    ["nv-ipam", "CIDRPool", ["mine"]],
  ],
  ["another plugin", { name: "n", ipam: { type: "host-local" } }, {}, ["host-local", "IPPool", []]],
  ["no ipam", { name: "n", type: "macvlan" }, {}, ["", "IPPool", []]],
];
for (const [what, config, cniArgs, expected] of configs) {
  test(`a definition's config: ${what}`, () => {
    const { type, poolKind, pools } = readNetworkIpam(JSON.stringify(config), "net-a", { ...cniArgs });
    assert.equal([type, poolKind, pools], expected);
  });
}

test("a definition without a config that can be read says nothing", () => {
  for (const config of [undefined, "{", "[]", 7, "x".repeat(2 ** 21 + 1)]) {
    assert.equal(readNetworkIpam(config, "net-a"), { type: "", poolKind: "IPPool", pools: [] });
  }
});

test("why a definition's config cannot be read is told; one that is on the nodes is right", () => {
  assert.match(configFault('{"type": "macvlan",}'), /^spec\.config of its NetworkAttachmentDefinition is not JSON: /);
  assert.match(configFault("[]"), "is not a JSON object");
  for (const config of [undefined, "", '{"type": "macvlan"}']) assert.is(configFault(config), "");
});

test.run();
