/** Bytes that reach the disk for an operation, from one snapshot to the next, so that snapshots and new journals are counted. */
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { allocate, deallocate, makeCalls } from "./_calls.ts";
import { type Member, POOL } from "./_fleet.ts";
import { bytesToDisk } from "./_process.ts";
import type { Row } from "./_report.ts";

const PAIRS_A_ROUND = 320;
const MAX_ROUNDS = 400;
/** Independent of the number of reservations, but for where in a round a snapshot is seen. */
const BOUND = 1.25;

/** Bytes written an operation. */
export async function written(fleet: readonly Member[]): Promise<Row[]> {
  const rows: Row[] = [];
  let empty: number | undefined;
  for (const member of fleet) {
    const value = await bytesAnOperation(member);
    empty ??= value;
    const ratio = value / empty;
    const beside = { what: "at 0", value: empty, ratio: { low: ratio, median: ratio, high: ratio } };
    const what = `ADD or DEL at ${member.size} reservations`;
    rows.push({ what, value, unit: "bytes", ...(member.size > 0 && { beside, bound: { most: BOUND } }) });
  }
  return rows;
}

async function bytesAnOperation(member: Member): Promise<number> {
  const { daemon } = member;
  await nextSnapshot(member);
  const before = bytesToDisk(daemon.pid);
  const operations = await nextSnapshot(member);
  return (bytesToDisk(daemon.pid) - before) / operations;
}

/** Adds and deletes until the daemon has taken a snapshot. @returns the number of operations. */
async function nextSnapshot(member: Member): Promise<number> {
  const connected = await member.callers();
  const before = newestSnapshot(member.daemon.store);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const containers = Array.from({ length: PAIRS_A_ROUND }, (_, index) => `written-${index}`);
    await makeCalls(
      connected,
      containers.map((container) => allocate(POOL, container)),
    );
    await makeCalls(
      connected,
      containers.map((container) => deallocate(POOL, container)),
    );
    if (newestSnapshot(member.daemon.store) > before) return round * PAIRS_A_ROUND * 2;
  }
  throw new Error(`no snapshot was taken in ${MAX_ROUNDS * PAIRS_A_ROUND * 2} operations`);
}

/** Its number, from its name: STORE.snapshot.NUMBER. */
function newestSnapshot(store: string): number {
  const prefix = `${basename(store)}.snapshot.`;
  const numbers = readdirSync(dirname(store))
    .filter((name) => name.startsWith(prefix) && !name.endsWith(".tmp"))
    .map((name) => Number(name.slice(prefix.length)));
  return Math.max(0, ...numbers);
}
