/** R8, R9 and what a status says: which blocks new nodes get, and when a status is written. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { allocationsOf, Cluster, conditionOf, type Json } from "./_cluster.ts";

type Kind = "IPPool" | "CIDRPool";

function deal(kind: Kind, spec: Json, nodes: number): Cluster {
  const made = new Cluster();
  for (let node = 0; node < nodes; node++) made.addNode(`n${node}`);
  made.addPool(kind, "pool1", spec);
  made.settle();
  return made;
}

const WAY = "widen subnet, or let nodeSelector choose fewer nodes";

/** The kind, the spec, how many nodes there are, and what they get. */
const DEALT: readonly (readonly [what: string, Kind, Json, number, readonly string[]])[] = [
  [
    "a block that gateway and exclusion leave nothing of",
    "IPPool",
    {
      subnet: "10.0.0.0/24",
      perNodeBlockSize: 2,
      gateway: "10.0.0.1",
      exclusions: [{ startIP: "10.0.0.2", endIP: "10.0.0.2" }],
    },
    1,
    ["n0 10.0.0.3-10.0.0.4"],
  ],
  [
    "a block that gateway and perNodeExclusions leave nothing of",
    "IPPool",
    {
      subnet: "10.0.0.0/24",
      perNodeBlockSize: 2,
      gateway: "10.0.0.3",
      perNodeExclusions: [{ startIndex: 1, endIndex: 1 }],
    },
    2,
    ["n0 10.0.0.1-10.0.0.2", "n1 10.0.0.5-10.0.0.6"],
  ],
  [
    "a prefix of which only the network address is not excluded",
    "CIDRPool",
    { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 29, exclusions: [{ startIP: "10.0.0.1", endIP: "10.0.0.6" }] },
    1,
    ["n0 10.0.0.8/29"],
  ],
  [
    "a prefix of which only the gateway is not excluded",
    "CIDRPool",
    {
      cidr: "10.0.0.0/16",
      perNodeNetworkPrefix: 30,
      gatewayIndex: 2,
      exclusions: [{ startIP: "10.0.0.1", endIP: "10.0.0.1" }],
    },
    1,
    ["n0 10.0.0.4/30 via 10.0.0.6"],
  ],
  [
    "ten excluded blocks in a row",
    "IPPool",
    { subnet: "10.0.0.0/16", perNodeBlockSize: 10, exclusions: [{ startIP: "10.0.0.0", endIP: "10.0.0.105" }] },
    1,
    ["n0 10.0.0.101-10.0.0.110"],
  ],
];

for (const [what, kind, spec, nodes, expected] of DEALT) {
  test(`R8 ${what} is passed over`, () => {
    const made = deal(kind, spec, nodes);
    assert.equal(allocationsOf(made, `${kind}/pool1`), expected);
    assert.is(conditionOf(made, `${kind}/pool1`, "BlocksWithoutAddresses"), undefined);
  });
}

/** Pools whose every block has no address for a pod that does not ask for one. */
const AS_ASKED: readonly (readonly [what: string, Json, readonly string[]])[] = [
  [
    "/32 prefixes that are their own gateway",
    { cidr: "10.0.0.0/24", perNodeNetworkPrefix: 32, gatewayIndex: 0 },
    ["n0 10.0.0.0/32 via 10.0.0.0", "n1 10.0.0.1/32 via 10.0.0.1"],
  ],
  [
    "/31 prefixes with a gateway and an excluded index",
    {
      cidr: "10.0.0.0/24",
      perNodeNetworkPrefix: 31,
      gatewayIndex: 0,
      perNodeExclusions: [{ startIndex: 1, endIndex: 1 }],
    },
    ["n0 10.0.0.0/31 via 10.0.0.0", "n1 10.0.0.2/31 via 10.0.0.2"],
  ],
];

for (const [what, spec, expected] of AS_ASKED) {
  test(`R8 ${what} are dealt as asked, with a condition`, () => {
    const made = deal("CIDRPool", spec, 2);
    assert.equal(allocationsOf(made, "CIDRPool/pool1"), expected);
    assert.is(conditionOf(made, "CIDRPool/pool1", "BlocksWithoutAddresses")?.status, "True");
    assert.is(conditionOf(made, "CIDRPool/pool1", "Ready")?.status, "True");
  });
}

test("R8 where perNodeExclusions leave no address of any block, none is dealt, as with the original", () => {
  const made = deal(
    "CIDRPool",
    { cidr: "10.0.0.0/24", perNodeNetworkPrefix: 31, perNodeExclusions: [{ startIndex: 0, endIndex: 1 }] },
    1,
  );
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), []);
  assert.is(conditionOf(made, "CIDRPool/pool1", "Ready")?.reason, "NoFreeBlocks");
});

