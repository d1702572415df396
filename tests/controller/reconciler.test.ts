/** What one look at a pool asks, writes and leaves alone. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { clusterOf, FakeCluster, KEY, puts, SPEC } from "./_fake_cluster.ts";

test("a pool gets its blocks by one write, and what has not changed is not written again", async () => {
  const cluster = clusterOf(["node-b", "node-a"]);
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.outcome === "written");
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4", "node-b 10.0.0.5-10.0.0.8"]);
  const again = await cluster.reconcile(KEY);
  assert.ok(again.ok && again.value.outcome === "unchanged");
  assert.equal(cluster.tellPool("IPPool", "pool1"), [], "the event of our own write concerns nobody");
  assert.is(puts(cluster), 1);
});

test("a pool that is gone needs nothing", async () => {
  const cluster = clusterOf(["node-a"]);
  cluster.removePool("IPPool", "pool1");
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.outcome === "gone");
  assert.equal(cluster.requests, []);
});

test("a pool that goes while its status is written is looked at once more, and found gone", async () => {
  const cluster = clusterOf(["node-a"]);
  cluster.failing.set("put", "notFound");
  assert.not((await cluster.reconcile(KEY)).ok);
  cluster.removePool("IPPool", "pool1");
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.outcome === "gone");
});

test("events are told once the status is written, and once", async () => {
  const cluster = clusterOf(["node-a", "node-b", "node-c", "node-d"]);
  cluster.failing.set("put", "server");
  assert.not((await cluster.reconcile(KEY)).ok);
  assert.equal(cluster.events, []);
  cluster.failing.clear();
  await cluster.reconcile(KEY);
  await cluster.reconcile(KEY);
  assert.equal(cluster.events, [`${KEY} NoFreeRanges`]);
});

test("R14 a block is taken from a node only when the API server says that the node is gone", async () => {
  const cluster = clusterOf(["node-a", "node-b"]);
  await cluster.reconcile(KEY);
  // The watch says it is gone; the API server has it.
  cluster.view.deleteNode("node-a");
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.outcome === "unchanged");
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4", "node-b 10.0.0.5-10.0.0.8"]);
  cluster.removeNode("node-a");
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-b 10.0.0.5-10.0.0.8"]);
});

test("R14 a node whose labels match after all keeps its block, and one whose labels do not loses it", async () => {
  const cluster = new FakeCluster();
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "use", operator: "Exists" }] }] };
  cluster.addNode("node-a", { use: "" });
  cluster.putPool("IPPool", "pool1", { ...SPEC, nodeSelector });
  await cluster.reconcile(KEY);
  cluster.view.setNode({ name: "node-a", labels: {} });
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4"]);
  cluster.addNode("node-a", {});
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), []);
});

test("R14 nothing is written while a withdrawal cannot be confirmed", async () => {
  const cluster = clusterOf(["node-a"]);
  await cluster.reconcile(KEY);
  cluster.removeNode("node-a");
  cluster.failing.set("node", "unreachable");
  const done = await cluster.reconcile(KEY);
  assert.ok(!done.ok && done.error.code === "unreachable");
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4"]);
});

test("R14 pools of a node that is gone share one look at it, for a moment", async () => {
  const cluster = clusterOf(["node-a"]);
  cluster.putPool("IPPool", "pool2", { ...SPEC, subnet: "10.1.0.0/28" });
  for (const key of [KEY, "IPPool/pool2"]) await cluster.reconcile(key);
  cluster.removeNode("node-a");
  for (const key of [KEY, "IPPool/pool2"]) await cluster.reconcile(key);
  assert.is(cluster.requests.filter((request) => request === "node node-a").length, 1);
  assert.equal([...cluster.blocks(KEY), ...cluster.blocks("IPPool/pool2")], []);
});

test("R14 a process that does not lead any more writes nothing", async () => {
  const cluster = clusterOf(["node-a"]);
  cluster.isLeader = false;
  assert.not((await cluster.reconcile(KEY)).ok);
  assert.is(puts(cluster), 0);
});

test("R14 a status is written over the version that it was planned from only", async () => {
  const cluster = clusterOf(["node-a"]);
  await cluster.reconcile(KEY);
  const known = cluster.view.pool(KEY);
  cluster.putPool("IPPool", "pool1", { ...SPEC, perNodeBlockSize: 2 });
  // The edit's event has not come yet.
  if (known !== undefined) cluster.view.deletePool("IPPool", "pool1");
  if (known !== undefined) cluster.view.setPool(known);
  cluster.addNode("node-b");
  const done = await cluster.reconcile(KEY);
  assert.ok(!done.ok && done.error.code === "conflict");
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4"]);
});

test("R7 a block rests for the delay, counted anew by each process", async () => {
  const cluster = clusterOf(["node-a"], 1000);
  await cluster.reconcile(KEY);
  cluster.removeNode("node-a");
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.againAfterMs === 1000);
  cluster.time = 900;
  cluster.failOver();
  const anew = await cluster.reconcile(KEY);
  assert.ok(anew.ok && anew.value.againAfterMs === 1000);
  cluster.time = 1899;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
  cluster.time = 1900;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released, undefined);
});

test("R7 R14 a rest is over without a look at pods only when the API server says that the node is gone", async () => {
  const cluster = clusterOf(["node-a"], 1000);
  await cluster.reconcile(KEY);
  cluster.removeNode("node-a");
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
  // It has come back, and the watch does not tell yet.
  cluster.nodes.set("node-a", { name: "node-a", labels: {} });
  cluster.addNode("node-b");
  cluster.time = 5000;
  await cluster.reconcile(KEY);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4", "node-b 10.0.0.5-10.0.0.8"]);
});

const LEAVING = { use: "no" };

const USED = { nodeSelectorTerms: [{ matchExpressions: [{ key: "use", operator: "In", values: ["yes"] }] }] };

async function releasedOnPresentNode(keys: readonly string[] = [KEY]): Promise<FakeCluster> {
  const cluster = new FakeCluster(1000);
  cluster.addNode("node-a", { use: "yes" });
  for (const key of keys) {
    cluster.putPool("IPPool", key.replace("IPPool/", ""), { ...SPEC, nodeSelector: USED });
    await cluster.reconcile(key);
  }
  cluster.addNode("node-a", LEAVING);
  for (const key of keys) await cluster.reconcile(key);
  return cluster;
}

function podLists({ requests }: FakeCluster): number {
  return requests.filter((request) => request.startsWith("pods")).length;
}

function podWith(phase: string, ip: string) {
  const status = JSON.stringify([
    { name: "default", ips: ["192.0.2.1"] },
    { name: "net1", ips: [ip] },
  ]);
  return { metadata: { annotations: { "k8s.v1.cni.cncf.io/network-status": status } }, status: { phase } };
}

test("R7 a block that a pod of a present node still shows goes on resting, and is looked at each minute", async () => {
  const cluster = await releasedOnPresentNode();
  cluster.pods.set("node-a", [podWith("Succeeded", "10.0.0.1"), podWith("Running", "10.0.0.4")]);
  cluster.time = 1000;
  const done = await cluster.reconcile(KEY);
  assert.ok(done.ok && done.value.againAfterMs === 60_000);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
  cluster.pods.set("node-a", [podWith("Succeeded", "10.0.0.4"), podWith("Running", "10.0.0.5")]);
  cluster.time = 61_000;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released, undefined);
});

test("R7 R14 while the watch says that its node is gone and the API server does not, its pods are looked at", async () => {
  const cluster = await releasedOnPresentNode();
  cluster.pods.set("node-a", [podWith("Running", "10.0.0.2")]);
  cluster.view.deleteNode("node-a");
  cluster.time = 5000;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
  cluster.nodes.delete("node-a");
  cluster.reconciler.nodeChanged("node-a");
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released, undefined);
});

test("R7 R14 nodes that are gone are asked for once a rest, however many pools they had", async () => {
  const keys = Array.from({ length: 50 }, (_, index) => `IPPool/pool${index}`);
  const cluster = await releasedOnPresentNode(keys);
  cluster.removeNode("node-a");
  const before = cluster.requests.filter((request) => request === "node node-a").length;
  cluster.time = 5000;
  for (const key of keys) await cluster.reconcile(key);
  assert.is(cluster.requests.filter((request) => request === "node node-a").length, before + 1);
  assert.ok(keys.every((key) => cluster.object(key).status?.released === undefined));
});

test("R7 the pods of a node that gave up blocks of fifty pools are listed once", async () => {
  const keys = Array.from({ length: 50 }, (_, index) => `IPPool/pool${index}`);
  const cluster = await releasedOnPresentNode(keys);
  cluster.time = 1000;
  await Promise.all(keys.slice(0, 4).map((key) => cluster.reconcile(key)));
  for (const key of keys.slice(4)) {
    cluster.time += 10;
    await cluster.reconcile(key);
  }
  assert.is(podLists(cluster), 1);
  for (const key of keys) assert.is(cluster.object(key).status?.released, undefined);
});

test("R7 a list of pods that was begun before a rest's delay was over does not end it", async () => {
  const cluster = await releasedOnPresentNode();
  const later = "IPPool/pool2";
  cluster.addNode("node-a", { use: "yes" });
  cluster.putPool("IPPool", "pool2", { ...SPEC, subnet: "10.1.0.0/28", nodeSelector: USED });
  await cluster.reconcile(later);
  cluster.time = 500;
  cluster.addNode("node-a", LEAVING);
  await cluster.reconcile(later);
  cluster.time = 1000;
  await cluster.reconcile(KEY);
  cluster.pods.set("node-a", [podWith("Running", "10.1.0.2")]);
  cluster.time = 1500;
  await cluster.reconcile(later);
  assert.is(podLists(cluster), 2);
  assert.equal(
    [KEY, later].map((key) => cluster.object(key).status?.released?.length),
    [undefined, 1],
  );
});

test("R7 where pods may not be listed only the delay counts, and a condition and one line of log say so", async () => {
  const cluster = await releasedOnPresentNode();
  cluster.podsForbidden = true;
  cluster.time = 1000;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released, undefined);
  const { conditions } = cluster.object(KEY).status ?? {};
  assert.ok(conditions?.some(({ type }) => type === "PodsUnchecked"));
  assert.is(cluster.log.filter((line) => line.includes("whether pods use them")).length, 1);
});

test("R7 pods that could not be listed for another reason count as using the block", async () => {
  const cluster = await releasedOnPresentNode();
  cluster.failing.set("pods", "unreachable");
  cluster.time = 1000;
  await cluster.reconcile(KEY);
  assert.is(cluster.object(KEY).status?.released?.length, 1);
});

test("R2 a status that is too large to be stored stays as it was, and the pool says so once", async () => {
  const cluster = clusterOf(["node-a"]);
  await cluster.reconcile(KEY);
  cluster.sizeLimit = JSON.stringify(cluster.object(KEY).status).length + 200;
  const names = Array.from({ length: 2 }, (_, index) => `node-${"x".repeat(150)}-${index}`);
  for (const name of names) cluster.addNode(name);
  const before = puts(cluster);
  for (let round = 0; round < 3; round++) {
    const done = await cluster.reconcile(KEY);
    assert.is(done.ok ? "ok" : done.error.code, "tooLarge");
  }
  // Each round tries it; the first one also tells of it.
  assert.is(puts(cluster) - before, 4);
  assert.equal(cluster.blocks(KEY), ["node-a 10.0.0.1-10.0.0.4"]);
  assert.equal(cluster.events, ["IPPool/pool1 StatusTooLarge"]);
  assert.equal(ready(cluster), ["False", "StatusTooLarge"]);
  for (const name of names) cluster.removeNode(name);
  assert.ok((await cluster.reconcile(KEY)).ok);
  assert.equal(ready(cluster), ["True", "BlocksDealt"]);
});

function ready(cluster: FakeCluster): readonly (string | undefined)[] {
  const found = cluster.object(KEY).status?.conditions?.find(({ type }) => type === "Ready");
  return [found?.status, found?.reason];
}

test("R6 pools that come to share addresses are looked at again, both of them", async () => {
  const cluster = clusterOf(["node-a"]);
  await cluster.reconcile(KEY);
  assert.equal(cluster.putPool("IPPool", "pool2", { ...SPEC, subnet: "10.0.0.0/24" }), ["IPPool/pool2", KEY]);
  for (const key of [KEY, "IPPool/pool2"]) {
    await cluster.reconcile(key);
    assert.ok(cluster.object(key).status?.conditions?.some(({ type }) => type === "OverlapsPool"));
  }
  assert.equal(cluster.removePool("IPPool", "pool2"), ["IPPool/pool2", KEY]);
});

test.run();
