/** Calls while the stale cleaner makes its rounds over many reservations whose pods are gone, beside calls at other times. */
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../cluster/_pools.ts";
import type { Caller } from "./_caller.ts";
import { allocate, connectCallers, connectWhenServed, deallocate, makeCalls } from "./_calls.ts";
import type { Cluster } from "./_cluster.ts";
import { makeDealtPools } from "./_dealt_pools.ts";
import type { Row } from "./_report.ts";
import { quantile } from "./_statistics.ts";

const RESERVATIONS = 10_000;
const CALLERS = 16;
/** Milliseconds between two calls that are measured. */
const PAUSE_MS = 2;
/** A round begins every minute, and the fourth releases. */
const ROUNDS_LIMIT_MS = 360_000;
const LOOK_MS = 100;
/** Calls so near to the moment at which a round was noticed count as made during the round. */
const NEAR_MS = 1000;
/** Milliseconds that the round may add. */
const BOUND_MS = 5;

/** Milliseconds of single calls. */
export async function cleaner(cluster: Cluster): Promise<Row[]> {
  const namespace = await cluster.namespace();
  await makeDealtPools(namespace, { pools: 1, nodes: 1, blockSize: 2 * RESERVATIONS });
  const daemon = cluster.node(namespace, "node-0");
  await daemon.start();
  const filling = await connectCallers(daemon.socket, CALLERS);
  await makeCalls(
    filling,
    Array.from({ length: RESERVATIONS }, (_, index) => allocate("pool-0", `stale-${index}`)),
  );
  for (const caller of filling) caller.close();

  const asked = (): Promise<number> =>
    cluster.serverMetric(["apiserver_request_total", 'resource="pods"', 'verb="LIST"']);
  const isReleased = (): boolean => daemon.log.includes("Released what pods held that are gone");
  const rounds: number[] = [];
  let known = await asked();
  const calls = await callsDuring(await connectWhenServed(daemon.socket), () =>
    until(
      async () => {
        await delay(LOOK_MS);
        const now = await asked();
        if (now > known || isReleased()) rounds.push(performance.now());
        known = now;
        return isReleased();
      },
      "the cleaner has released all",
      () => daemon.log,
      ROUNDS_LIMIT_MS,
    ),
  );
  await daemon.remove();
  const isBusy = ({ at }: Timed): boolean => rounds.some((round) => Math.abs(round - at) < NEAR_MS);
  const [busy, beside] = [calls.filter(isBusy), calls.filter((call) => !isBusy(call))].map((those) =>
    those.map(({ ms }) => ms),
  ) as [number[], number[]];
  return ([0.5, 0.99, 1] as const).map((q): Row => {
    const [during, otherwise] = [quantile(busy, q), quantile(beside, q)];
    const name = { 0.5: "half of the calls", 0.99: "99 of 100 calls", 1: "the slowest call" }[q];
    const what = `${name}: what a round over ${RESERVATIONS} reservations of pods that are gone adds to ${otherwise.toFixed(1)} ms`;
    return { what, value: during - otherwise, unit: "ms", ...(q < 1 && { bound: { most: BOUND_MS } }) };
  });
}

/** A call, when it began and how long it took, in milliseconds. */
interface Timed {
  readonly at: number;
  readonly ms: number;
}

/** Durable ADDs and DELs, one after the other, until the work is done. */
async function callsDuring(caller: Caller, work: () => Promise<void>): Promise<readonly Timed[]> {
  const times: Timed[] = [];
  let done = false;
  const working = work().finally(() => {
    done = true;
  });
  working.catch(() => undefined);
  for (let made = 0; !done; made++) {
    for (const call of [allocate("pool-0", `live-${made}`), deallocate("pool-0", `live-${made}`)]) {
      const at = performance.now();
      await caller.call(call);
      times.push({ at, ms: performance.now() - at });
      await delay(PAUSE_MS);
    }
  }
  await working;
  return times;
}
