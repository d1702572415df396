/** What is put back into a status that says less than it did, and what is not. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clusterOf, type FakeCluster, KEY, puts, SPEC } from "./_fake_cluster.ts";

test("with the original's CRD what is cut off is remembered, said once, and nothing loops", async () => {
  const cluster = clusterOf(["node-a", "node-b"], 1000);
  cluster.prunes = true;
  await cluster.reconcile(KEY);
  cluster.removeNode("node-a");
  await cluster.reconcile(KEY);
  const writes = puts(cluster);
  assert.equal(cluster.object(KEY).status, {
    allocations: [{ nodeName: "node-b", startIP: "10.0.0.5", endIP: "10.0.0.8" }],
  });
  for (let round = 0; round < 3; round++) await cluster.reconcile(KEY);
  cluster.tellPool("IPPool", "pool1");
  for (let round = 0; round < 3; round++) await cluster.reconcile(KEY);
  assert.is(puts(cluster), writes);
  // An edit brings the object without what was cut off: the block of node-a rests all the same, and the old division holds.
  cluster.putPool("IPPool", "pool1", { ...SPEC, perNodeBlockSize: 2 });
  cluster.addNode("node-c");
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-b 10.0.0.5-10.0.0.8", "node-c 10.0.0.9-10.0.0.12"]);
  assert.equal(cluster.events, [`${KEY} WouldMoveBlocks`]);
  const before = puts(cluster);
  for (let round = 0; round < 3; round++) await cluster.reconcile(KEY);
  assert.is(puts(cluster), before);
  assert.is(cluster.log.filter((line) => line.includes("keeps status.allocations only")).length, 1);
});

test("what was cut off is written as soon as the CRD may have room for it, once for each time that it may", async () => {
  const cluster = clusterOf(["node-a"]);
  cluster.prunes = true;
  await cluster.reconcile(KEY);
  const writes = puts(cluster);
  assert.equal(cluster.reconciler.schemaMayHaveChanged("CIDRPool"), []);
  assert.equal(cluster.reconciler.schemaMayHaveChanged("IPPool"), [KEY]);
  for (let round = 0; round < 3; round++) await cluster.reconcile(KEY);
  assert.is(puts(cluster), writes + 1);
  assert.is(cluster.object(KEY).status?.appliedSpec, undefined);

  cluster.prunes = false;
  assert.equal(cluster.reconciler.schemaMayHaveChanged("IPPool"), [KEY]);
  for (let round = 0; round < 3; round++) await cluster.reconcile(KEY);
  assert.is(puts(cluster), writes + 2);
  assert.ok(cluster.object(KEY).status?.appliedSpec);
  assert.equal(cluster.reconciler.schemaMayHaveChanged("IPPool"), []);
});

/** Node-b came first, so that dealing anew would give the two each other's block. */
async function dealtOutOfOrder(delayMs = 1000): Promise<FakeCluster> {
  const cluster = clusterOf(["node-b"], delayMs);
  await cluster.reconcile(KEY);
  cluster.addNode("node-a");
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), OUT_OF_ORDER);
  return cluster;
}
const OUT_OF_ORDER = ["node-a 10.0.0.5-10.0.0.8", "node-b 10.0.0.1-10.0.0.4"];

for (const [what, status] of [
  ["all of a status", undefined],
  ["its blocks", { allocations: [] }],
  ["one block", { allocations: [{ nodeName: "node-a", startIP: "10.0.0.5", endIP: "10.0.0.8" }] }],
] as const) {
  test(`R2 whoever takes ${what} away: nodes have what they had, it is told, and nothing loops`, async () => {
    const cluster = await dealtOutOfOrder();
    cluster.overwriteStatus(KEY, status);
    await cluster.reconcile(KEY);
    assert.equal(cluster.blocks(KEY), OUT_OF_ORDER);
    assert.ok(cluster.events.includes(`${KEY} BlocksPutBack`));
    const writes = puts(cluster);
    await cluster.reconcile(KEY);
    assert.is(puts(cluster), writes);
  });
}

test("R2 two writers do not write against each other without a pause, and until then nothing is dealt anew", async () => {
  const cluster = await dealtOutOfOrder();
  const takeOut = async (): Promise<number | undefined> => {
    cluster.overwriteStatus(KEY, { allocations: [] });
    const done = await cluster.reconcile(KEY);
    return done.ok ? done.value.againAfterMs : undefined;
  };
  await takeOut();
  const writes = puts(cluster);
  cluster.time += 4000;
  assert.is(await takeOut(), 6000);
  assert.is(puts(cluster), writes);
  cluster.time += 6000;
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), OUT_OF_ORDER);
});

