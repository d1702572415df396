/** What breaks while pods come up and go away: in the end every pod runs or is gone, and no address was ever held twice. */
import { readFileSync } from "node:fs";
import { BlockList } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must, until } from "../cluster/_pools.ts";
import { Cluster } from "./_cluster.ts";
import {
  apiAway,
  killContainerd,
  killDaemon,
  killLeader,
  loseStore,
  PLUGIN_LOG,
  pluginIsCalled,
  SmallDisk,
  upgrade,
} from "./_faults.ts";
import { BRIDGED, defineNetwork, MACVLAN } from "./_networks.ts";
import { agree, type Fault, Wave } from "./_wave.ts";
import { Witness } from "./_witness.ts";

/** scripts/node_tests asks for all of them. */
const PODS = process.env.NODE_TESTS === "whole" ? 50 : 12;
/**
 * So few addresses that each is soon given again. But of pods that go, that come and that come in their place each finds one:
 * where no other is free, one is given that macvlan has released and its interface has still.
 */
const TIGHT = 3 * PODS + 4;
/** What the stale cleaner says of a reservation that it had to release. */
const CLEANED = "Released what pods held that are gone";
/** The kubelet may take a minute to ask for its pods again when the API server has been away, and a call takes seconds to fail. */
const CALLED_LIMIT_MS = 120_000;
const NETWORKS = ["wide", "tight"];
const ours = new BlockList();
for (const network of ["10.10.0.0", "10.20.0.0"]) ours.addSubnet(network, 16);

const cluster = await Cluster.start({ nodes: ["n1"], controllers: 2 });
const node = cluster.node("n1");
const test = suite("faults");
const witness = await Witness.of(node, ours);
test.after(async () => {
  witness.close();
  await cluster.remove();
});

test.before(async () => {
  await cluster.definePool("IPPool", "wide", { subnet: "10.10.0.0/16", perNodeBlockSize: 1000 });
  await cluster.definePool("IPPool", "tight", { subnet: "10.20.0.0/16", perNodeBlockSize: TIGHT });
  await defineNetwork(cluster, "wide", BRIDGED, { poolName: "wide" });
  // It gives its address back before its interface is gone; the bridge plugin does it the other way round.
  await defineNetwork(cluster, "tight", MACVLAN, { poolName: "tight" });
});

let waves = 0;

function newWave({ forced = false } = {}): Wave {
  const prefix = `w${++waves}`;
  const names = Array.from({ length: PODS }, (_, index) => `${prefix}-${index}`);
  return new Wave({ cluster, witness, names, networks: NETWORKS, forced });
}

/**
 * A test at whose end pods, reservations and kernel agree, and nothing was reserved twice at any instant. Every DEL has come:
 * nothing was left to the stale cleaner.
 */
