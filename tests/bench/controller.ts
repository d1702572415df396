/**
 * The controller at a real API server: blocks for thousands of nodes, nodes that join together, heartbeats. What the API server
 * itself needs for the same writes, once and without anybody planning them, is the floor.
 */
import { setTimeout as delay } from "node:timers/promises";
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import type { ControllerProcess } from "../cluster/_controller.ts";
import { must, type PoolJson, type Pools, until } from "../cluster/_pools.ts";
import { type Cluster, inParallel, NODE_SELECTOR } from "./_cluster.ts";
import { cpuMilliseconds, peakMegabytes } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio, type Spread } from "./_statistics.ts";
import { StatusWrites } from "./_status_writes.ts";

const NODES = 5000;
const JOINING = 100;
/** Number of pools -> rounds, and what the Go original needed: seconds of CPU, megabytes (for 10 pools unknown: as for one). */
const SIZES = [
  { pools: 1, rounds: 5, original: { cpu: 4.6, memory: 366 } },
  { pools: 10, rounds: 3, original: { cpu: 9.5, memory: 366 } },
  { pools: 50, rounds: 3, original: { cpu: 24, memory: 478 } },
] as const;
/** Floors and milliseconds that completing may take. */
const ALLOWED = { floors: 1.3, more: 500 };
const MOST_WRITES = 3;
/** Milliseconds of CPU of one heartbeat. */
const HEARTBEAT_BOUND = 0.1;
/** The same at any number of pools, but for noise. */
const INDEPENDENT_BOUND = 1.3;
/** Writes at once, as the controller has them. */
const AT_ONCE = 4;
const LIMIT_MS = 120_000;
const SETTLE_MS = 1000;

/** Times, CPU and memory at each size. */
export async function controller(cluster: Cluster): Promise<Row[]> {
  await cluster.haveNodes(NODES);
  const rows: Row[] = [];
  const heartbeats = new Map<number, number>();
  for (const size of SIZES) {
    const { found, cpu } = await measure(cluster, size);
    rows.push(...found);
    heartbeats.set(size.pools, cpu);
  }
  const [one = Number.NaN, ...others] = heartbeats.values();
  const last = others.at(-1) ?? Number.NaN;
  const beside = { what: "1 pool", value: one, ratio: pairedRatio([last], [one]) };
  const what = `CPU of a heartbeat, ${SIZES.at(-1)?.pools} pools`;
  return [...rows, { what, value: last, unit: "ms", beside, bound: { most: INDEPENDENT_BOUND } }];
}

async function measure(
  cluster: Cluster,
  { pools: count, rounds, original }: (typeof SIZES)[number],
): Promise<{ readonly found: Row[]; readonly cpu: number }> {
  const namespace = await cluster.namespace();
  const floorNamespace = await cluster.namespace();
  const totals: number[] = [];
  const floors: number[] = [];
  const cpus: number[] = [];
  const peaks: number[] = [];
  let running: Dealing | undefined;
  for (let round = 0; round < rounds; round++) {
    await running?.end();
    running = await Dealing.start(cluster, namespace, count);
    totals.push(running.took);
    await delay(SETTLE_MS);
    cpus.push(cpuMilliseconds(running.process.pid) / 1000);
    peaks.push(peakMegabytes(running.process.pid));
    floors.push(await floorMilliseconds(floorNamespace, await statuses(namespace)));
  }
  if (running === undefined) throw new Error("there was no round");
  const name = `${NODES} nodes x ${count} pools`;
  const found: Row[] = [
    { what: `floor: the statuses of ${name}, written once`, value: median(floors), unit: "ms" },
    within(`${name}, from exec to complete`, totals, floors),
    { what: `${name}, CPU`, value: median(cpus), unit: "s", bound: { most: original.cpu } },
    { what: `${name}, memory at its peak`, value: median(peaks), unit: "MB", bound: { most: original.memory } },
    ...(await joining(cluster, running, floorNamespace)),
  ];
  const beats = await heartbeatCost(cluster, running);
  found.push(...beats.rows);
  await running.end();
  await removePools(floorNamespace);
  await cluster.haveNodes(NODES);
  return { found, cpu: beats.cpu };
}

/** A controller that has given every node its block of some pools. */
class Dealing {
  readonly process: ControllerProcess;
  readonly namespace: Pools;
  readonly count: number;
  readonly writes: StatusWrites;
  /** Milliseconds from the start of the process until all was written. */
  took = 0;

  private constructor(process: ControllerProcess, namespace: Pools, count: number, writes: StatusWrites) {
    this.process = process;
    this.namespace = namespace;
    this.count = count;
    this.writes = writes;
  }

