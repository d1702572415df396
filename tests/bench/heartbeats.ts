/** What it costs controllers of few and of many pools when nodes tell that they are well, and nothing else changes. */
import { setTimeout as delay } from "node:timers/promises";
import type { ControllerProcess } from "../cluster/_controller.ts";
import type { Cluster } from "./_cluster.ts";
import { Dealing } from "./_dealing.ts";
import { cpuMilliseconds } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const NODES = 5000;
const SIZES = [1, 50] as const;
const ROUNDS = 3;
const SETTLE_MS = 1000;
/** Milliseconds of CPU of one heartbeat. */
const BOUND = 0.1;
/** The same at any number of pools, but for noise. */
const INDEPENDENT_BOUND = 1.2;

/** CPU of one heartbeat. Both controllers are told of the same ones, so that what else the machine does is the same to both. */
export async function heartbeats(cluster: Cluster): Promise<Row[]> {
  await cluster.haveNodes(NODES);
  const dealings: Dealing[] = [];
  for (const pools of SIZES) {
    dealings.push(await Dealing.start(cluster, await cluster.namespace(), pools, NODES));
  }
  const processes = dealings.map(({ process }) => process);
  const looksBefore = await looksOf(processes);
  const costs = processes.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    const before = processes.map(({ pid }) => cpuMilliseconds(pid));
    const beats = await cluster.heartbeats();
    await delay(SETTLE_MS);
    for (const [index, { pid }] of processes.entries()) {
      costs[index]?.push((cpuMilliseconds(pid) - (before[index] ?? Number.NaN)) / beats);
    }
  }
  const looks = (await looksOf(processes)) - looksBefore;
  for (const dealing of dealings) await dealing.end();
  const [few = [], many = []] = costs;
  const [one, fifty] = SIZES;
  const beside = { what: `${one} pool`, value: median(few), ratio: pairedRatio(many, few) };
  const what = "CPU of a heartbeat";
  return [
    { what: `looks at a pool in ${ROUNDS * NODES} heartbeats`, value: looks, unit: "looks", bound: { most: 0 } },
    { what: `${what}, ${one} pool`, value: median(few), unit: "ms", bound: { most: BOUND } },
    { what: `${what}, ${fifty} pools`, value: median(many), unit: "ms", bound: { most: BOUND } },
    { what: `${what}, ${fifty} pools`, value: median(many), unit: "ms", beside, bound: { most: INDEPENDENT_BOUND } },
  ];
}

async function looksOf(processes: readonly ControllerProcess[]): Promise<number> {
  const counts = await Promise.all(
    processes.map((each) => each.metric("nvipam_reconcile_duration_seconds_count", 'kind="IPPool"')),
  );
  return counts.reduce<number>((sum, count = Number.NaN) => sum + count, 0);
}
