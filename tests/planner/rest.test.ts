/** R7: a block that its node gives up rests before another node may have it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Allocation, Released } from "../../src/lib/api/types.ts";
import { plan } from "../../src/lib/planner/plan.ts";
import { type PodUse, RestClock } from "../../src/lib/planner/rest.ts";
import { allocationsOf, Cluster, conditionOf, restingOf } from "./_cluster.ts";

const MINUTE = 60_000;
const IP = "IPPool/pool1";
/** Two blocks. */
const SMALL = { subnet: "10.10.0.0/29", perNodeBlockSize: 3 };
const A = "node-a 10.10.0.1-10.10.0.3";
const B = "node-b 10.10.0.4-10.10.0.6";

function small(delayMs = 10 * MINUTE): Cluster {
  const made = new Cluster();
  made.delayMs = delayMs;
  made.addNode("node-a");
  made.addNode("node-b");
  made.addPool("IPPool", "pool1", SMALL);
  made.settle();
  assert.equal(allocationsOf(made, IP), [A, B]);
  return made;
}

test("R7 a released block is not dealt before its delay is over", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.addNode("node-c");
  made.settle();
  assert.equal(allocationsOf(made, IP), [B]);
  assert.equal(restingOf(made, IP), [`${A} NodeDeleted`]);
  assert.is(
    conditionOf(made, IP, "Ready")?.message,
    "no free block in 10.10.0.0/29 for node-c (1 rest); widen subnet, or let nodeSelector choose fewer nodes",
  );
  made.time += 10 * MINUTE - 1;
  made.settle();
  assert.equal(allocationsOf(made, IP), [B]);
  made.time += 1;
  made.settle();
  assert.equal(allocationsOf(made, IP), [B, "node-c 10.10.0.1-10.10.0.3"]);
  assert.equal(restingOf(made, IP), []);
});

test("R7 a node that comes back gets its block back", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.nodes.delete("node-b");
  made.settle();
  made.time += 5 * MINUTE;
  made.addNode("node-c");
  made.addNode("node-b");
  made.addNode("node-a");
  made.settle();
  assert.equal(allocationsOf(made, IP), [A, B]);
  assert.equal(restingOf(made, IP), []);
});

test("R7 a node whose label comes back gets its block back", () => {
  const made = new Cluster();
  made.delayMs = 10 * MINUTE;
  for (const name of ["node-a", "node-b"]) made.addNode(name, { pool: "yes" });
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "Exists" }] }] };
  made.addPool("IPPool", "pool1", { subnet: "10.10.0.0/24", perNodeBlockSize: 4, nodeSelector });
  made.settle();
  made.addNode("node-a", {});
  made.addNode("node-c", { pool: "yes" });
  made.settle();
  assert.equal(restingOf(made, IP), ["node-a 10.10.0.1-10.10.0.4 NodeNotMatching"]);
  made.addNode("node-a", { pool: "yes" });
  made.settle();
  assert.equal(allocationsOf(made, IP), [
    "node-a 10.10.0.1-10.10.0.4",
    "node-b 10.10.0.5-10.10.0.8",
    "node-c 10.10.0.9-10.10.0.12",
  ]);
});

test("R7 without delay a released block is free at once, as with the original", () => {
  const made = small(0);
  made.nodes.delete("node-a");
  made.addNode("node-c");
  made.settle();
  assert.equal(allocationsOf(made, IP), [B, "node-c 10.10.0.1-10.10.0.3"]);
  assert.is(made.pool(IP).status?.released, undefined);
});

test("R7 a delay that is switched off ends every rest", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.settle();
  made.delayMs = 0;
  made.settle();
  assert.equal(restingOf(made, IP), []);
});

test("R7 a new leader counts the delay anew, never shorter", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.addNode("node-c");
  made.settle();
  made.time += 9 * MINUTE;
  made.restart();
  made.settle();
  made.time += 9 * MINUTE;
  made.settle();
  assert.equal(allocationsOf(made, IP), [B]);
  made.time += MINUTE;
  made.settle();
  assert.equal(allocationsOf(made, IP), [B, "node-c 10.10.0.1-10.10.0.3"]);
});

