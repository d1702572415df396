/** Controllers against a real API server when things end amid their work: the leader, the API server, the chance to write. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { installCrds, must, type Pools, startWith, until } from "./_pools.ts";
import { scenes } from "./_scene.ts";

const { server, client } = await startWith(installCrds);
const test = suite("failover");
test.after(() => server.remove());
const scene = scenes(test, server, client);

const SPEC = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
const A = "node-a 10.0.0.1-10.0.0.4";
const B = "node-b 10.0.0.5-10.0.0.8";

function electing(pools: Pools): readonly string[] {
  return ["--leader-elect", `--leader-elect-namespace=${pools.namespace}`];
}

scene("writes of others make it plan anew", async ({ pools, start }) => {
  await start();
  must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/16", perNodeBlockSize: 4 }));
  const names = Array.from({ length: 30 }, (_, index) => `node-${String(index).padStart(2, "0")}`);
  let isStorm = true;
  const storm = (async () => {
    for (let round = 0; isStorm; round++) {
      const annotations = { "example.com/round": String(round) };
      must(await pools.patch("IPPool", "pool1", { metadata: { annotations } }));
      await delay(5);
    }
  })();
  for (const name of names) {
    await pools.addNode(name);
    await delay(50);
  }
  isStorm = false;
  await storm;
  await until(async () => (await pools.blocks("IPPool", "pool1")).length === 30, "all have a block");
  const blocks = await pools.blocks("IPPool", "pool1");
  assert.is(new Set(blocks.map((text) => text.split(" ")[1])).size, 30);
});

scene("an API server that goes and comes back is followed again", async ({ pools, start }) => {
  await pools.addNode("node-a");
  const controller = await start();
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", [A]);
  await server.stopApi();
  await delay(2000);
  assert.is((await controller.probe("/healthz")).status, 200);
  assert.is((await controller.probe("/readyz")).status, 200);
  await server.startApi();
  await pools.addNode("node-b");
  await pools.untilBlocks("IPPool", "pool1", [A, B], 60_000);
});

scene("SIGTERM ends it cleanly, and the next replica leads at once", async ({ pools, start }) => {
  await pools.addNode("node-a");
  const first = await start(...electing(pools));
  await until(() => first.leads(), "the first leads");
  const second = await start(...electing(pools));
  must(await pools.create("IPPool", "pool1", SPEC));
  await pools.untilBlocks("IPPool", "pool1", [A]);
  assert.is(await second.leads(), false);
  const stopped = await first.stop();
  assert.is(stopped.status, 0);
  assert.ok(stopped.ms < 10_000, `it took ${stopped.ms} ms`);
  await pools.addNode("node-b");
  await pools.untilBlocks("IPPool", "pool1", [A, B], 10_000);
  assert.is(await second.leads(), true);
});

scene("SIGTERM ends it within ten seconds though the API server has stalled", async ({ pools, start }) => {
  await pools.addNode("node-a");
  const controller = await start(...electing(pools));
  await until(() => controller.leads(), "it leads");
  server.signalApi("SIGSTOP");
  try {
    const { status, ms } = await controller.stop();
    assert.is(status, 0);
    assert.ok(ms < 10_000, `it took ${ms} ms`);
  } finally {
    server.signalApi("SIGCONT");
  }
});

scene(
  "R2 after SIGKILL of the leader amid writes the next one takes over, and no block is dealt twice",
  async ({ pools, start }) => {
    const first = await start(...electing(pools));
    await until(() => first.leads(), "the first leads");
    const second = await start(...electing(pools));
    const spec = { subnet: "10.0.0.0/16", perNodeBlockSize: 4 };
    for (let index = 0; index < 5; index++) {
      must(await pools.create("IPPool", `pool${index}`, { ...spec, subnet: `10.${index}.0.0/16` }));
    }
    /** What each node had, of each pool, at any time. */
    const owners = new Map<string, string>();
    const watchOwners = async () => {
      for (const [key, { status }] of await pools.all()) {
        for (const { nodeName, startIP } of status?.allocations ?? []) {
          const owner = owners.get(`${key} ${startIP}`) ?? String(nodeName);
          assert.is(owner, nodeName, `${key} ${startIP} had another owner`);
          owners.set(`${key} ${startIP}`, owner);
        }
      }
    };
    for (let index = 0; index < 40; index++) {
      await pools.addNode(`node-${String(index).padStart(2, "0")}`);
      if (index === 20) first.signal("SIGKILL");
      await watchOwners();
    }
    await until(
      async () => {
        await watchOwners();
        return [...(await pools.all()).values()].every(({ status }) => status?.allocations?.length === 40);
      },
      "the second has dealt the rest",
      undefined,
      40_000,
    );
    assert.is(await second.leads(), true);
  },
);

test.run();
