/** The node daemon with a real API server and the real controller. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PodWatch } from "../../src/lib/node/pod_watch.ts";
import { StaleCleaner } from "../../src/lib/node/stale_cleaner.ts";
import { LogLines, MemoryStore } from "../node_daemon/_node.ts";
import { runPlugin } from "../plugin.ts";
import { add, pool6 } from "../reservations/_pools.ts";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installCrds, must, Pools, startWith, until } from "./_pools.ts";

const { server, client } = await startWith(installCrds);
const test = suite("node daemon");
test.after(() => server.remove());

/** What a test has to do with. */
interface Scene {
  readonly pools: Pools;
  /** A node's daemon, not started; it is removed with the test. */
  node(name: string, ...flags: readonly string[]): NodeDaemon;
  startController(...flags: readonly string[]): Promise<ControllerProcess>;
}

let namespaces = 0;

/** A test with a namespace of its own, no nodes at its beginning, and processes that are ended with it. */
function scene(name: string, tell: (scene: Scene) => Promise<void>): void {
  test(name, async () => {
    const pools = await Pools.inNewNamespace(client, `node-scene-${++namespaces}`);
    const { kubeconfig } = server;
    const { namespace } = pools;
    const daemons: NodeDaemon[] = [];
    const controllers: ControllerProcess[] = [];
    try {
      await tell({
        pools,
        node: (nodeName, ...flags) => {
          const daemon = new NodeDaemon({ kubeconfig, namespace, nodeName, flags });
          daemons.push(daemon);
          return daemon;
        },
        startController: async (...flags) => {
          const controller = await ControllerProcess.start({ kubeconfig, namespace, flags });
          controllers.push(controller);
          return controller;
        },
      });
    } finally {
      await Promise.all([...daemons.map((each) => each.remove()), ...controllers.map((each) => each.kill())]);
      await pools.deleteAllNodes();
    }
  });
}