function survives(what: string, run: () => Promise<void>): void {
  test(what, async () => {
    const started = performance.now();
    const cleaned = releasesOfCleaner();
    try {
      await run();
      await agree(cluster, witness);
      assert.equal(releasesOfCleaner(), cleaned, "every DEL has come");
    } catch (error) {
      // The next one is not to suffer from this one's pods.
      running = undefined;
      await cluster.pods.remove(...cluster.pods.all.map(({ metadata }) => metadata.name)).catch(console.log);
      throw error;
    }
    await witness.judgeStore();
    console.log(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  });
}

/** The pods that run between two faults. */
let running: Wave | undefined;

/** The pods that run now. Where there are none, some come up. */
async function present(): Promise<Wave> {
  if (running === undefined) {
    const wave = newWave();
    await wave.comesUp();
    running = wave;
  }
  return running;
}

/** The pods that run go, others come, and the fault strikes meanwhile. @returns those that run now. */
async function turnOver(fault: Fault, next = newWave()): Promise<Wave> {
  const before = await present();
  await before.givesWayTo(next, fault);
  running = next;
  return next;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "the daemon is killed": (coming) => killDaemon(node, () => pluginCalledBy(coming)),
  "containerd is killed": () => killContainerd(node),
  "the controller that leads is killed": () => killLeader(cluster),
  "the daemon is upgraded in place": (coming) => upgrade(node, () => pluginCalledBy(coming)),
  "the API server is away for 30 seconds": () =>
    apiAway(cluster, 30_000, async () => {
      const client = node.ipam.client();
      const who = { pools: ["wide"], container: "outage" };
      assert.is((await client.allocate(who)).length, 1, "R12");
      await client.deallocate(who);
      client.close();
    }),
};

/** Waits until a call of the plugin is under way, of this wave or of the one that goes. */
async function pluginCalledBy(coming: Wave): Promise<void> {
  await coming.createAnother();
  await pluginIsCalled(node);
}

for (const [what, fault] of Object.entries(FAULTS)) {
  survives(`pods come and go while ${what}`, async () => {
    await turnOver(fault);
  });
}

survives("pods are deleted and created while the daemon is down", async () => {
  const before = await present();
  const next = newWave();
  const log = join(node.machine.root, PLUGIN_LOG);
  const lines = (): readonly string[] => readFileSync(log, "utf8").split("\n").slice(0, -1);
  const known = lines().length;
  const failures = (command: string): number =>
    lines()
      .slice(known)
      .filter((line) => line.includes(`${command} failed`)).length;
  await node.ipam.process.end("SIGKILL");
  try {
    await Promise.all([before.delete(), next.create()]);
    await until(
      () => failures("ADD") > 0 && failures("DEL") > 0,
      "ADD and DEL fail",
      () => lines().slice(known).join("\n"),
      CALLED_LIMIT_MS,
    );
  } finally {
    await node.ipam.start();
  }
  await Promise.all([before.allGone(), next.allRun()]);
  running = next;
});

survives("pods are deleted by force and created again with the same names", async () => {
  const next = newWave({ forced: true });
  await turnOver(() => next.recreate(), next);
  await next.recreate();
  await next.allRun();
});

survives("the store is removed under a stopped daemon while pods run", async () => {
  await turnOver(() => Promise.resolve());
  await agree(cluster, witness);
  const before = await reserved();
  await witness.replaceStore(() => loseStore(node));
  assert.equal(await reserved(), before, "what the pods have is known again");
  await turnOver(() => Promise.resolve());
});

survives("R5 a pool is edited and deleted while pods use it", async () => {
  const { pools } = cluster;
  const spec = { subnet: "10.20.0.0/16", perNodeBlockSize: TIGHT };
  const block = Array.from({ length: TIGHT }, (_, index) => `10.20.0.${index + 1}`);
  const excluded = block.slice(0, PODS);
  const blocks = await pools.blocks("IPPool", "tight");
  const before = await turnOver(async () => {
    const moved = await pools.replaceSpec("IPPool", "tight", { ...spec, perNodeBlockSize: PODS });
    assert.ok(!moved.ok);
    assert.match(moved.error.message, /denied/);
    const exclusions = [{ startIP: excluded[0], endIP: excluded.at(-1) }];
    must(await pools.replaceSpec("IPPool", "tight", { ...spec, exclusions }));
  });
  assert.equal(await pools.blocks("IPPool", "tight"), blocks);
  await agree(cluster, witness);
  const held = (await node.ipam.reservations()).flatMap(({ addresses }) => addresses);
  const expected = block.filter((address) => ![...excluded, ...held].includes(address)).sort();
  assert.equal(await left("tight"), expected, "all is given that is neither held nor excluded");
  must(await pools.replaceSpec("IPPool", "tight", spec));

  must(await pools.delete("IPPool", "tight"));
  const next = newWave();
  await next.create();
  await cluster.pods.untilEvent(next.names[0] ?? "", /FailedCreatePodSandBox.*there is no IPPool of this name/);
  await cluster.definePool("IPPool", "tight", spec);
  await next.allRun();
  // Addresses of both pools of that name are held now.
  await agree(cluster, witness);
  await before.delete();
  await before.allGone();
  running = next;
});

survives("the last pods go, and nothing is reserved", async () => {
  const last = await present();
  await last.delete();
  await last.allGone();
  running = undefined;
});

survives(
  "the disk of the store is full: nothing new comes, but pods can go; with space again, all goes on",
  async () => {
    const disk = await witness.replaceStore(() => SmallDisk.mount(node));
    const before = newWave();
    await before.comesUp();
    assert.match(await disk.fill("wide"), /space/);
    const next = newWave();
    await next.create();
    await cluster.pods.untilEvent(next.names[0] ?? "", /FailedCreatePodSandBox.*space/);
    await node.ipam.process.end("SIGKILL");
    await node.ipam.spawn();
    let said = "";
    await until(
      async () => {
        // It may not be listening yet.
        said = await disk.refusal("wide").catch(String);
        return said.includes("space");
      },
      "a daemon that starts with a full disk says so",
      () => said,
    );
    await before.delete();
    await before.allGone();
    // Each release makes a little room: one of those that wait may have got an address.
    const held = (await node.ipam.reservations()).filter(({ pod }) => before.names.includes(pod?.name ?? ""));
    assert.equal(held, [], "what pods had that are gone is released");
    await disk.clear();
    await node.ipam.untilReady();
    await next.allRun();
    await agree(cluster, witness);
    await next.delete();
    await next.allGone();
    await agree(cluster, witness);
  },
);

/** The lines of all daemons until now in which a stale cleaner says that it has released something. */
function releasesOfCleaner(): readonly string[] {
  return node.ipam.process.wholeLog.split("\n").filter((line) => line.includes(CLEANED));
}

/** All that the daemon still gives of a pool that is no larger than the tight one. */
async function left(pool: string): Promise<readonly string[]> {
  const client = node.ipam.client();
  try {
    const who = Array.from({ length: TIGHT }, (_, index) => ({ pools: [pool], container: `left-${index}` }));
    const answers = await Promise.allSettled(who.map((each) => client.allocate(each)));
    await Promise.all(who.map((each) => client.deallocate(each)));
    const given = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    return given.map((address) => address.replace(/\/.*/, "")).sort();
  } finally {
    client.close();
  }
}

/** Who has which address, by the daemon's words. */
async function reserved(): Promise<readonly string[]> {
  return (await node.ipam.reservations())
    .map(({ addresses, pod, containerID, ifname, pool }) => [addresses, pod?.uid, containerID, ifname, pool].join(" "))
    .sort();
}

test.run();
