/** From the start of the process to the first ADD that it answers, after a clean stop and after SIGKILL. */
import { allocate, callUntilServed, deallocate } from "./_calls.ts";
import { type Member, POOL } from "./_fleet.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const ROUNDS = 7;
const BOUND = 2;
const STOPS = { SIGTERM: "after a clean stop", SIGKILL: "after SIGKILL" } as const;

/** How long a restart takes. */
export async function restart(fleet: readonly Member[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const times = new Map(fleet.map((member): [Member, number[]] => [member, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [member, taken] of times) taken.push(await restartMilliseconds(member, signal));
    }
    const [empty = [], ...others] = times.values();
    rows.push({ what: `empty store, ${STOPS[signal]}`, value: median(empty), unit: "ms" });
    for (const [index, taken] of others.entries()) {
      const beside = { what: "empty store", value: median(empty), ratio: pairedRatio(taken, empty) };
      const what = `${fleet[index + 1]?.size} reservations, ${STOPS[signal]}`;
      rows.push({ what, value: median(taken), unit: "ms", beside, bound: { most: BOUND } });
    }
  }
  return rows;
}

async function restartMilliseconds(member: Member, signal: keyof typeof STOPS): Promise<number> {
  const { daemon } = member;
  member.disconnect();
  await daemon.end(signal);
  const started = performance.now();
  await daemon.start();
  const caller = await member.caller();
  await callUntilServed(caller, allocate(POOL, "restart"));
  const time = performance.now() - started;
  await caller.call(deallocate(POOL, "restart"));
  return time;
}