const IP_POOL = { subnet: "10.0.0.0/24", perNodeBlockSize: 4, gateway: "10.0.0.1" };
const CIDR_POOL = { cidr: "10.1.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 };
const BOTH = [
  [{ poolName: "pool1" }, "IPPool"],
  [{ poolName: "pool1", poolType: "cidrpool" }, "CIDRPool"],
] as const;

scene("R1 pods of two nodes get addresses of both kinds of pool, and none twice", async (scene) => {
  const { pools } = scene;
  await pools.addNode("node-a");
  await pools.addNode("node-b");
  must(await pools.create("IPPool", "pool1", IP_POOL));
  must(await pools.create("CIDRPool", "pool1", CIDR_POOL));
  await scene.startController();
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.4", "node-b 10.0.0.5-10.0.0.8"]);
  await pools.untilBlocks("CIDRPool", "pool1", ["node-a 10.1.0.0/24", "node-b 10.1.1.0/24"]);
  const daemons = [scene.node("node-a"), scene.node("node-b")] as const;
  for (const daemon of daemons) await daemon.start();
  const given: string[] = [];
  for (const [ipam] of BOTH) {
    for (const daemon of daemons) {
      for (const container of ["c1", "c2", "c3"])
        given.push(...(await daemon.add(`${container}${ipam.poolName}${"poolType" in ipam}`, ipam)));
    }
  }
  assert.equal(given, [
    ...["10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24", "10.0.0.5/24", "10.0.0.6/24", "10.0.0.7/24"],
    ...["10.1.0.2/24", "10.1.0.3/24", "10.1.0.4/24", "10.1.1.2/24", "10.1.1.3/24", "10.1.1.4/24"],
  ]);
  assert.is(await daemons[0].end("SIGTERM"), 0);
  assert.match(daemons[0].log, '"Stopped"');
});

scene("names that look like numbers and booleans are names of nodes and pools like any other", async (scene) => {
  const { pools } = scene;
  const names = ["0123", "1e3", "true"];
  for (const name of names) await pools.addNode(name);
  must(await pools.create("IPPool", "0x10", { ...IP_POOL, perNodeBlockSize: 8 }));
  await scene.startController();
  await pools.untilBlocks("IPPool", "0x10", [
    "0123 10.0.0.1-10.0.0.8",
    "1e3 10.0.0.9-10.0.0.16",
    "true 10.0.0.17-10.0.0.24",
  ]);
  const given: string[] = [];
  for (const name of names) {
    const daemon = scene.node(name);
    await daemon.start();
    given.push(...(await daemon.add("1e3", { poolName: "0x10" })));
  }
  assert.equal(given, ["10.0.0.2/24", "10.0.0.9/24", "10.0.0.17/24"]);
});

scene(
  "R2 an address held under a former pool of the name is not dealt before its DEL, and inspect check tells of it",
  async (scene) => {
    const { pools } = scene;
    await pools.addNode("node-a");
    must(await pools.create("IPPool", "pool1", IP_POOL));
    await scene.startController();
    const block = ["node-a 10.0.0.1-10.0.0.4"];
    await pools.untilBlocks("IPPool", "pool1", block);
    const daemon = scene.node("node-a");
    await daemon.start();
    const ipam = { poolName: "pool1" };
    assert.equal(await daemon.add("c1", ipam), ["10.0.0.2/24"]);
    must(await pools.delete("IPPool", "pool1"));
    must(await pools.create("IPPool", "pool1", IP_POOL));
    await pools.untilBlocks("IPPool", "pool1", block);
    const { uid } = must(await pools.get("IPPool", "pool1")).metadata;
    await until(
      async () => (await daemon.client.pools()).pools.some((each) => each.uid === uid),
      "it knows the new pool",
    );
    assert.equal(
      [...(await daemon.add("c2", ipam)), ...(await daemon.add("c3", ipam))],
      ["10.0.0.3/24", "10.0.0.4/24"],
    );
    const full = await daemon.cni({ command: "ADD", container: "c4", ipam });
    assert.is(full.exit, 1);
    const env = { PATH: process.env.PATH ?? "" };
    const args = ["inspect", "check", `--daemon-socket=unix://${daemon.socket}`];
    const checked = await runPlugin({ args, env, stdin: "" });
    assert.match(checked.stdout, /10\.0\.0\.2.* under a former pool of this name/);
    assert.is((await daemon.cni({ command: "DEL", container: "c1", ipam })).exit, 0);
    assert.equal(await daemon.add("c4", ipam), ["10.0.0.2/24"]);
  },
);

scene("R1 a daemon whose store was lost does not deal what pods of its node show", async (scene) => {
  const { pools } = scene;
  await pools.addNode("node-a");
  must(await pools.create("IPPool", "pool1", IP_POOL));
  await scene.startController();
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.4"]);
  const uid = await pools.addPod("here", "node-a", "10.0.0.2");
  await pools.addPod("elsewhere", "node-b", "10.0.0.3");
  try {
    const daemon = scene.node("node-a");
    await daemon.start();
    assert.equal(await daemon.add("c1", { poolName: "pool1" }), ["10.0.0.3/24"]);
    assert.equal(
      (await daemon.client.reservations()).map(({ podUid, addresses }) => [podUid, ...addresses]).sort(),
      [
        [uid, "10.0.0.2"],
        ["uid-c1", "10.0.0.3"],
      ].sort(),
    );
  } finally {
    await pools.deletePod("here");
    await pools.deletePod("elsewhere");
  }
});

scene("what a pod held is released in the fourth round after the API server has it no more", async ({ pools }) => {
  const { namespace } = pools;
  const store = new MemoryStore();
  const ownerOf = async (name: string) => {
    const uid = await pools.addPod(name, "node-a", "fd52:2eb5:44::2");
    return { type: "pod", namespace, name, uid } as const;
  };
  add(store.ledger, "c1", [pool6], { owner: await ownerOf("stays") });
  add(store.ledger, "c2", [pool6], { owner: await ownerOf("goes") });
  store.ledger.takeChanges();
  const abort = new AbortController();
  const log = new LogLines();
  const pods = new PodWatch({ client, nodeName: "node-a", log });
  const following = pods.run(abort.signal);
  const cleaner = new StaleCleaner({ store, pods, log });
  const held = () => store.ledger.snapshot().reservations.map(({ containerID }) => containerID);
  const round = () => cleaner.round(abort.signal);
  try {
    await pods.known;
    for (let i = 0; i < 4; i++) await round();
    assert.equal(held(), ["c1", "c2"]);
    await pools.deletePod("goes");
    await until(() => pods.pods.get(`${namespace}/goes`) === undefined, "the watch has told it");
    for (let i = 0; i < 3; i++) await round();
    assert.equal(held(), ["c1", "c2"]);
    await round();
    assert.equal(held(), ["c1"]);
  } finally {
    abort.abort();
    await following;
    await pools.deletePod("stays");
  }
});

test.run();
