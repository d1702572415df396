/** R14 on a real API server: a watch that lags behind, and a write that arrives when another already leads. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ADMIN_TOKEN } from "./_api_server.ts";
import { ControllerProcess } from "./_controller.ts";
import { LagProxy } from "./_lag_proxy.ts";
import { installCrds, must, Pools, startWith, until } from "./_pools.ts";

const { server, client } = await startWith(installCrds);
const proxy = await LagProxy.start({ url: server.url, ca: readFileSync(server.caFile, "utf8") });
const behindProxy = join(server.directory, "behind-proxy");
writeFileSync(behindProxy, server.config(ADMIN_TOKEN, proxy.url).exportConfig(), { mode: 0o600 });

const test = suite("lag");
test.after(async () => {
  await proxy.stop();
  await server.remove();
});

const TWO_BLOCKS = { subnet: "10.0.0.0/29", perNodeBlockSize: 3 };

test("R14 a node of which a lagging watch says that it is gone keeps its block, because the API server says otherwise", async () => {
  const pools = await Pools.inNewNamespace(client, "lagging-watch");
  for (const name of ["node-a", "node-b", "node-c"]) await pools.addNode(name);
  must(await pools.create("IPPool", "pool1", TWO_BLOCKS));
  const flags = ["--block-release-delay=0"];
  const controller = await ControllerProcess.start({ kubeconfig: behindProxy, namespace: pools.namespace, flags });
  try {
    const dealt = ["node-a 10.0.0.1-10.0.0.3", "node-b 10.0.0.4-10.0.0.6"];
    await pools.untilBlocks("IPPool", "pool1", dealt);
    const { resourceVersion } = must(await pools.get("IPPool", "pool1")).metadata;
    proxy.freezes = (path) => path.includes("/nodes?");
    await pools.deleteNode("node-a");
    await pools.addNode("node-a");
    await until(() => proxy.hasLine(/"ADDED".*"node-a"/), "both events have come to the proxy");
    proxy.passUntil(/"DELETED".*"node-a"/);
    await until(
      async () => (await controller.metric("nvipam_nodes")) === 2,
      "the controller has been told",
      () => controller.output,
    );
    await delay(1500);
    assert.equal(await pools.blocks("IPPool", "pool1"), dealt);
    assert.is(must(await pools.get("IPPool", "pool1")).metadata.resourceVersion, resourceVersion);
    proxy.passUntil(/"ADDED".*"node-a"/);
    proxy.freezes = () => false;
    await pools.deleteNode("node-a");
    await pools.untilBlocks("IPPool", "pool1", ["node-b 10.0.0.4-10.0.0.6", "node-c 10.0.0.1-10.0.0.3"]);
  } finally {
    await controller.kill();
    proxy.freezes = () => false;
    await pools.deleteAllNodes();
  }
});

test("R2 R14 a leader that was held up with a write in flight changes nothing that another wrote meanwhile", async () => {
  const pools = await Pools.inNewNamespace(client, "late-write");
  const { namespace } = pools;
  const flags = ["--leader-elect", `--leader-elect-namespace=${namespace}`];
  await pools.addNode("node-a");
  const first = await ControllerProcess.start({ kubeconfig: behindProxy, namespace, flags });
  let second: ControllerProcess | undefined;
  try {
    await until(async () => (await first.metric("nvipam_leader")) === 1, "the first leads");
    must(await pools.create("IPPool", "pool1", TWO_BLOCKS));
    await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.3"]);
    const standby = await ControllerProcess.start({ kubeconfig: server.kubeconfig, namespace, flags });
    second = standby;
    proxy.holds = (method, path) => method === "PUT" && path.includes("/ippools/");
    await pools.addNode("node-b");
    await until(() => proxy.held === 1, "the block of node-b is on its way");
    first.signal("SIGSTOP");
    await pools.deleteNode("node-b");
    await pools.addNode("node-c");
    await until(async () => (await standby.metric("nvipam_leader")) === 1, "another leads", undefined, 40_000);
    const dealt = ["node-a 10.0.0.1-10.0.0.3", "node-c 10.0.0.4-10.0.0.6"];
    await pools.untilBlocks("IPPool", "pool1", dealt);
    const { resourceVersion } = must(await pools.get("IPPool", "pool1")).metadata;
    proxy.letGo();
    await until(() => proxy.answered.length === 1, "the late write has arrived");
    assert.equal(proxy.answered, [409]);
    proxy.holds = () => false;
    first.signal("SIGCONT");
    await until(
      () => first.output.includes("could not be renewed in time"),
      "the first knows that it leads no more",
      () => first.output,
    );
    assert.is(await first.metric("nvipam_leader"), 0);
    assert.equal(await pools.blocks("IPPool", "pool1"), dealt);
    assert.is(must(await pools.get("IPPool", "pool1")).metadata.resourceVersion, resourceVersion);
    assert.is(await standby.metric("nvipam_leader"), 1);
    await standby.stop();
    await until(async () => (await first.metric("nvipam_leader")) === 1, "the first leads again");
    await pools.deleteNode("node-c");
    await pools.addNode("node-d");
    await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.3"]);
    must(await pools.patch("IPPool", "pool1", { spec: { subnet: "10.0.0.0/28" } }));
    await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.3", "node-d 10.0.0.7-10.0.0.9"]);
  } finally {
    await Promise.all([first.kill(), second?.kill()]);
    await pools.deleteAllNodes();
  }
});

test.run();
