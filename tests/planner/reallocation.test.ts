/** R5: no edit moves or drops a block that a node has. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPool } from "../../src/lib/api/parse.ts";
import { plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { allocationsOf, conditionOf } from "./_cluster.ts";
import { CIDR, CIDRPOOL, IP, IPPOOL, TWO_BLOCKS, withCIDRPool, withIPPool } from "./_pool1.ts";

const ALLOW = { "nv-ipam.nvidia.com/allow-reallocation": "true" };

/** Edits of the division that would move node-a's or node-b's block. */
const MOVING: readonly (readonly [string, Record<string, unknown>])[] = [
  ["a larger block", { perNodeBlockSize: 16 }],
  ["a smaller block", { perNodeBlockSize: 4 }],
  ["another subnet", { subnet: "10.20.0.0/24" }],
  ["a smaller subnet with smaller blocks", { subnet: "10.10.0.0/28", perNodeBlockSize: 7 }],
  ["a wider subnet that begins elsewhere", { subnet: "10.8.0.0/13", perNodeBlockSize: 7 }],
];

for (const [what, edit] of MOVING) {
  test(`R5 ${what} is not accepted, and new nodes get blocks by the spec that is`, () => {
    const made = withIPPool();
    made.edit(IP, { ...IPPOOL, ...edit });
    made.addNode("node-c");
    made.settle();
    assert.equal(allocationsOf(made, IP), [...TWO_BLOCKS, "node-c 10.10.0.17-10.10.0.24"]);
    assert.equal(made.pool(IP).status?.appliedSpec, IPPOOL);
    const ready = conditionOf(made, IP, "Ready");
    assert.is(ready?.status, "False");
    assert.is(ready?.reason, "WouldMoveBlocks");
    assert.match(ready?.message ?? "", "node-b 10.10.0.9-10.10.0.16");
    assert.ok(made.events.includes(`${IP} Warning WouldMoveBlocks`));
  });

  test(`R5 ${what} is accepted when the annotation allows it`, () => {
    const made = withIPPool();
    made.edit(IP, { ...IPPOOL, ...edit });
    Object.assign(made.pool(IP).metadata.annotations, ALLOW);
    made.settle();
    assert.equal(made.pool(IP).status?.appliedSpec, { ...IPPOOL, ...edit });
    assert.is(conditionOf(made, IP, "Ready")?.status, "True");
    assert.is(conditionOf(made, IP, "ReallocationAllowed")?.status, "True");
    assert.is(allocationsOf(made, IP).length, 2);
    assert.is.not(allocationsOf(made, IP).join(), TWO_BLOCKS.join());
  });
}

test("R5 each edit that is not accepted is told, also one that would move the same blocks as the one before", () => {
  const made = withIPPool();
  for (const perNodeBlockSize of [16, 32]) {
    made.edit(IP, { ...IPPOOL, perNodeBlockSize });
    made.settle();
  }
  assert.equal(made.events, [`${IP} Warning WouldMoveBlocks`, `${IP} Warning WouldMoveBlocks`]);
});

test("R5 an edit that was taken back leaves everything as it was", () => {
  const made = withIPPool();
  const before = structuredClone(made.pool(IP).status);
  made.edit(IP, { ...IPPOOL, perNodeBlockSize: 16 });
  made.settle();
  made.edit(IP, IPPOOL);
  made.settle();
  assert.equal(made.pool(IP).status?.allocations, before?.allocations);
  assert.is(conditionOf(made, IP, "Ready")?.status, "True");
});

test("R5 an edit is accepted once the last block that it would move is given up", () => {
  const made = withIPPool(IPPOOL, "node-a", "node-b");
  made.edit(IP, { ...IPPOOL, subnet: "10.10.0.0/28" });
  made.settle();
  assert.is(conditionOf(made, IP, "Ready")?.reason, "WouldMoveBlocks");
  made.nodes.delete("node-b");
  made.settle();
  assert.is(conditionOf(made, IP, "Ready")?.status, "True");
  assert.equal(allocationsOf(made, IP), ["node-a 10.10.0.1-10.10.0.8"]);
});

test("R5 widening is accepted", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, subnet: "10.10.0.0/16" });
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
  assert.equal(made.pool(IP).status?.appliedSpec, { ...IPPOOL, subnet: "10.10.0.0/16" });
  assert.is(conditionOf(made, IP, "Ready")?.status, "True");
});

test("R5 narrowing that leaves every block where it is is accepted", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, subnet: "10.10.0.0/26" });
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
  assert.equal(made.pool(IP).status?.appliedSpec, { ...IPPOOL, subnet: "10.10.0.0/26" });
});

test("R5 an invalid edit takes nothing away and new nodes get blocks by the accepted spec", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, gateway: "10.99.0.1" });
  made.addNode("node-c");
  made.settle();
  assert.equal(allocationsOf(made, IP), [...TWO_BLOCKS, "node-c 10.10.0.17-10.10.0.24"]);
  assert.equal(made.pool(IP).status?.appliedSpec, IPPOOL);
  assert.is(conditionOf(made, IP, "Ready")?.reason, "InvalidSpec");
  assert.match(conditionOf(made, IP, "Ready")?.message ?? "", 'spec.gateway: Invalid value: "10.99.0.1"');
  assert.ok(made.events.includes(`${IP} Warning InvalidSpec`));
});

test("R5 an invalid edit takes nothing away by its selector either", () => {
  const made = withIPPool();
  const nobody = { nodeSelectorTerms: [{ matchExpressions: [{ key: "x", operator: "Exists" }] }] };
  made.edit(IP, { ...IPPOOL, perNodeBlockSize: 0, nodeSelector: nobody });
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R5 a selector that cannot be read takes nothing away and gives nothing", () => {
  const made = withIPPool();
  made.edit(IP, {
    ...IPPOOL,
    nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: "x", operator: "Is" }] }] },
  });
  made.addNode("node-c");
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R5 a node that is gone loses its block even while the spec is invalid", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, perNodeBlockSize: 0 });
  made.nodes.delete("node-a");
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS.slice(1));
});

