/** The controller's process against a real API server: statuses, rests of blocks, edits, rights, CRDs. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Resource } from "../../src/lib/kube/object.ts";
import type { ControllerProcess } from "./_controller.ts";
import { installCrds, installOriginalCrds, type Json, must, startWith, until } from "./_pools.ts";
import { scenes } from "./_scene.ts";

/** Users without rights at first, by their tokens' names. */
const LIMITED = ["no-rights", "no-pods"] as const;
type LimitedUser = (typeof LIMITED)[number];
const RBAC = { group: "rbac.authorization.k8s.io", version: "v1" };
const CLUSTER_ROLES: Resource = { ...RBAC, plural: "clusterroles" };
const BINDINGS: Resource = { ...RBAC, plural: "clusterrolebindings" };

const users = LIMITED.map((user) => ({ token: `token-of-${user}`, user }));
const { server, client } = await startWith(installCrds, { users });
const test = suite("controller");
test.after(() => server.remove());
const scene = scenes(test, server, client);

const READS: readonly Json[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["nv-ipam.nvidia.com"], resources: ["ippools", "cidrpools"], verbs: ["get", "list", "watch"] },
];
const WRITES: readonly Json[] = [
  { apiGroups: ["nv-ipam.nvidia.com"], resources: ["ippools/status", "cidrpools/status"], verbs: ["update"] },
];

const SPEC = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
const A = "node-a 10.0.0.1-10.0.0.4";
const B = "node-b 10.0.0.5-10.0.0.8";
const C = "node-c 10.0.0.9-10.0.0.12";

scene("a status says all there is to know, and is not written again", async ({ pools, start }) => {
  await pools.addNode("node-a");
  await start();
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", [A]);
  const pool = must(await pools.get("IPPool", "pool1"));
  const { conditions = [], ...status } = pool.status ?? {};
  assert.equal(status, {
    allocations: [{ nodeName: "node-a", startIP: "10.0.0.1", endIP: "10.0.0.4" }],
    appliedSpec: SPEC,
    observedGeneration: 1,
    blocks: { total: 63, allocated: 1, free: 62, resting: 0 },
  });
  assert.equal(
    conditions.map(({ type, status: is, reason }) => [type, is, reason]),
    [["Ready", "True", "BlocksDealt"]],
  );
  // A heartbeat, as the kubelet sends them, and a label that no selector looks at.
  await pools.label("node-a", { "example.com/x": "y" });
  const heartbeat = {
    status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2026-01-01T00:00:00Z" }] },
  };
  const nodes: Resource = { group: "", version: "v1", plural: "nodes" };
  must(await client.patch(nodes, { name: "node-a" }, heartbeat, { type: "merge", subresource: "status" }));
  await delay(1500);
  assert.is(must(await pools.get("IPPool", "pool1")).metadata.resourceVersion, pool.metadata.resourceVersion);
});

scene("nodes that join together cost few writes", async ({ pools, start }) => {
  const controller = await start();
  must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/16", perNodeBlockSize: 4 }));
  await pools.untilBlocks("IPPool", "pool1", []);
  await until(
    async () => (await controller.metric("nvipam_pool_status_writes_total", 'kind="IPPool",pool="pool1"')) === 1,
    "written",
  );
  await Promise.all(Array.from({ length: 100 }, (_, index) => pools.addNode(`node-${String(index).padStart(3, "0")}`)));
  await until(async () => (await pools.blocks("IPPool", "pool1")).length === 100, "all have a block");
  const writes = await controller.metric("nvipam_pool_status_writes_total", 'kind="IPPool",pool="pool1"');
  assert.ok(writes !== undefined && writes - 1 <= 3, `${writes} writes`);
});

scene("R7 a block rests, and the node that comes back gets it again", async ({ pools, start }) => {
  await pools.addNode("node-a");
  await pools.addNode("node-b");
  await start("--block-release-delay=1h");
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", [A, B]);
  await pools.deleteNode("node-a");
  await pools.untilBlocks("IPPool", "pool1", [B]);
  const { released = [] } = must(await pools.get("IPPool", "pool1")).status ?? {};
  assert.equal(
    released.map(({ nodeName, startIP, reason }) => [nodeName, startIP, reason]),
    [["node-a", "10.0.0.1", "NodeDeleted"]],
  );
  await pools.addNode("node-c");
  await pools.untilBlocks("IPPool", "pool1", [B, C]);
  await pools.addNode("node-a");
  await pools.untilBlocks("IPPool", "pool1", [A, B, C]);
  assert.is(must(await pools.get("IPPool", "pool1")).status?.released, undefined);
});

scene("R7 a rest that is over frees the block without anybody's doing", async ({ pools, start }) => {
  await pools.addNode("node-a");
  await pools.addNode("node-b");
  await start("--block-release-delay=1500ms");
  const one = { subnet: "10.0.0.0/30", perNodeBlockSize: 2 };
  must(await pools.create("IPPool", "pool1", one));
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.2"]);
  await pools.deleteNode("node-a");
  await pools.untilBlocks("IPPool", "pool1", ["node-b 10.0.0.1-10.0.0.2"]);
});

