/** The node daemon at a real API server: its start, its memory, and what changes cost it that concern other nodes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { NodeDaemon } from "../cluster/_node.ts";
import { must, type PoolJson, type Pools } from "../cluster/_pools.ts";
import { allocate, callUntilServed, connectWhenServed } from "./_calls.ts";
import type { Cluster } from "./_cluster.ts";
import { makeDealtPools, putStatus } from "./_dealt_pools.ts";
import { withExecutable } from "./_executables.ts";
import { cpuMilliseconds, resident } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const NODES = 2000;
const NODE = "node-7";
/** Number of pools -> milliseconds that a start may take. */
const SIZES = [
  { pools: 1, most: 400 },
  { pools: 50, most: 600 },
] as const;
const ROUNDS = 7;
const MEMORY_BOUND = 1.3;
const SETTLE_MS = 2000;
const UPDATES = 40;
const UPDATE_ROUNDS = 5;
/** Twice the parsing: what comes on top of it costs no more than itself. */
const UPDATE_BOUND = 2;

/** Times, memory and CPU. */
export async function node(cluster: Cluster): Promise<Row[]> {
  const namespaces: Pools[] = [];
  for (const { pools } of SIZES) {
    const namespace = await cluster.namespace();
    await makeDealtPools(namespace, { pools, nodes: NODES, blockSize: 100 });
    namespaces.push(namespace);
  }
  const rows = await starts(cluster, namespaces);
  const daemons = namespaces.map((namespace) => cluster.node(namespace, NODE));
  for (const daemon of daemons) await daemon.start();
  await delay(SETTLE_MS);
  rows.push(...memory(daemons));
  const [, many] = daemons;
  const [, ofMany] = namespaces;
  if (many !== undefined && ofMany !== undefined) rows.push(await updates(cluster, many, ofMany));
  for (const daemon of daemons) await daemon.remove();
  return rows;
}

/** Beside the starts, in turn: what an empty executable takes on this machine just now, and a list of the pools. */
async function starts(cluster: Cluster, namespaces: readonly Pools[]): Promise<Row[]> {
  const times = namespaces.map(() => ({ again: [] as Start[], first: [] as Start[], list: [] as number[] }));
  const empty: number[] = [];
  await withExecutable("empty", async (program) => {
    for (let round = 0; round < ROUNDS; round++) {
      empty.push(await milliseconds(() => once(spawn(program), "exit")));
      for (const [index, namespace] of namespaces.entries()) {
        times[index]?.list.push(await milliseconds(() => namespace.all()));
        const daemon = cluster.node(namespace, NODE);
        times[index]?.first.push(await start(daemon));
        await daemon.untilReady();
        await daemon.end("SIGTERM");
        times[index]?.again.push(await start(daemon));
        await daemon.remove();
      }
    }
  });
  const kinds = { first: ", without a store", again: ", started again" } as const;
  const rows = (["again", "first"] as const).flatMap((kind) =>
    SIZES.flatMap(({ pools, most }, index): Row[] => {
      const what = `exec to the first ADD, ${pools} pools x ${NODES} nodes${kinds[kind]}`;
      const measured = times[index]?.[kind] ?? [];
      return [
        { what, value: median(measured.map(({ wall }) => wall)), unit: "ms", bound: { most } },
        { what: `${what}, CPU`, value: median(measured.map(({ cpu }) => cpu)), unit: "ms" },
      ];
    }),
  );
  const lists = SIZES.map(
    ({ pools }, index): Row => ({
      what: `a list of the ${pools} pools by a script`,
      value: median(times[index]?.list ?? []),
      unit: "ms",
    }),
  );
  return [...rows, ...lists, { what: "an empty executable, exec to exit", value: median(empty), unit: "ms" }];
}

/** Milliseconds. */
interface Start {
  readonly wall: number;
  readonly cpu: number;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** From exec to the first ADD that is answered. */
async function start(daemon: NodeDaemon): Promise<Start> {
  const began = performance.now();
  await daemon.spawn();
  const caller = await connectWhenServed(daemon.socket);
  await callUntilServed(caller, allocate("pool-0", "first"));
  const wall = performance.now() - began;
  caller.close();
  return { wall, cpu: cpuMilliseconds(daemon.pid) };
}

function memory(daemons: readonly NodeDaemon[]): Row[] {
  const [one = Number.NaN, many = Number.NaN] = daemons.map(({ pid }) => resident(pid).all);
  const [few, all] = SIZES;
  const beside = { what: `${few.pools} pool`, value: one, ratio: pairedRatio([many], [one]) };
  const what = `memory, ${all.pools} pools x ${NODES} nodes`;
  return [{ what, value: many, unit: "MB", beside, bound: { most: MEMORY_BOUND } }];
}

/** Statuses change in what concerns other nodes; beside the daemon somebody else follows them who only parses. */
async function updates(cluster: Cluster, daemon: NodeDaemon, namespace: Pools): Promise<Row> {
  const parsing = await cluster.beside("_watching.ts", [namespace.namespace]);
  let pool = must(await namespace.get("IPPool", "pool-1"));
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round <= UPDATE_ROUNDS; round++) {
    const before = [cpuMilliseconds(daemon.pid), cpuMilliseconds(parsing.pid)] as const;
    for (let update = 0; update < UPDATES; update++) pool = await putStatus(namespace, pool, withOthersMoved(pool));
    await delay(SETTLE_MS);
    // In the first round both are still being compiled.
    if (round === 0) continue;
    ours.push((cpuMilliseconds(daemon.pid) - before[0]) / UPDATES);
    bare.push((cpuMilliseconds(parsing.pid) - before[1]) / UPDATES);
  }
  await parsing.end();
  const beside = { what: "reading and parsing it", value: median(bare), ratio: pairedRatio(ours, bare) };
  const what = "CPU of a status update of other nodes";
  return { what, value: median(ours), unit: "ms", beside, bound: { most: UPDATE_BOUND } };
}

/** Two other nodes have each other's block. */
function withOthersMoved({ status }: PoolJson): unknown {
  const [a, b, ...others] = (status?.allocations ?? []) as readonly { readonly nodeName: string }[];
  if (a === undefined || b === undefined) throw new Error("the pool has no blocks");
  return { ...status, allocations: [{ ...a, nodeName: b.nodeName }, { ...b, nodeName: a.nodeName }, ...others] };
}