test("R7 releasedAt is for people: a date in the past ends no rest", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.settle();
  const [entry] = made.pool(IP).status?.released ?? [];
  assert.is(entry?.releasedAt, "1970-01-01T00:00:00Z");
  made.time += 365 * 24 * 60 * MINUTE;
  made.restart();
  made.settle();
  assert.equal(restingOf(made, IP), [`${A} NodeDeleted`]);
});

test("R7 blocks that were moved with leave rest as well", () => {
  const made = small();
  made.edit(IP, { subnet: "10.10.0.0/27", perNodeBlockSize: 6 });
  Object.assign(made.pool(IP).metadata.annotations, { "nv-ipam.nvidia.com/allow-reallocation": "true" });
  made.settle();
  assert.equal(allocationsOf(made, IP), ["node-a 10.10.0.7-10.10.0.12", "node-b 10.10.0.13-10.10.0.18"]);
  assert.equal(restingOf(made, IP), [`${A} Reallocated`, `${B} Reallocated`]);
  made.addNode("node-c");
  made.time += 10 * MINUTE;
  made.settle();
  assert.is(allocationsOf(made, IP)[2], "node-c 10.10.0.1-10.10.0.6");
});

test("R7 a static allocation of a resting prefix waits", () => {
  const made = new Cluster();
  made.delayMs = 10 * MINUTE;
  made.addNode("node-a");
  made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
  made.settle();
  made.nodes.delete("node-a");
  made.addNode("node-b");
  made.edit("CIDRPool/pool1", {
    cidr: "10.10.0.0/16",
    perNodeNetworkPrefix: 24,
    staticAllocations: [{ nodeName: "node-b", prefix: "10.10.0.0/24" }],
  });
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), []);
  assert.match(
    conditionOf(made, "CIDRPool/pool1", "StaticAllocationsWait")?.message ?? "",
    "10.10.0.0/24 for node-b, which node-a has",
  );
  made.time += 10 * MINUTE;
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), ["node-b 10.10.0.0/24"]);
});

test("R7 a pool is not ready while a node waits for a static prefix in which its own former one rests", () => {
  const made = new Cluster();
  made.delayMs = 10 * MINUTE;
  made.addNode("node-a");
  const pool = made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
  made.settle();
  pool.metadata.annotations["nv-ipam.nvidia.com/allow-reallocation"] = "true";
  const staticAllocations = [{ nodeName: "node-a", prefix: "10.10.0.0/23" }];
  made.edit("CIDRPool/pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 23, staticAllocations });
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), []);
  const ready = conditionOf(made, "CIDRPool/pool1", "Ready");
  assert.is(ready?.reason, "StaticAllocationWaits");
  assert.match(ready?.message ?? "", "10.10.0.0/23 for node-a, whose former prefix still rests");
  made.time += 10 * MINUTE;
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), ["node-a 10.10.0.0/23"]);
  assert.is(conditionOf(made, "CIDRPool/pool1", "Ready")?.status, "True");
});

test("R7 a pool is ready while the static prefix of a node that is gone rests", () => {
  const made = new Cluster();
  made.delayMs = 10 * MINUTE;
  made.addNode("node-a");
  made.addNode("node-b");
  const staticAllocations = [{ nodeName: "node-a", prefix: "10.10.7.0/24" }];
  made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, staticAllocations });
  made.settle();
  made.nodes.delete("node-a");
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), ["node-b 10.10.0.0/24"]);
  assert.is(conditionOf(made, "CIDRPool/pool1", "Ready")?.status, "True");
});

test("R7 a prefix that was set aside meanwhile is not given back", () => {
  const made = new Cluster();
  made.delayMs = 10 * MINUTE;
  made.addNode("node-a");
  made.addPool("CIDRPool", "pool1", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
  made.settle();
  made.nodes.delete("node-a");
  made.edit("CIDRPool/pool1", {
    cidr: "10.10.0.0/16",
    perNodeNetworkPrefix: 24,
    staticAllocations: [{ prefix: "10.10.0.0/24" }],
  });
  made.settle();
  made.addNode("node-a");
  made.settle();
  assert.equal(allocationsOf(made, "CIDRPool/pool1"), ["node-a 10.10.1.0/24"]);
  assert.equal(restingOf(made, "CIDRPool/pool1"), ["node-a 10.10.0.0/24 NodeDeleted"]);
});

test("R7 a block that lost its usable addresses is not given back", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.settle();
  made.edit(IP, {
    subnet: "10.10.0.0/28",
    perNodeBlockSize: 3,
    exclusions: [{ startIP: "10.10.0.1", endIP: "10.10.0.3" }],
  });
  made.addNode("node-a");
  made.settle();
  assert.equal(allocationsOf(made, IP), ["node-a 10.10.0.7-10.10.0.9", B]);
  assert.equal(restingOf(made, IP), [`${A} NodeDeleted`]);
});

