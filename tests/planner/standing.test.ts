/** R5, R2: what becomes of the entries that stand in a status, such as those that the original left. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { AnyPoolStatus } from "../../src/lib/api/types.ts";
import { allocationsOf, type Cluster, conditionOf } from "./_cluster.ts";
import { CIDR, cluster, IP, IPPOOL, TWO_BLOCKS, withIPPool } from "./_pool1.ts";

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