test("R8 a subnet that is nothing but its gateway is not dealt, as with the original", () => {
  const made = deal("IPPool", { subnet: "10.0.0.1/32", perNodeBlockSize: 1, gateway: "10.0.0.1" }, 1);
  assert.equal(allocationsOf(made, "IPPool/pool1"), []);
});

test("R8 a static allocation is dealt as asked and reported when its own gateway takes its last address", () => {
  const spec = {
    cidr: "10.0.0.0/24",
    perNodeNetworkPrefix: 30,
    gatewayIndex: 1,
    exclusions: [{ startIP: "10.0.0.5", endIP: "10.0.0.5" }],
    staticAllocations: [{ nodeName: "n0", prefix: "10.0.0.4/30", gateway: "10.0.0.6" }],
  };
  const made = deal("CIDRPool", spec, 2);
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), ["n0 10.0.0.4/30 via 10.0.0.6", "n1 10.0.0.0/30 via 10.0.0.1"]);
  assert.is(
    conditionOf(made, "CIDRPool/pool1", "BlocksWithoutAddresses")?.message,
    "the blocks of these nodes have no usable address left: n0",
  );
});

/** Pools with more addresses or exclusions than could be gone through. */
const VAST: readonly (readonly [what: string, Kind, Json, readonly string[]])[] = [
  [
    "a million excluded addresses in blocks of one",
    "IPPool",
    { subnet: "10.0.0.0/8", perNodeBlockSize: 1, exclusions: [{ startIP: "10.0.0.0", endIP: "10.15.255.255" }] },
    ["n0 10.16.0.0-10.16.0.0", "n1 10.16.0.1-10.16.0.1"],
  ],
  [
    "2^64 excluded addresses in prefixes of one",
    "CIDRPool",
    {
      cidr: "fd00::/48",
      perNodeNetworkPrefix: 128,
      exclusions: [{ startIP: "fd00::", endIP: "fd00::ffff:ffff:ffff:ffff" }],
    },
    ["n0 fd00:0:0:1::/128", "n1 fd00:0:0:1::1/128"],
  ],
  [
    "all but the last /64 of a /48 excluded",
    "CIDRPool",
    {
      cidr: "fd00::/48",
      perNodeNetworkPrefix: 64,
      exclusions: [{ startIP: "fd00::", endIP: "fd00::fffe:ffff:ffff:ffff:ffff" }],
    },
    ["n0 fd00:0:0:ffff::/64"],
  ],
  [
    "a /0 in halves",
    "IPPool",
    { subnet: "::/0", perNodeBlockSize: 2 ** 53 - 1 },
    ["n0 ::1-::1f:ffff:ffff:ffff", "n1 ::20:0:0:0-::3f:ffff:ffff:fffe"],
  ],
];

for (const [what, kind, spec, expected] of VAST) {
  test(`R9 ${what}: blocks are found without going through addresses`, () => {
    assert.equal(allocationsOf(deal(kind, spec, 2), `${kind}/pool1`), expected);
  });
}

test("R9 counts of blocks end at 2^53 - 1", () => {
  const made = deal("CIDRPool", { cidr: "fd00::/48", perNodeNetworkPrefix: 128 }, 1);
  assert.equal(made.pool("CIDRPool/pool1").status?.blocks, {
    total: 2 ** 53 - 1,
    allocated: 1,
    free: 2 ** 53 - 1,
    resting: 0,
  });
});

test("blocks are counted: dealt, resting, set aside, without usable address, free", () => {
  const made = new Cluster();
  made.delayMs = 60_000;
  for (const name of ["a", "b", "c"]) made.addNode(name);
  const spec = {
    cidr: "10.0.0.0/20",
    perNodeNetworkPrefix: 24,
    staticAllocations: [{ prefix: "10.0.9.0/24" }],
    exclusions: [{ startIP: "10.0.10.0", endIP: "10.0.11.255" }],
  };
  made.addPool("CIDRPool", "pool1", spec);
  made.settle();
  made.nodes.delete("b");
  made.settle();
  assert.equal(made.pool("CIDRPool/pool1").status?.blocks, { total: 16, allocated: 2, free: 10, resting: 1 });
});

test("a block where part of the network is left over at the end is not dealt", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/28", perNodeBlockSize: 5 }, 3);
  assert.equal(allocationsOf(made, "IPPool/pool1"), ["n0 10.0.0.1-10.0.0.5", "n1 10.0.0.6-10.0.0.10"]);
  assert.is(conditionOf(made, "IPPool/pool1", "Ready")?.message, `no free block in 10.0.0.0/28 for n2; ${WAY}`);
});

