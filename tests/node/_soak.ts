/**
 * Pods come and go at random while faults strike at random; then it is looked whether any address was held twice, or is left.
 *
 *     _soak.ts [--minutes N] [--seed N] [--pods N]
 */
import { BlockList } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { resident } from "../bench/_process.ts";
import { median } from "../bench/_statistics.ts";
import { must, until } from "../cluster/_pools.ts";
import { type Random, seededRandom } from "../random.ts";
import { Churn } from "./_churn.ts";
import { Cluster } from "./_cluster.ts";
import { apiAway, killContainerd, killDaemon, killLeader, loseStore, sameControllersLead, upgrade } from "./_faults.ts";
import { BRIDGED, defineNetwork, MACVLAN } from "./_networks.ts";
import { isRunning, type Pod } from "./_pods.ts";
import { agree } from "./_wave.ts";
import { Witness } from "./_witness.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() & 0x7fffffff) },
    pods: { type: "string", default: "40" },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const pods = Number(values.pods);
if (![minutes, seed, pods].every((number) => number > 0))
  throw new Error("usage: soak [--minutes N] [--seed N] [--pods N]");

/** The daemon of the second node is never restarted: what it keeps too long shows in its memory. */
const NODES = ["n1", "n2"] as const;
/** So few addresses for each node that each is soon given again, and enough for the pods that chance puts there. */
const TIGHT = 2 * pods;
const ours = new BlockList();
for (const network of ["10.10.0.0", "10.20.0.0"]) ours.addSubnet(network, 16);
ours.addSubnet("fd10::", 64, "ipv6");
/** As much memory as before, but for noise. */
const MEMORY_BOUND = 1.15;
/** A reservation whose DEL never came is released by the stale cleaner, in its fourth round, which counts anew in each daemon. */
const CLEANER_LIMIT_MS = 330_000;