scene(
  "R7 while its node exists, a block rests as long as an unfinished pod of the node shows an address of it",
  async (scene) => {
    const { pools } = scene;
    const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "use", operator: "Exists" }] }] };
    await pools.addNode("node-a", { use: "" });
    await pools.addPod("user", "node-a", "10.0.0.2");
    await pools.addPod("stranger", "node-b", "10.0.0.2");
    try {
      await scene.start("--block-release-delay=300ms");
      must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/29", perNodeBlockSize: 4, nodeSelector }));
      await pools.untilBlocks("IPPool", "pool1", [A]);
      await pools.addNode("node-c", { use: "" });
      await pools.label("node-a", { use: null });
      await pools.untilBlocks("IPPool", "pool1", []);
      await delay(1500);
      assert.equal(await pools.blocks("IPPool", "pool1"), []);
      await pools.finishPod("user");
      // Without a change of the pool it looks again after a minute.
      must(await pools.patch("IPPool", "pool1", { metadata: { annotations: { "example.com/look": "again" } } }));
      await pools.untilBlocks("IPPool", "pool1", ["node-c 10.0.0.1-10.0.0.4"]);
    } finally {
      for (const name of ["user", "stranger"]) await pools.deletePod(name);
    }
  },
);

scene("R2 nodes keep their blocks though somebody wipes the status", async ({ pools, start }) => {
  await pools.addNode("node-b");
  await start();
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", ["node-b 10.0.0.1-10.0.0.4"]);
  await pools.addNode("node-a");
  const dealt = ["node-a 10.0.0.5-10.0.0.8", "node-b 10.0.0.1-10.0.0.4"];
  await pools.untilBlocks("IPPool", "pool1", dealt);
  must(
    await pools.patchStatus("IPPool", "pool1", { allocations: [], blocks: null, conditions: null, appliedSpec: null }),
  );
  await until(async () => (await pools.events()).includes("IPPool/pool1 Warning BlocksPutBack"), "an Event says so");
  await pools.untilBlocks("IPPool", "pool1", dealt);
});

scene("R2 a pool that is deleted and made again is dealt anew", async ({ pools, start }) => {
  await pools.addNode("node-a");
  await start();
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", [A]);
  const former = must(await pools.get("IPPool", "pool1")).metadata.uid;
  must(await pools.delete("IPPool", "pool1"));
  must(await pools.create("IPPool", "pool1", { subnet: "10.9.0.0/24", perNodeBlockSize: 8 }));
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.9.0.1-10.9.0.8"]);
  assert.is.not(must(await pools.get("IPPool", "pool1")).metadata.uid, former);
});

scene(
  "R5 an edit that would move blocks is not accepted, new nodes get blocks of the old division",
  async ({ pools, start }) => {
    await pools.addNode("node-a");
    await start("--block-release-delay=0");
    must(await pools.create("IPPool", "pool1", SPEC));
    await pools.untilBlocks("IPPool", "pool1", [A]);
    must(await pools.patch("IPPool", "pool1", { spec: { perNodeBlockSize: 8 } }));
    await pools.addNode("node-b");
    await pools.untilBlocks("IPPool", "pool1", [A, B]);
    const ready = must(await pools.get("IPPool", "pool1")).status?.conditions?.find(({ type }) => type === "Ready");
    assert.equal([ready?.status, ready?.reason], ["False", "WouldMoveBlocks"]);
    await until(
      async () => (await pools.events()).includes("IPPool/pool1 Warning WouldMoveBlocks"),
      "an event says so",
    );
    const annotations = { "nv-ipam.nvidia.com/allow-reallocation": "true" };
    must(await pools.patch("IPPool", "pool1", { metadata: { annotations } }));
    await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.8", "node-b 10.0.0.9-10.0.0.16"]);
  },
);

scene(
  "a pool whose status etcd refuses for its size says so, and is served again when it is shorter",
  async ({ pools, start }) => {
    await pools.addNode("node-a");
    // The spec alone fits; status.appliedSpec has it a second time.
    const exclusions = Array.from({ length: 9000 }, (_, index) => {
      const address = `fd00:1111:2222:3333:4444:5555:6666:${(index * 2 + 1000).toString(16)}`;
      return { startIP: address, endIP: address };
    });
    const spec = { subnet: "fd00:1111:2222:3333:4444:5555:6666:0/112", perNodeBlockSize: 4 };
    must(await pools.create("IPPool", "pool1", { ...spec, exclusions }));
    await start();
    const ready = async () =>
      must(await pools.get("IPPool", "pool1")).status?.conditions?.find(({ type }) => type === "Ready");
    await until(async () => (await ready())?.reason === "StatusTooLarge", "the condition is there");
    assert.match((await ready())?.message ?? "", /too large to be stored/);
    await until(
      async () => (await pools.events()).includes("IPPool/pool1 Warning StatusTooLarge"),
      "the Event is there",
    );
    assert.equal(must(await pools.get("IPPool", "pool1")).status?.allocations, []);
    must(await pools.replaceSpec("IPPool", "pool1", spec));
    await until(async () => (await ready())?.status === "True", "the pool is ready");
  },
);