test("IPv4-mapped networks are dealt as the IPv4 networks that they are", () => {
  assert.equal(
    allocationsOf(deal("IPPool", { subnet: "::ffff:10.0.0.0/120", perNodeBlockSize: 4 }, 1), "IPPool/pool1"),
    ["n0 10.0.0.1-10.0.0.4"],
  );
  assert.equal(
    allocationsOf(deal("CIDRPool", { cidr: "::ffff:10.0.0.0/112", perNodeNetworkPrefix: 120 }, 1), "CIDRPool/pool1"),
    ["n0 10.0.0.0/24"],
  );
});

test("a pool without nodes has an empty list of allocations", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }, 0);
  assert.equal(made.pool("IPPool/pool1").status?.allocations, []);
});

test("a status is written if and only if something in it changed", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }, 2);
  made.time += 3_600_000;
  const again = made.look("IPPool/pool1");
  assert.not.ok(again.changed);
  assert.equal(again.events, []);
  assert.equal(again.status, made.pool("IPPool/pool1").status);
  made.addNode("n0", { colour: "blue" });
  assert.not.ok(made.look("IPPool/pool1").changed);
  made.addNode("n2");
  assert.ok(made.look("IPPool/pool1").changed);
});

test("lastTransitionTime changes only when the condition does", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/29", perNodeBlockSize: 3 }, 2);
  const since = () => conditionOf(made, "IPPool/pool1", "Ready")?.lastTransitionTime;
  made.time = 1_000_000;
  made.edit("IPPool/pool1", { subnet: "10.0.0.0/29", perNodeBlockSize: 3, gateway: "10.0.0.1" });
  made.settle();
  assert.is(since(), "1970-01-01T00:00:00Z");
  assert.is(conditionOf(made, "IPPool/pool1", "Ready")?.observedGeneration, 2);
  made.addNode("n2");
  made.settle();
  assert.is(since(), "1970-01-01T00:16:40Z");
  made.time = 2_000_000;
  made.addNode("n3");
  made.settle();
  assert.is(since(), "1970-01-01T00:16:40Z");
  assert.is(conditionOf(made, "IPPool/pool1", "Ready")?.message, `no free block in 10.0.0.0/29 for n2, n3; ${WAY}`);
});

test("conditions of others are left as they are", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }, 1);
  const foreign = {
    type: "Synced",
    status: "Unknown" as const,
    reason: "Why",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  };
  const pool = made.pool("IPPool/pool1");
  pool.status = { ...pool.status, conditions: [foreign, ...(pool.status?.conditions ?? [])] };
  assert.not.ok(made.look("IPPool/pool1").changed);
  made.addNode("n1");
  made.settle();
  assert.equal(pool.status.conditions?.[0], foreign);
});

test("an Event is told once, not at every plan", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/29", perNodeBlockSize: 3 }, 3);
  made.restart();
  made.settle();
  made.edit("IPPool/pool1", { subnet: "10.0.0.0/29", perNodeBlockSize: 3, gateway: "10.0.0.1" });
  made.settle();
  assert.equal(made.events, ["IPPool/pool1 Warning NoFreeRanges"]);
});

test("the names of nodes that lose their block are told before the status is written", () => {
  const made = deal("IPPool", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }, 3);
  made.nodes.delete("n2");
  made.nodes.delete("n0");
  assert.equal(made.look("IPPool/pool1").withdrawn, ["n0", "n2"]);
});

test("a status near the size of an object is reported", () => {
  const nodes = Array.from({ length: 15_000 }, (_, i) => ({ name: `worker-${i}.region.cluster.example`, labels: {} }));
  const made = new Cluster();
  made.addPool("IPPool", "pool1", { subnet: "10.0.0.0/8", perNodeBlockSize: 64 });
  const planned = (count: number) => {
    const rest = new RestClock(() => 0).rules("uid", 0);
    const { status } = plan({ pool: made.read("IPPool/pool1"), nodes: nodes.slice(0, count), now: new Date(0), rest });
    return status.conditions?.map(({ type }) => type);
  };
  assert.equal(planned(15_000), ["Ready", "NearSizeLimit"]);
  assert.equal(planned(5_000), ["Ready"]);
});

test("a spec that nears the size of an object with its copy in the status is reported", () => {
  const reported = (count: number) => {
    const exclusions = Array.from({ length: count }, () => ({ startIP: "10.0.0.10", endIP: "10.0.0.20" }));
    const made = deal("IPPool", { subnet: "10.0.0.0/24", perNodeBlockSize: 4, exclusions }, 1);
    return made.look("IPPool/pool1").status.conditions?.some(({ type }) => type === "NearSizeLimit");
  };
  // One entry has 46 bytes; spec and status.appliedSpec both have it.
  assert.is(reported(15_000), true);
  assert.is(reported(10_000), false);
});

test.run();