const cluster = await Cluster.start({ nodes: NODES, controllers: 2 });
const witnesses = [await Witness.of(cluster.node("n1"), ours), await Witness.of(cluster.node("n2"), ours)] as const;
try {
  await soak();
} catch (error) {
  console.log(`FAILED (--seed ${seed}): ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
} finally {
  for (const witness of witnesses) witness.close();
  await cluster.remove();
}

async function soak(): Promise<void> {
  await define();
  const networks = ["wide", "tight", "dual"] as const;
  const churn = new Churn({ cluster, random: seededRandom("churn", seed), networks, nodes: NODES, pods });
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, AbortSignal.timeout(minutes * 60_000)]);
  const survived = new Map<string, number>();
  const jobs = [
    watchMemory(signal),
    churn.run(signal),
    strike(faultsOf(witnesses[0], seededRandom("faults", seed + 1)), survived, signal),
  ] as const;
  const [memory] = await Promise.all(jobs).finally(() => {
    // When one fails, the others end too.
    failure.abort();
    return Promise.allSettled(jobs);
  });
  console.log("The time is over: every pod is to run, or to go.");
  await untilSettled();
  for (const witness of witnesses) await agree(cluster, witness, CLEANER_LIMIT_MS);
  await cluster.pods.remove(...cluster.pods.all.map(({ metadata }) => metadata.name));
  for (const witness of witnesses) await agree(cluster, witness, CLEANER_LIMIT_MS);
  for (const witness of witnesses) await witness.judgeStore();
  const { given } = await Witness.addresses(...witnesses);
  const { made, replaced } = churn.counts;
  console.log(
    `${made} pods came and went, ${replaced} of them in the place of one of their name that was deleted by force.`,
  );
  console.log(`${given} addresses were given. None was held twice at any instant, none is left reserved.`);
  for (const [what, times] of [...survived].sort(([, a], [, b]) => b - a))
    console.log(`${String(times).padStart(5)} x ${what}`);
  judgeMemory(memory);
}

async function define(): Promise<void> {
  await cluster.definePool("IPPool", "wide", { subnet: "10.10.0.0/16", perNodeBlockSize: 1000 });
  await cluster.definePool("IPPool", "tight", { subnet: "10.20.0.0/16", perNodeBlockSize: TIGHT });
  await cluster.definePool("IPPool", "six", { subnet: "fd10::/64", perNodeBlockSize: 1000 });
  await defineNetwork(cluster, "wide", BRIDGED, { poolName: "wide" });
  await defineNetwork(cluster, "tight", MACVLAN, { poolName: "tight" });
  await defineNetwork(cluster, "dual", BRIDGED, { poolName: "tight,six" });
}

/** What may happen: to the first node, and to the control plane. */
function faultsOf(
  witness: Witness,
  random: Random,
): readonly [random: Random, faults: Readonly<Record<string, () => Promise<void>>>] {
  const { node } = witness;
  const pause = (mostMs: number): Promise<void> => delay(random.below(mostMs));
  const hold = async ({ ipam }: typeof node): Promise<void> => {
    ipam.process.signal("SIGSTOP");
    await pause(8000);
    ipam.process.signal("SIGCONT");
  };
  return [
    random,
    {
      "the daemon is killed": () => killDaemon(node),
      "the daemon is stopped for some seconds": async () => {
        await node.ipam.process.end("SIGTERM");
        await pause(8000);
        await node.ipam.start();
      },
      "the daemon hangs for some seconds": () => hold(node),
      "the daemon is upgraded": () => upgrade(node),
      "the store is lost": () => witness.replaceStore(() => loseStore(node)),
      "containerd is killed": () => killContainerd(node),
      "kubelet is killed": async () => {
        await node.kubelet.process.end("SIGKILL");
        await node.kubelet.start();
      },
      "the controller that leads is killed": () => killLeader(cluster),
      "the API server is away for some seconds": () => apiAway(cluster, random.below(30_000)),
      "the API server hangs for some seconds": async () => {
        cluster.api.signalApi("SIGSTOP");
        await pause(10_000);
        cluster.api.signalApi("SIGCONT");
        await sameControllersLead(cluster);
      },
      "addresses in use are excluded for some seconds": async () => {
        const exclusions = [{ startIP: "10.20.0.1", endIP: "10.20.0.10" }];
        must(await cluster.pools.patch("IPPool", "tight", { spec: { exclusions } }));
        await pause(5000);
        must(await cluster.pools.patch("IPPool", "tight", { spec: { exclusions: null } }));
      },
    },
  ];
}

/** One fault after the other, each as often as the others, in an order that chance makes. */
async function strike(
  [random, faults]: ReturnType<typeof faultsOf>,
  survived: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  let left: string[] = [];
  while (!signal.aborted) {
    await delay(2000 + random.below(4000), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    if (left.length === 0) left = Object.keys(faults);
    const [what = ""] = left.splice(random.below(left.length), 1);
    const began = performance.now();
    console.log(`${new Date().toISOString()} ${what}`);
    await faults[what]?.();
    console.log(`${new Date().toISOString()} over after ${Math.round(performance.now() - began)} ms`);
    // The end of the time is judged by all pods.
    if (!(await newPodRuns(signal))) return;
    survived.set(what, (survived.get(what) ?? 0) + 1);
  }
}

/** Waits until a pod of the node that faults strike runs that was created later than now. @returns false when the time is over. */
async function newPodRuns(signal: AbortSignal): Promise<boolean> {
  const now = Date.now();
  const created = (): readonly Pod[] =>
    cluster.pods.all.filter(
      ({ spec, metadata }) => spec.nodeName === NODES[0] && Date.parse(metadata.creationTimestamp ?? "") > now,
    );
  await until(
    () => signal.aborted || created().some(isRunning),
    "a pod runs that was created after the fault",
    () => JSON.stringify(created(), undefined, 1),
    180_000,
  );
  return created().some(isRunning);
}

/** Every pod runs, and those that were deleted are gone. */
async function untilSettled(): Promise<void> {
  const restless = () =>
    cluster.pods.all.filter((pod) => !isRunning(pod) || pod.metadata.deletionTimestamp !== undefined);
  await until(
    () => restless().length === 0,
    "every pod runs, or is gone",
    () =>
      restless()
        .map(({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status)}`)
        .join("\n"),
    180_000,
  );
}

/** Megabytes of the daemon that is never restarted, every few seconds. */
async function watchMemory(signal: AbortSignal): Promise<readonly number[]> {
  const samples: number[] = [];
  while (!signal.aborted) {
    samples.push(resident(cluster.node("n2").ipam.process.pid).anonymous);
    await delay(2000, undefined, { signal }).catch(() => undefined);
  }
  return samples;
}

/** At first the heap grows to the size that it works with; in the second half it has to stay. */
function judgeMemory(samples: readonly number[]): void {
  const length = samples.length / 4;
  const [first = 0, second = 0, third = 0, last = 0] = [0, 1, 2, 3].map((quarter) =>
    median(samples.slice(Math.floor(quarter * length), Math.ceil((quarter + 1) * length))),
  );
  const figures = [first, second, third, last].map((megabytes) => megabytes.toFixed(1)).join(", ");
  console.log(`Memory of the daemon that was not restarted, a figure for each quarter of the time: ${figures} MB.`);
  if (last > MEMORY_BOUND * third) throw new Error("the daemon's memory grows");
}
