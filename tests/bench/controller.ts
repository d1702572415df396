/**
 * The controller at a real API server: blocks for thousands of nodes, and nodes that join together. What the API server itself
 * needs for the same writes, once and without anybody planning them, is the floor.
 */
import { setTimeout as delay } from "node:timers/promises";
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import type { ObjectName } from "../../src/lib/kube/object.ts";
import { API_VERSION, must, type PoolJson, type Pools } from "../cluster/_pools.ts";
import { type Cluster, inParallel } from "./_cluster.ts";
import { Dealing, poolsOf, removePools } from "./_dealing.ts";
import { cpuMilliseconds, peakMegabytes } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio, type Spread } from "./_statistics.ts";

const NODES = 5000;
const JOINING = 100;
/** Number of pools -> rounds, those of nodes that join, and what the Go original needed: seconds of CPU, megabytes (for 10 pools unknown: as for one). */
const SIZES = [
  { pools: 1, rounds: 5, joins: 6, original: { cpu: 4.6, memory: 366 } },
  { pools: 10, rounds: 3, joins: 6, original: { cpu: 9.5, memory: 366 } },
  { pools: 50, rounds: 2, joins: 3, original: { cpu: 24, memory: 478 } },
] as const;
/** Floors and milliseconds that completing may take. */
const ALLOWED = { floors: 1.3, more: 500 };
const MOST_WRITES = 3;
/** Writes at once, as the controller has them. */
const AT_ONCE = 4;
const SETTLE_MS = 1000;

/** Times, CPU and memory at each size. */
export async function controller(cluster: Cluster): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of SIZES) rows.push(...(await measure(cluster, size)));
  return rows;
}

async function measure(
  cluster: Cluster,
  { pools: count, rounds, joins, original }: (typeof SIZES)[number],
): Promise<Row[]> {
  await cluster.haveNodes(NODES);
  const namespace = await cluster.namespace();
  const floorNamespace = await cluster.namespace();
  const totals: number[] = [];
  const floors: number[] = [];
  const cpus: number[] = [];
  const peaks: number[] = [];
  let running: Dealing | undefined;
  for (let round = 0; round < rounds; round++) {
    await running?.end();
    running = await Dealing.start(cluster, namespace, count, NODES);
    totals.push(running.took);
    await delay(SETTLE_MS);
    cpus.push(cpuMilliseconds(running.process.pid) / 1000);
    peaks.push(peakMegabytes(running.process.pid));
    await removePools(floorNamespace);
    floors.push(await floorMilliseconds(floorNamespace, await poolsOf(namespace)));
  }
  if (running === undefined) throw new Error("there was no round");
  const name = `${NODES} nodes x ${count} pools`;
  const rows: Row[] = [
    { what: `floor: the statuses of ${name}, written once`, value: median(floors), unit: "ms" },
    within(`${name}, from exec to complete`, totals, floors),
    { what: `${name}, CPU`, value: median(cpus), unit: "s", bound: { most: original.cpu } },
    { what: `${name}, memory at its peak`, value: median(peaks), unit: "MB", bound: { most: original.memory } },
    ...(await joining(cluster, running, floorNamespace, joins)),
  ];
  await running.end();
  await removePools(floorNamespace);
  return rows;
}

/** The floor of a round is the mean of one before it and one after it: the API server's speed changes from second to second. */
async function joining(cluster: Cluster, dealing: Dealing, floorNamespace: Pools, rounds: number): Promise<Row[]> {
  const floor = async (): Promise<number> => floorMilliseconds(floorNamespace, await poolsOf(dealing.namespace));
  const totals: number[] = [];
  const floors: number[] = [];
  const writes: number[] = [];
  let before = await floor();
  for (let round = 1; round <= rounds; round++) {
    const nodes = NODES + round * JOINING;
    dealing.writes.reset();
    await cluster.haveNodes(nodes);
    const joined = performance.now();
    totals.push((await dealing.untilComplete(nodes)) - joined);
    writes.push(dealing.writes.most);
    const after = await floor();
    floors.push((before + after) / 2);
    before = after;
  }
  const what = `${JOINING} nodes join ${dealing.count} pools`;
  return [
    within(`${what}, from the last one to complete`, totals, floors),
    { what: `${what}, writes of a pool`, value: Math.max(...writes), unit: "writes", bound: { most: MOST_WRITES } },
  ];
}

/** What is measured beside what is allowed for it. */
function within(what: string, times: readonly number[], floors: readonly number[]): Row {
  const allowed = floors.map((floor) => ALLOWED.floors * floor + ALLOWED.more);
  const ratio: Spread = pairedRatio(times, allowed);
  const beside = { what: `${ALLOWED.floors} floors + ${ALLOWED.more} ms`, value: median(allowed), ratio };
  return { what, value: median(times), unit: "ms", beside, bound: { most: 1 } };
}

/**
 * Writes the statuses to pools of the same names, as the controller does, and nothing else: to new pools, or where there are
 * such pools in place of the status that they have.
 */
async function floorMilliseconds(namespace: Pools, pools: readonly PoolJson[]): Promise<number> {
  const { client, namespace: name } = namespace;
  const { items } = must(await client.list(POOL_RESOURCES.IPPool, { namespace: name, metadataOnly: true }));
  const there = new Map(items.map(({ metadata }) => [metadata.name, metadata]));
  const puts: { readonly place: ObjectName; readonly object: unknown }[] = [];
  await inParallel(pools, async ({ metadata, spec, status }) => {
    const place = { namespace: name, name: metadata.name };
    const present = there.get(metadata.name) ?? must(await namespace.create("IPPool", metadata.name, spec)).metadata;
    const { uid, resourceVersion } = present;
    const identity = { apiVersion: API_VERSION, kind: "IPPool", metadata: { ...place, uid, resourceVersion } };
    puts.push({ place, object: { ...identity, status } });
  });
  const began = performance.now();
  await inParallel(
    puts,
    async ({ place, object }) => {
      must(await client.put(POOL_RESOURCES.IPPool, place, object, { subresource: "status" }));
    },
    AT_ONCE,
  );
  return performance.now() - began;
}