test("R5 a spec that cannot be read takes nothing away", () => {
  const made = withIPPool();
  const pool = readPool({ ...made.pool(IP), spec: { subnet: 5 } });
  assert.ok(pool.ok);
  if (!pool.ok) return;
  const rest = new RestClock(() => 0).rules("uid", 0);
  const { status, events } = plan({ pool: pool.value, nodes: [...made.nodes.values()], now: new Date(0), rest });
  assert.equal(status.allocations, made.pool(IP).status?.allocations);
  assert.equal(status.appliedSpec, IPPOOL);
  assert.equal(
    events.map(({ reason }) => reason),
    ["InvalidSpec"],
  );
});

test("R5 an exclusion over a used block leaves it to its node and reports it", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, exclusions: [{ startIP: "10.10.0.1", endIP: "10.10.0.8" }] });
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
  assert.match(conditionOf(made, IP, "BlocksWithoutAddresses")?.message ?? "", "node-a");
  assert.is(conditionOf(made, IP, "Ready")?.status, "True");
  made.edit(IP, IPPOOL);
  made.settle();
  assert.is(conditionOf(made, IP, "BlocksWithoutAddresses"), undefined);
});

test("R5 gateways follow gatewayIndex, prefixes stay", () => {
  const made = withCIDRPool(CIDRPOOL, "node-b", "node-c");
  made.addNode("node-a");
  made.settle();
  made.edit(CIDR, { ...CIDRPOOL, gatewayIndex: 7 });
  made.settle();
  assert.equal(allocationsOf(made, CIDR), [
    "node-a 10.10.2.0/24 via 10.10.2.7",
    "node-b 10.10.0.0/24 via 10.10.0.7",
    "node-c 10.10.1.0/24 via 10.10.1.7",
  ]);
});

test("R5 a static allocation of a used prefix waits, is reported, and comes when the prefix is free", () => {
  const made = withCIDRPool();
  const staticAllocations = [{ nodeName: "node-c", prefix: "10.10.0.0/24", gateway: "10.10.0.9" }];
  made.edit(CIDR, { ...CIDRPOOL, staticAllocations });
  made.addNode("node-c");
  made.settle();
  assert.equal(allocationsOf(made, CIDR), ["node-a 10.10.0.0/24 via 10.10.0.1", "node-b 10.10.1.0/24 via 10.10.1.1"]);
  assert.match(
    conditionOf(made, CIDR, "StaticAllocationsWait")?.message ?? "",
    "10.10.0.0/24 for node-c, which node-a has",
  );
  assert.is(conditionOf(made, CIDR, "Ready")?.reason, "StaticAllocationWaits");

  made.nodes.delete("node-a");
  made.settle();
  assert.equal(allocationsOf(made, CIDR), ["node-b 10.10.1.0/24 via 10.10.1.1", "node-c 10.10.0.0/24 via 10.10.0.9"]);
  assert.is(conditionOf(made, CIDR, "StaticAllocationsWait"), undefined);
  assert.is(conditionOf(made, CIDR, "Ready")?.status, "True");
});

test("R5 a node that has a prefix keeps it beside a static allocation of another one", () => {
  const made = withCIDRPool();
  made.edit(CIDR, { ...CIDRPOOL, staticAllocations: [{ nodeName: "node-a", prefix: "10.10.9.0/24" }] });
  made.settle();
  assert.is(allocationsOf(made, CIDR)[0], "node-a 10.10.0.0/24 via 10.10.0.1");
  assert.match(conditionOf(made, CIDR, "StaticAllocationsWait")?.message ?? "", "keeps the prefix it has");
  assert.is(conditionOf(made, CIDR, "Ready")?.status, "True");
});

test("R5 a used prefix that is set aside for no node stays with its node", () => {
  const made = withCIDRPool();
  made.edit(CIDR, { ...CIDRPOOL, staticAllocations: [{ prefix: "10.10.1.0/24" }] });
  made.settle();
  assert.is(allocationsOf(made, CIDR)[1], "node-b 10.10.1.0/24 via 10.10.1.1");
  assert.match(
    conditionOf(made, CIDR, "StaticAllocationsWait")?.message ?? "",
    "10.10.1.0/24 for no node, which node-b has",
  );
});

test("R5 with leave to move blocks, static allocations take their prefixes as with the original", () => {
  const made = withCIDRPool();
  const staticAllocations = [{ nodeName: "node-a", prefix: "10.10.1.0/24" }, { prefix: "10.10.0.0/24" }];
  Object.assign(made.pool(CIDR).metadata.annotations, ALLOW);
  made.edit(CIDR, { ...CIDRPOOL, staticAllocations });
  made.settle();
  assert.equal(allocationsOf(made, CIDR), ["node-a 10.10.1.0/24 via 10.10.1.1", "node-b 10.10.2.0/24 via 10.10.2.1"]);
});

test("a static allocation is written as the spec writes it", () => {
  const spec = {
    cidr: "fd00::/48",
    perNodeNetworkPrefix: 64,
    staticAllocations: [{ nodeName: "node-a", prefix: "FD00:0:0:7::/64", gateway: "FD00:0:0:7::1" }],
  };
  const made = withCIDRPool(spec, "node-a");
  assert.equal(allocationsOf(made, CIDR), ["node-a FD00:0:0:7::/64 via FD00:0:0:7::1"]);
});

test.run();