scene(
  "without the rights it needs it says which, keeps trying, and goes on once it has them",
  async ({ pools, spawnAs }) => {
    await pools.addNode("node-a");
    must(await pools.create("IPPool", "pool1", SPEC));
    const controller = await spawnAs("no-rights");
    for (const resource of ["nodes", "ippools", "cidrpools"]) {
      const words = new RegExp(`${resource}\\S* is forbidden`);
      await until(
        () => words.test(controller.output),
        `it says that ${resource} is forbidden`,
        () => controller.output,
      );
    }
    const { status, body } = await controller.probe("/readyz");
    assert.is(status, 503);
    assert.match(body, /nodes, ippools, cidrpools not read yet: .*is forbidden/);
    await grant("no-rights", "reads", READS);
    await controller.untilReady();
    await until(
      () => /cannot update resource \\?"ippools\/status/.test(controller.output),
      "it says so",
      () => controller.output,
    );
    assert.equal(await pools.blocks("IPPool", "pool1"), []);
    await grant("no-rights", "writes", WRITES);
    await pools.untilBlocks("IPPool", "pool1", [A]);
  },
);

scene("R7 without the right to list pods the delay alone counts, and the pool says so", async ({ pools, spawnAs }) => {
  await grant("no-pods", "reads", READS);
  await grant("no-pods", "writes", WRITES);
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "use", operator: "Exists" }] }] };
  await pools.addNode("node-a", { use: "" });
  must(await pools.create("IPPool", "pool1", { ...SPEC, nodeSelector }));
  const controller = await spawnAs("no-pods", "--block-release-delay=500ms");
  await controller.untilReady();
  await pools.untilBlocks("IPPool", "pool1", [A]);
  await pools.label("node-a", { use: null });
  await pools.untilBlocks("IPPool", "pool1", []);
  await until(async () => {
    const { status } = must(await pools.get("IPPool", "pool1"));
    return status?.released === undefined && (status?.conditions ?? []).some(({ type }) => type === "PodsUnchecked");
  }, "the block is free and the condition is there");
});

scene(
  "with the original's CRD in place of ours it deals blocks, says what is missing, and does not loop",
  async ({ pools, start }) => {
    await installOriginalCrds(client);
    try {
      await pools.addNode("node-a");
      const controller = await start("--block-release-delay=0");
      must(await pools.create("IPPool", "pool1", { ...SPEC, gateway: "10.9.9.9" }));
      must(await pools.create("IPPool", "pool2", SPEC));
      await pools.untilBlocks("IPPool", "pool2", [A]);
      await until(async () => (await pools.events()).includes("IPPool/pool1 Warning InvalidSpec"), "an event");
      assert.equal(Object.keys(must(await pools.get("IPPool", "pool2")).status ?? {}), ["allocations"]);
      await pools.addNode("node-b");
      await pools.untilBlocks("IPPool", "pool2", [A, B]);
      const writes = await writesOf(controller);
      await delay(2000);
      assert.equal(await writesOf(controller), writes);
      assert.is(controller.output.match(/keeps status\.allocations only/g)?.length, 1);

      await installCrds(client);
      for (const pool of ["pool1", "pool2"]) {
        await until(
          async () => must(await pools.get("IPPool", pool)).status?.conditions !== undefined,
          `${pool} has a whole status as soon as the CRD has room for it`,
        );
      }
      await pools.untilBlocks("IPPool", "pool2", [A, B]);
    } finally {
      await installCrds(client);
    }
  },
);

async function writesOf(controller: ControllerProcess): Promise<readonly (number | undefined)[]> {
  const names = ["pool1", "pool2"].map((name) => `kind="IPPool",pool="${name}"`);
  return Promise.all(names.map((labels) => controller.metric("nvipam_pool_status_writes_total", labels)));
}

/** Gives a user rights. */
async function grant(user: LimitedUser, what: string, rules: readonly Json[]): Promise<void> {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name: `${user}-${what}` };
  must(await client.create(CLUSTER_ROLES, undefined, { apiVersion, kind: "ClusterRole", metadata, rules }));
  const apiGroup = "rbac.authorization.k8s.io";
  const roleRef = { apiGroup, kind: "ClusterRole", name: metadata.name };
  const subjects = [{ apiGroup, kind: "User", name: user }];
  const binding = { apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects };
  must(await client.create(BINDINGS, undefined, binding));
}

test.run();
