/** An API server that has no pools yet, goes away and comes back, as controllers and a node daemon live through it. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installCrds, must, Pools, startWith, until } from "./_pools.ts";

const { server, client } = await startWith(async () => undefined);
const test = suite("outage");
const controllers: ControllerProcess[] = [];
const pools = await Pools.inNewNamespace(client, "outage");
const { kubeconfig } = server;
const { namespace } = pools;
const daemon = new NodeDaemon({ kubeconfig, namespace, nodeName: "node-a" });
test.after(async () => {
  await Promise.all([daemon.remove(), ...controllers.map((each) => each.kill())]);
  await server.remove();
});

const IPAM = { poolName: "pool1" };
const A = "node-a 10.0.0.1-10.0.0.4";
/** Seconds that the API server is away: longer than a Lease lasts. OUTAGE_SECONDS in the environment sets it. */
const AWAY_MS = 1000 * Number(process.env.OUTAGE_SECONDS ?? 16);

async function spawnController(): Promise<ControllerProcess> {
  const flags = ["--leader-elect", `--leader-elect-namespace=${namespace}`];
  const controller = await ControllerProcess.spawn({ kubeconfig, namespace, flags });
  controllers.push(controller);
  return controller;
}

test("before the CRDs are there controllers and daemon say so, and wait", async () => {
  await pools.addNode("node-a");
  for (let i = 0; i < 2; i++) await spawnController();
  await daemon.spawn();
  for (const controller of controllers) {
    const told = async () =>
      /ippools.* not read yet: .*has no ippools: apply the CRD/.test((await controller.probe("/readyz")).body);
    await until(told, "the controller says so", () => controller.output);
  }
  await daemon.untilNotReady(/ippools.*has no ippools: apply the CRD/);
});

test("before the outage one controller leads and the daemon serves", async () => {
  await installCrds(client);
  must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }));
  for (const controller of controllers) await controller.untilReady();
  await pools.untilBlocks("IPPool", "pool1", [A]);
  await daemon.untilReady();
  assert.equal(await daemon.add("c1", IPAM), ["10.0.0.1/24"]);
});

test("R12 in it the daemon goes on from memory; R11 one that is started anew deletes but does not add", async () => {
  const began = performance.now();
  await server.stopApi();
  assert.equal(await daemon.add("c2", IPAM), ["10.0.0.2/24"]);
  await daemon.client.isAllocated({ pools: ["pool1"], container: "c2" });
  assert.is((await daemon.probe("/readyz")).status, 200);
  await daemon.end("SIGKILL");
  await daemon.spawn();
  await daemon.untilNotReady(/ippools/);
  assert.is((await daemon.probe("/healthz")).status, 200);
  const refused = await daemon.cni({ command: "ADD", container: "c3", ipam: IPAM });
  assert.is(JSON.parse(refused.stdout).code, 11);
  assert.is((await daemon.cni({ command: "DEL", container: "c1", ipam: IPAM })).exit, 0);
  await delay(AWAY_MS - (performance.now() - began));
});

test("in it the leader steps down in time and lives on as the others do, and one that is started waits", async () => {
  const steppedDown = controllers.filter(({ output }) => /Lease could not be renewed in time/.test(output));
  assert.is(steppedDown.length, 1);
  for (const controller of controllers) {
    assert.is(await controller.metric("nvipam_leader"), 0);
    for (const path of ["/healthz", "/readyz"]) assert.is((await controller.probe(path)).status, 200);
  }
  const third = await spawnController();
  await until(
    async () => (await third.probe("/readyz")).status === 503,
    "the third waits",
    () => third.output,
  );
  assert.is((await third.probe("/healthz")).status, 200);
});

test("after it one controller leads, blocks are dealt, and the daemon serves again; nothing was lost", async () => {
  await server.startApi();
  await pools.addNode("node-b");
  await pools.untilBlocks("IPPool", "pool1", [A, "node-b 10.0.0.5-10.0.0.8"], 90_000);
  await daemon.untilReady();
  assert.equal(await daemon.add("c3", IPAM), ["10.0.0.3/24"]);
  assert.equal((await daemon.client.reservations()).map(({ addresses }) => addresses.join()).sort(), [
    "10.0.0.2",
    "10.0.0.3",
  ]);
  for (const controller of controllers) await controller.untilReady();
  const lead = await Promise.all(controllers.map((each) => each.leads()));
  assert.is(lead.filter(Boolean).length, 1);
});

test.run();