test("R7 an entry that is damaged or doubled does not come to rest over somebody's block", () => {
  const made = small();
  const status = made.pool(IP).status;
  const doubled = { nodeName: "node-x", startIP: "10.10.0.1", endIP: "10.10.0.3" };
  made.pool(IP).status = { ...status, allocations: [...(status?.allocations ?? []), doubled] };
  made.settle();
  assert.equal(allocationsOf(made, IP), [A, B]);
  assert.equal(restingOf(made, IP), []);
});

const DAMAGES: readonly [
  name: string,
  spec: { readonly subnet: string; readonly perNodeBlockSize: number },
  appliedSpec: { readonly subnet: string; readonly perNodeBlockSize: number } | undefined,
][] = [
  [
    "of a larger size",
    { subnet: "10.10.0.0/28", perNodeBlockSize: 12 },
    { subnet: "10.10.0.0/28", perNodeBlockSize: 8 },
  ],
  ["where no spec can be used", { subnet: "10.10.0.0/28", perNodeBlockSize: 0 }, undefined],
];
for (const [name, spec, appliedSpec] of DAMAGES) {
  test(`R2 R7 a block ${name} that was taken from its node because another has it does not come back when that one goes`, () => {
    const made = new Cluster();
    made.delayMs = 10 * MINUTE;
    for (const node of ["node-a", "node-b"]) made.addNode(node);
    made.addPool("IPPool", "pool1", spec).status = {
      ...(appliedSpec !== undefined && { appliedSpec }),
      allocations: [
        { nodeName: "node-a", startIP: "10.10.0.1", endIP: "10.10.0.8" },
        { nodeName: "node-b", startIP: "10.10.0.1", endIP: "10.10.0.12" },
      ],
    };
    made.settle();
    assert.equal(allocationsOf(made, IP), ["node-a 10.10.0.1-10.10.0.8"]);
    made.nodes.delete("node-a");
    made.settle();
    assert.equal(allocationsOf(made, IP), []);
  });
}

const OF_THREE = { subnet: "10.10.0.0/27", perNodeBlockSize: 3 };
const REPAIRS: readonly [
  name: string,
  spec: typeof OF_THREE,
  allocations: readonly string[],
  rests: readonly string[],
][] = [
  ["that fits no spec", OF_THREE, ["node-a 4-6", "node-b 6-8"], ["node-b 10.10.0.6-10.10.0.8 Repaired"]],
  ["that others hold whole", OF_THREE, ["node-a 4-6", "node-b 6-8", "node-c 7-9"], []],
  [
    "that fits another spec than the one in force",
    { ...OF_THREE, perNodeBlockSize: 4 },
    ["node-a 4-6", "node-b 5-8"],
    ["node-b 10.10.0.5-10.10.0.8 Repaired"],
  ],
];
for (const [name, spec, allocations, rests] of REPAIRS) {
  test(`R7 of a damaged status, a block ${name} ${rests.length > 0 ? "rests for the addresses that are its alone" : "does not rest"}`, () => {
    const made = new Cluster();
    made.delayMs = 10 * MINUTE;
    for (const node of ["node-a", "node-b", "node-c", "node-d"]) made.addNode(node);
    made.addPool("IPPool", "pool1", spec).status = {
      appliedSpec: OF_THREE,
      allocations: allocations.map((text) => {
        const [nodeName = "", first, last] = text.split(/[ -](?=\d)/);
        return { nodeName, startIP: `10.10.0.${first}`, endIP: `10.10.0.${last}` };
      }),
    };
    made.settle();
    assert.equal(restingOf(made, IP), rests);
    const isDealt = allocationsOf(made, IP).some((text) => text.endsWith("10.10.0.7-10.10.0.9"));
    assert.is(isDealt, allocations.length === 3, "the block with its last addresses");
  });
}

