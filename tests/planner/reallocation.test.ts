/** R5: no edit moves or drops a block that a node has. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPool } from "../../src/lib/api/parse.ts";
import type { AnyPoolStatus } from "../../src/lib/api/types.ts";
import { plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { allocationsOf, Cluster, conditionOf } from "./_cluster.ts";

const ALLOW = { "nv-ipam.nvidia.com/allow-reallocation": "true" };
const IPPOOL = { subnet: "10.10.0.0/24", perNodeBlockSize: 8 };
const CIDRPOOL = { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 };

function cluster(...nodes: readonly string[]): Cluster {
  const made = new Cluster();
  for (const name of nodes) made.addNode(name);
  return made;
}

function withIPPool(spec: Record<string, unknown> = IPPOOL, ...nodes: readonly string[]): Cluster {
  const made = cluster(...(nodes.length > 0 ? nodes : ["node-a", "node-b"]));
  made.addPool("IPPool", "pool1", spec);
  made.settle();
  return made;
}

function withCIDRPool(spec: Record<string, unknown> = CIDRPOOL, ...nodes: readonly string[]): Cluster {
  const made = cluster(...(nodes.length > 0 ? nodes : ["node-a", "node-b"]));
  made.addPool("CIDRPool", "pool1", spec);
  made.settle();
  return made;
}

const IP = "IPPool/pool1";
const CIDR = "CIDRPool/pool1";
const TWO_BLOCKS = ["node-a 10.10.0.1-10.10.0.8", "node-b 10.10.0.9-10.10.0.16"];

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

/** What the original left: allocations and no appliedSpec. */
function left(allocations: readonly string[]): AnyPoolStatus {
  return {
    allocations: allocations.map((text) => {
      const [nodeName = "", startIP = "", endIP = ""] = text.split(/[ -](?=\d)/);
      return { nodeName, startIP, endIP };
    }),
  };
}

function takenOver(spec: Record<string, unknown>, allocations: readonly string[], nodes: readonly string[]): Cluster {
  const made = cluster(...nodes);
  made.addPool("IPPool", "pool1", spec).status = left(allocations);
  made.settle();
  return made;
}

test("R5 a status that the original left is taken over", () => {
  const made = takenOver(IPPOOL, TWO_BLOCKS, ["node-a", "node-b", "node-c"]);
  assert.equal(allocationsOf(made, IP), [...TWO_BLOCKS, "node-c 10.10.0.17-10.10.0.24"]);
  assert.equal(made.pool(IP).status?.appliedSpec, IPPOOL);
});

test("R5 the blocks that the original left say the division when the spec says another", () => {
  const made = takenOver({ ...IPPOOL, perNodeBlockSize: 16 }, TWO_BLOCKS, ["node-a", "node-b", "node-c"]);
  assert.equal(allocationsOf(made, IP), [...TWO_BLOCKS, "node-c 10.10.0.17-10.10.0.24"]);
  assert.is(conditionOf(made, IP, "Ready")?.reason, "WouldMoveBlocks");
  assert.is(made.pool(IP).status?.appliedSpec, undefined);
});

test("R5 what the original left is kept beside one entry that does not agree with the others", () => {
  const odd = "node-c 10.10.0.50-10.10.0.54";
  const made = takenOver({ ...IPPOOL, subnet: "10.20.0.0/24" }, [...TWO_BLOCKS, odd], ["node-a", "node-b", "node-c"]);
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R5 a narrower subnet that some of the blocks that the original left lie in is not accepted", () => {
  const made = takenOver({ ...IPPOOL, subnet: "10.10.0.0/28" }, TWO_BLOCKS, ["node-a", "node-b"]);
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
  assert.is(conditionOf(made, IP, "Ready")?.reason, "WouldMoveBlocks");
});

for (const nodes of [
  ["node-a", "node-b"],
  ["node-b", "node-a"],
] as const) {
  test(`R5 of blocks of two sizes that the original left both are kept, ${nodes[0]}'s being the right one`, () => {
    const blocks = [`${nodes[0]} 10.10.0.1-10.10.0.8`, `${nodes[1]} 10.10.0.17-10.10.0.20`].sort();
    assert.equal(allocationsOf(takenOver(IPPOOL, blocks, nodes), IP), blocks);
  });
}

test("R5 holes between blocks that the original left are dealt though their network is not known", () => {
  const blocks = [TWO_BLOCKS[0] ?? "", "node-b 10.10.0.17-10.10.0.24"];
  const made = takenOver({ ...IPPOOL, subnet: "10.20.0.0/24" }, blocks, ["node-a", "node-b", "node-c", "node-d"]);
  assert.equal(allocationsOf(made, IP), [...blocks, "node-c 10.10.0.9-10.10.0.16"]);
});

const LEFT_PREFIXES = ["node-a 10.10.0.0/24", "node-b 10.10.1.0/24"];

/** Static allocations of a spec of /25 prefixes, over /24 prefixes that the original left, and what node-c gets by it. */
const OF_A_REFUSED_SPEC: readonly (readonly [string, Record<string, string>, string])[] = [
  ["for the new node", { nodeName: "node-c", prefix: "10.10.4.0/25" }, "10.10.2.0/24"],
  ["for a node that has another one", { nodeName: "node-a", prefix: "10.10.4.128/25" }, "10.10.2.0/24"],
  ["for no node, where the next prefix is", { prefix: "10.10.2.128/25" }, "10.10.3.0/24"],
];

