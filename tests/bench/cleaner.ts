/**
 * Calls while the stale cleaner makes its round over many reservations whose pods are gone, all of which it has to ask for. The
 * API server is on this machine too: beside it stand calls while somebody else asks it the same.
 */
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
const BESIDE_MS = 15_000;
/** A round begins every minute. */
const ROUND_LIMIT_MS = 180_000;
const LOOK_MS = 250;
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
    cluster.serverMetric(["apiserver_request_total", 'resource="pods"', 'verb="GET"']);
  const calls = new Calls(await connectWhenServed(daemon.socket));
  const asking = await cluster.beside("_asking.ts", []);
  const beside = await calls.during(() => delay(BESIDE_MS));
  await asking.end();
  const before = await asked();
  await until(
    async () => (await asked()) > before,
    "the cleaner has begun its round",
    () => daemon.log,
    ROUND_LIMIT_MS,
  );
  const began = performance.now();
  const busy = await calls.during(() =>
    until(
      async () => {
        await delay(LOOK_MS);
        return (await asked()) >= before + RESERVATIONS;
      },
      "the cleaner has asked for every pod",
      () => daemon.log,
      ROUND_LIMIT_MS,
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  await daemon.remove();
  return [
    { what: `a round over ${RESERVATIONS} reservations of pods that are gone`, value: seconds, unit: "s" },
    ...([0.5, 0.99, 1] as const).map((q): Row => {
      const [during, otherwise] = [quantile(busy, q), quantile(beside, q)];
      const name = { 0.5: "half of the calls", 0.99: "99 of 100 calls", 1: "the slowest call" }[q];
      const what = `${name}: what the round adds to ${otherwise.toFixed(1)} ms beside another's questions`;
      return { what, value: during - otherwise, unit: "ms", ...(q < 1 && { bound: { most: BOUND_MS } }) };
    }),
  ];
}

/** Durable ADDs and DELs, one after the other. */
class Calls {
  readonly #caller: Caller;
  #made = 0;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /** How long each call took, in milliseconds, until the work is done. */
  async during(work: () => Promise<void>): Promise<readonly number[]> {
    const times: number[] = [];
    let done = false;
    const working = work().finally(() => {
      done = true;
    });
    working.catch(() => undefined);
    while (!done) {
      const container = `live-${this.#made++}`;
      for (const call of [allocate("pool-0", container), deallocate("pool-0", container)]) {
        const began = performance.now();
        await this.#caller.call(call);
        times.push(performance.now() - began);
        await delay(PAUSE_MS);
      }
    }
    await working;
    return times;
  }
}