/** A plan of node-b's pool, whose node-a gave up its block an hour ago but still exists without matching. */
function planWith(podUse: (entry: Released<Allocation>) => PodUse, podsForbidden = false) {
  const made = small();
  const pool = made.read(IP);
  const released = [
    { nodeName: "node-a", startIP: "10.10.0.1", endIP: "10.10.0.3", releasedAt: "", reason: "NodeNotMatching" },
  ];
  const nodeSelector = {
    nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["node-a"] }] }],
  };
  const status = { ...pool.status, allocations: pool.status?.allocations?.slice(1) ?? [], released };
  made.pool(IP).spec = { ...SMALL, nodeSelector };
  made.pool(IP).status = status;
  made.addNode("node-c");
  const rest = { delayMs: 10 * MINUTE, elapsedMs: () => 60 * MINUTE, podUse, podsForbidden };
  return plan({ pool: made.read(IP), nodes: [...made.nodes.values()], now: new Date(0), rest });
}

test("R7 while its node exists, a block rests until somebody has looked at the node's pods", () => {
  const { status, toLookAt } = planWith(() => "unknown");
  assert.is(status.allocations.length, 1);
  assert.equal(
    toLookAt.map(({ nodeName }) => nodeName),
    ["node-a"],
  );
});

test("R7 while a pod of its node shows an address of it, a block rests on and is looked at again", () => {
  const { status, toLookAt, wakeAfterMs } = planWith(() => "some");
  assert.is(status.allocations.length, 1);
  assert.equal(toLookAt, []);
  assert.is(wakeAfterMs, MINUTE);
});

test("R7 once no pod of its node shows an address of it, a block is free", () => {
  const { status, wakeAfterMs } = planWith(() => "none");
  assert.is(status.allocations.length, 2);
  assert.is(wakeAfterMs, undefined);
});

test("R7 where pods may not be listed only the delay counts, and the pool says so", () => {
  const { status } = planWith(() => "none", true);
  assert.is(status.allocations.length, 2);
  assert.is(status.conditions?.find(({ type }) => type === "PodsUnchecked")?.status, "True");
});

test("R7 the pods of a node that is gone are not looked at", () => {
  const made = small();
  made.nodes.delete("node-a");
  made.settle();
  const rest = {
    delayMs: MINUTE,
    elapsedMs: () => MINUTE,
    podUse: () => assert.unreachable("there is no such node") as never,
  };
  const { status } = plan({ pool: made.read(IP), nodes: [...made.nodes.values()], now: new Date(0), rest });
  assert.is(status.released, undefined);
});

test("R7 the plan says when the next rest ends", () => {
  const made = small();
  made.nodes.delete("node-a");
  assert.is(made.reconcile(IP).wakeAfterMs, 10 * MINUTE);
  made.time += 4 * MINUTE;
  made.nodes.delete("node-b");
  assert.is(made.reconcile(IP).wakeAfterMs, 6 * MINUTE);
  made.time += 6 * MINUTE;
  assert.is(made.reconcile(IP).wakeAfterMs, 4 * MINUTE);
  made.time += 4 * MINUTE;
  assert.is(made.reconcile(IP).wakeAfterMs, undefined);
});

test("a rest clock counts from when it first saw an entry, and forgets what is gone", () => {
  let now = 1000;
  const clock = new RestClock(() => now);
  const entry = { nodeName: "a", prefix: "10.0.0.0/24", releasedAt: "x", reason: "NodeDeleted" };
  assert.is(clock.elapsedMs("uid", entry), 0);
  clock.observe("uid", [entry]);
  now += 500;
  clock.observe("uid", [entry]);
  assert.is(clock.elapsedMs("uid", entry), 500);
  assert.is(clock.elapsedMs("another uid", entry), 0);
  clock.observe("uid", []);
  clock.observe("uid", [entry]);
  assert.is(clock.elapsedMs("uid", entry), 0);
  now += 500;
  clock.retain(new Set(["uid"]));
  assert.is(clock.elapsedMs("uid", entry), 500);
  clock.retain(new Set(["another uid"]));
  assert.is(clock.elapsedMs("uid", entry), 0);
});

test.run();
