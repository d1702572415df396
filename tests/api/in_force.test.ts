/** Which spec holds, and what its defaults are. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { allowsReallocation, specInForce, toAppliedSpec, wantsDefaultGateway } from "../../src/lib/api/in_force.ts";
import { readPool } from "../../src/lib/api/parse.ts";
import { ippool, type Json, parsed } from "./_pools.ts";

const APPLIED = { subnet: "10.10.0.0/24", perNodeBlockSize: 4 };
const BROKEN = { subnet: "10.10.0.0/24", perNodeBlockSize: 500 };

function inForce(object: Json) {
  const pool = readPool(object);
  if (!pool.ok) throw new Error(JSON.stringify(pool.error));
  return specInForce(pool.value);
}

test("R5 the accepted spec holds over an edit that was not accepted", () => {
  assert.equal(inForce(ippool({ perNodeBlockSize: 16 }, { status: { appliedSpec: APPLIED } })), APPLIED);
});

test("R5 the accepted spec holds over an invalid edit", () => {
  assert.equal(inForce(ippool({ perNodeBlockSize: 500 }, { status: { appliedSpec: APPLIED } })), APPLIED);
});

test("R5 the accepted spec holds over a spec that cannot be read", () => {
  assert.equal(inForce(ippool({ perNodeBlockSize: "8" }, { status: { appliedSpec: APPLIED } })), APPLIED);
});

test("R5 where none was accepted yet, the spec holds", () => {
  assert.equal(inForce(ippool()), { subnet: "10.10.0.0/24", perNodeBlockSize: 8 });
});

test("R5 where none was accepted yet, an invalid spec serves nothing", () => {
  assert.is(inForce(ippool({ perNodeBlockSize: 500 })), undefined);
  assert.is(inForce(ippool({ perNodeBlockSize: "8" })), undefined);
});

test("an accepted spec that somebody broke counts as none", () => {
  assert.equal(inForce(ippool({}, { status: { appliedSpec: BROKEN } })), {
    subnet: "10.10.0.0/24",
    perNodeBlockSize: 8,
  });
});

test("the spec is kept without its nodeSelector", () => {
  const pool = parsed(ippool({ nodeSelector: { nodeSelectorTerms: [{}] }, gateway: "10.10.0.1" }));
  assert.equal(toAppliedSpec(pool.spec), { subnet: "10.10.0.0/24", perNodeBlockSize: 8, gateway: "10.10.0.1" });
});

const GATEWAY = "10.10.0.1";
const DEFAULT_GATEWAYS: readonly (readonly [Json, boolean])[] = [
  [{ gateway: GATEWAY }, false],
  [{ gateway: GATEWAY, defaultGateway: true }, true],
  [{ gateway: GATEWAY, defautGateway: true }, true],
  [{ gateway: GATEWAY, defaultGateway: false, defautGateway: true }, false],
  [{ gateway: GATEWAY, defaultGateway: true, defautGateway: false }, true],
  [{ defautGateway: true }, false],
];

for (const [spec, expected] of DEFAULT_GATEWAYS) {
  test(`${JSON.stringify(spec)} means ${expected ? "a" : "no"} default gateway`, () => {
    assert.is(wantsDefaultGateway(parsed(ippool(spec)).spec), expected);
  });
}

test("R5 only the annotation's value true allows blocks to move", () => {
  const key = "nv-ipam.nvidia.com/allow-reallocation";
  const allowed = (value: string) => allowsReallocation({ name: "a", annotations: { [key]: value } });
  assert.equal(["true", "True", "false", "", "yes", " true"].map(allowed), [true, false, false, false, false, false]);
  assert.not.ok(allowsReallocation({ name: "a" }));
});

test.run();