test("R7 rests that somebody takes away go on", async () => {
  const cluster = await dealtOutOfOrder();
  cluster.removeNode("node-b");
  await cluster.reconcile(KEY);
  const { allocations } = cluster.object(KEY).status ?? {};
  cluster.overwriteStatus(KEY, { ...(allocations && { allocations }) });
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
  cluster.addNode("node-c");
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.5-10.0.0.8", "node-c 10.0.0.9-10.0.0.12"]);
});

for (const [what, prunes] of [
  ["", false],
  [", also where the CRD keeps allocations only", true],
] as const) {
  test(`a write whose answer is lost is ours: what it let rest rests once, and nobody is blamed${what}`, async () => {
    const cluster = await dealtOutOfOrder();
    cluster.prunes = prunes;
    cluster.removeNode("node-b");
    cluster.losesAnswers = true;
    assert.not((await cluster.reconcile(KEY)).ok);
    assert.not((await cluster.reconcile(KEY)).ok, "the watch has not brought it yet");
    cluster.losesAnswers = false;
    cluster.tellPool("IPPool", "pool1");
    cluster.addNode("node-c");
    await cluster.reconcile(KEY);
    assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.5-10.0.0.8", "node-c 10.0.0.9-10.0.0.12"]);
    const { status } = cluster.view.pool(KEY) ?? {};
    assert.equal(
      status?.released?.map(({ nodeName }) => nodeName),
      ["node-b"],
    );
    assert.equal(cluster.events, []);
  });
}

const [KEPT, GIVEN_UP] = [
  { nodeName: "node-a", startIP: "10.0.0.5", endIP: "10.0.0.8" },
  { nodeName: "node-b", startIP: "10.0.0.1", endIP: "10.0.0.4" },
] as const;
const RESTING = { ...GIVEN_UP, releasedAt: "1970-01-01T00:00:00Z", reason: "NodeDeleted" };
const GIVEN = [KEPT, { ...GIVEN_UP, nodeName: "node-c" }];

for (const [what, delayMs, before, after] of [
  ["let a block rest", 1000, { allocations: [KEPT, GIVEN_UP] }, { allocations: [KEPT], released: [RESTING] }],
  ["gave a rested block away", 1000, { allocations: [KEPT], released: [RESTING] }, { allocations: GIVEN }],
  ["gave a block away at once", 0, { allocations: [KEPT, GIVEN_UP] }, { allocations: GIVEN }],
] as const) {
  test(`what the former leader did last is not undone: it ${what}`, async () => {
    const cluster = clusterOf(
      before.allocations.map(({ nodeName }) => nodeName),
      delayMs,
    );
    cluster.overwriteStatus(KEY, before);
    await cluster.reconcile(KEY);
    for (const { nodeName } of after.allocations) cluster.addNode(nodeName);
    cluster.removeNode("node-b");
    cluster.overwriteStatus(KEY, after);
    await cluster.reconcile(KEY);
    const { allocations, released = [] } = cluster.object(KEY).status ?? {};
    assert.equal({ allocations, released }, { released: [], ...after });
    assert.equal(cluster.events, []);
  });
}

test("R2 a write that did not come through takes nothing from what is known", async () => {
  const cluster = await dealtOutOfOrder();
  cluster.removeNode("node-b");
  cluster.failing.set("put", "unreachable");
  assert.not((await cluster.reconcile(KEY)).ok);
  cluster.failing.clear();
  cluster.addNode("node-b");
  cluster.overwriteStatus(KEY, undefined);
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), OUT_OF_ORDER);
});

test("a block that somebody gives to a node in the place of another stays there, and the other one rests", async () => {
  const cluster = await dealtOutOfOrder();
  const moved = { nodeName: "node-b", startIP: "10.0.0.9", endIP: "10.0.0.12" };
  const others = cluster.object(KEY).status?.allocations?.slice(0, 1) ?? [];
  cluster.overwriteStatus(KEY, { allocations: [...others, moved] });
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.5-10.0.0.8", "node-b 10.0.0.9-10.0.0.12"]);
  assert.equal(
    cluster.object(KEY).status?.released?.map(({ nodeName }) => nodeName),
    ["node-b"],
  );
});

test("where blocks may move, what somebody takes out of a status stays out", async () => {
  const cluster = await dealtOutOfOrder();
  cluster.putPool("IPPool", "pool1", SPEC, { "nv-ipam.nvidia.com/allow-reallocation": "true" });
  await cluster.reconcile(KEY);
  cluster.overwriteStatus(KEY, { allocations: [] });
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4", "node-b 10.0.0.5-10.0.0.8"]);
});

test.run();
