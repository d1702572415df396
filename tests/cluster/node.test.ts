/** The node daemon with a real API server and the real controller. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installCrds, must, Pools, startWith } from "./_pools.ts";

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

test.run();