for (const [what, item, expected] of OF_A_REFUSED_SPEC) {
  test(`R5 a static allocation ${what} is not dealt by a spec that is not accepted over what the original left`, () => {
    const made = cluster("node-a", "node-b", "node-c");
    const spec = { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 25, staticAllocations: [item] };
    const allocations = LEFT_PREFIXES.map((text) => {
      const [nodeName = "", prefix = ""] = text.split(" ");
      return { nodeName, prefix };
    });
    made.addPool("CIDRPool", "pool1", spec).status = { allocations };
    made.settle();
    const dealt = [...LEFT_PREFIXES, `node-c ${expected}`];
    assert.equal(allocationsOf(made, CIDR), dealt);
    assert.is(conditionOf(made, CIDR, "Ready")?.reason, "WouldMoveBlocks");

    made.edit(CIDR, { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
    made.settle();
    assert.equal(allocationsOf(made, CIDR), dealt);
    assert.is(conditionOf(made, CIDR, "Ready")?.status, "True");
  });
}

test("R5 blocks of the other family that the original left are kept, and new nodes get such ones", () => {
  const spec = { subnet: "fd00:1::/120", perNodeBlockSize: 8, gateway: "fd00:1::1" };
  const blocks = [TWO_BLOCKS[0] ?? "", "node-b 10.10.0.17-10.10.0.24"];
  const made = takenOver(spec, blocks, ["node-a", "node-b", "node-c", "node-d"]);
  assert.equal(allocationsOf(made, IP), [...blocks, "node-c 10.10.0.9-10.10.0.16"]);
  assert.is(conditionOf(made, IP, "Ready")?.reason, "WouldMoveBlocks");
  assert.match(conditionOf(made, IP, "Ready")?.message ?? "", "no free block for node-d");
});

test("R5 prefixes of the other family that the original left are kept", () => {
  const made = cluster("node-a");
  const pool = made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 });
  pool.status = { allocations: [{ nodeName: "node-a", prefix: "fd00::/64", gateway: "fd00::1" }] };
  made.settle();
  assert.equal(allocationsOf(made, CIDR), ["node-a fd00::/64 via fd00::1"]);
  assert.is(conditionOf(made, CIDR, "Ready")?.reason, "WouldMoveBlocks");
});

test("R5 a node that comes back gets what it had, beside a static allocation of a spec that is not accepted", () => {
  const made = cluster("node-a", "node-b");
  made.delayMs = 1000;
  const staticAllocations = [{ nodeName: "node-b", prefix: "10.10.4.0/25" }];
  const pool = made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 25, staticAllocations });
  pool.status = {
    allocations: [
      { nodeName: "node-a", prefix: "10.10.0.0/24" },
      { nodeName: "node-b", prefix: "10.10.5.0/24" },
    ],
  };
  made.nodes.delete("node-b");
  made.settle();
  made.addNode("node-b");
  made.settle();
  assert.equal(allocationsOf(made, CIDR), ["node-a 10.10.0.0/24", "node-b 10.10.5.0/24"]);
});

test("R5 an invalid spec over what the original left takes nothing away", () => {
  const made = takenOver({ ...IPPOOL, perNodeBlockSize: 0 }, TWO_BLOCKS, ["node-a", "node-b", "node-c"]);
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R5 an entry that fits neither spec is dealt anew", () => {
  const made = withIPPool();
  const broken = left(["node-a 10.10.0.1-10.10.0.8", "node-b 10.10.0.10-10.10.0.17"]);
  made.pool(IP).status = { ...made.pool(IP).status, ...broken };
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R5 an entry that fits the spec that is not accepted is kept, unless it takes an address of one that fits the accepted one", () => {
  const made = withIPPool();
  made.edit(IP, { ...IPPOOL, perNodeBlockSize: 16 });
  const entries = [
    ...TWO_BLOCKS,
    "node-c 10.10.0.33-10.10.0.48",
    "node-d 10.10.0.49-10.10.0.64",
    "node-e 10.10.0.57-10.10.0.64",
  ];
  for (const name of ["node-c", "node-d", "node-e"]) made.addNode(name);
  made.pool(IP).status = { ...made.pool(IP).status, ...left(entries) };
  made.settle();
  assert.equal(allocationsOf(made, IP), [
    ...TWO_BLOCKS,
    "node-c 10.10.0.33-10.10.0.48",
    "node-d 10.10.0.17-10.10.0.24",
    "node-e 10.10.0.57-10.10.0.64",
  ]);
});

test("R2 a block that two entries name stays with one node only", () => {
  const made = withIPPool();
  const doubled = left(["node-a 10.10.0.1-10.10.0.8", "node-b 10.10.0.1-10.10.0.8"]);
  made.pool(IP).status = { ...made.pool(IP).status, ...doubled };
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test("R2 a node that two entries name keeps one block", () => {
  const made = withIPPool();
  const doubled = left(["node-a 10.10.0.17-10.10.0.24", "node-a 10.10.0.1-10.10.0.8", "node-b 10.10.0.9-10.10.0.16"]);
  made.pool(IP).status = { ...made.pool(IP).status, ...doubled };
  made.settle();
  assert.equal(allocationsOf(made, IP), ["node-a 10.10.0.17-10.10.0.24", "node-b 10.10.0.9-10.10.0.16"]);
});

test("an entry that names no block at all is dealt anew", () => {
  const made = withIPPool();
  made.pool(IP).status = { ...made.pool(IP).status, allocations: [{ nodeName: "node-a", startIP: "x", endIP: "y" }] };
  made.settle();
  assert.equal(allocationsOf(made, IP), TWO_BLOCKS);
});

test.run();