  static async start(cluster: Cluster, namespace: Pools, count: number): Promise<Dealing> {
    const names = Array.from({ length: count }, (_, index) => index);
    await inParallel(names, async (index) => {
      must(await namespace.create("IPPool", `pool-${index}`, specOf(index)));
    });
    const writes = await StatusWrites.follow(namespace);
    const began = performance.now();
    const dealing = new Dealing(await cluster.controller(namespace), namespace, count, writes);
    dealing.took = (await dealing.untilComplete(NODES)) - began;
    return dealing;
  }

  untilComplete(nodes: number): Promise<number> {
    return this.writes.untilComplete(this.count, async () => isComplete(this.namespace, nodes), LIMIT_MS);
  }

  /** Ends the process and deletes the pools. */
  async end(): Promise<void> {
    await this.process.stop();
    await this.writes.end();
    await removePools(this.namespace);
  }
}

async function joining(cluster: Cluster, dealing: Dealing, floorNamespace: Pools): Promise<Row[]> {
  dealing.writes.reset();
  await cluster.haveNodes(NODES + JOINING);
  const joined = performance.now();
  const took = (await dealing.untilComplete(NODES + JOINING)) - joined;
  const most = dealing.writes.most;
  const floor = await floorMilliseconds(floorNamespace, await statuses(dealing.namespace));
  const what = `${JOINING} nodes join ${dealing.count} pools`;
  return [
    within(`${what}, from the last one to complete`, [took], [floor]),
    { what: `${what}, writes of a pool`, value: most, unit: "writes", bound: { most: MOST_WRITES } },
  ];
}

async function heartbeatCost(
  cluster: Cluster,
  { process, count }: Dealing,
): Promise<{ readonly rows: Row[]; readonly cpu: number }> {
  const looks = (): Promise<number> => sumOfMetric(process, "nvipam_reconcile_duration_seconds_count");
  const before = { looks: await looks(), cpu: cpuMilliseconds(process.pid) };
  const beats = await cluster.heartbeats();
  await delay(SETTLE_MS);
  const cpu = (cpuMilliseconds(process.pid) - before.cpu) / beats;
  const looked = (await looks()) - before.looks;
  const what = `${beats} heartbeats at ${count} pools`;
  const rows: Row[] = [
    { what: `${what}, looks at a pool`, value: looked, unit: "looks", bound: { most: 0 } },
    { what: `${what}, CPU of each`, value: cpu, unit: "ms", bound: { most: HEARTBEAT_BOUND } },
  ];
  return { rows, cpu };
}

/** What is measured beside what is allowed for it. */
function within(what: string, times: readonly number[], floors: readonly number[]): Row {
  const allowed = floors.map((floor) => ALLOWED.floors * floor + ALLOWED.more);
  const ratio: Spread = pairedRatio(times, allowed);
  const beside = { what: `${ALLOWED.floors} floors + ${ALLOWED.more} ms`, value: median(allowed), ratio };
  return { what, value: median(times), unit: "ms", beside, bound: { most: 1 } };
}

/** Writes the statuses to pools of the same names, as the controller does, and nothing else. */
async function floorMilliseconds(namespace: Pools, pools: readonly PoolJson[]): Promise<number> {
  await removePools(namespace);
  const made: { readonly object: PoolJson; readonly status: unknown }[] = [];
  await inParallel(pools, async ({ metadata: { name }, spec, status }) => {
    made.push({ object: must(await namespace.create("IPPool", name, spec)), status });
  });
  const began = performance.now();
  await inParallel(
    made,
    async ({ object: { apiVersion, kind, metadata }, status }) => {
      const { name, uid, resourceVersion } = metadata;
      const place = { namespace: namespace.namespace, name };
      const object = { apiVersion, kind, metadata: { ...place, uid, resourceVersion }, status };
      must(await namespace.client.put(POOL_RESOURCES.IPPool, place, object, { subresource: "status" }));
    },
    AT_ONCE,
  );
  return performance.now() - began;
}

async function statuses(namespace: Pools): Promise<readonly PoolJson[]> {
  return [...(await namespace.all()).values()];
}

async function isComplete(namespace: Pools, nodes: number): Promise<boolean> {
  return (await statuses(namespace)).every(({ status }) => status?.allocations?.length === nodes);
}

async function removePools(namespace: Pools): Promise<void> {
  const pools = (await statuses(namespace)).map(({ metadata }) => metadata.name);
  await inParallel(pools, async (name) => {
    must(await namespace.delete("IPPool", name));
  });
  await until(async () => (await statuses(namespace)).length === 0, "the pools are gone");
}

function specOf(index: number): unknown {
  return {
    subnet: `10.${index}.0.0/16`,
    perNodeBlockSize: 10,
    gateway: `10.${index}.0.1`,
    nodeSelector: NODE_SELECTOR,
  };
}

async function sumOfMetric(process: ControllerProcess, name: string): Promise<number> {
  const lines = (await process.metrics()).split("\n").filter((line) => line.startsWith(`${name}{`));
  if (lines.length === 0) throw new Error(`the controller has no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
