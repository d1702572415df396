/**
 * Bytes that are written for an operation, from one snapshot to the next, so that snapshots and new journals are counted: those
 * that the store hands to the file system, and the blocks that are dirtied by them.
 */
import { readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { allocate, deallocate, makeCalls } from "./_calls.ts";
import { type Member, POOL } from "./_fleet.ts";
import { bytesHandedOver, bytesToDisk } from "./_process.ts";
import type { Row } from "./_report.ts";

const PAIRS_A_ROUND = 320;
const MAX_ROUNDS = 400;
/** Independent of the number of reservations, but for where in a round a snapshot is seen. */
const BOUND = 1.25;
/** A snapshot is taken when journals of its size have been written, zeros and records: it adds half of that, however long it is. */
const HANDED_OVER_BOUND = 1.5;

interface Written {
  readonly handedOver: number;
  readonly dirtied: number;
}

/** Bytes written an operation. */
export async function written(fleet: readonly Member[]): Promise<Row[]> {
  const found: [size: number, an: Written][] = [];
  for (const member of fleet) found.push([member.size, await anOperation(member)]);
  const [[, empty] = [0, { handedOver: 0, dirtied: 0 }]] = found;
  return found.flatMap(([size, an]) => {
    const what = `ADD or DEL at ${size} reservations`;
    return [
      row(`${what}, handed to files`, an.handedOver, empty.handedOver, size, HANDED_OVER_BOUND),
      row(`${what}, dirtied`, an.dirtied, empty.dirtied, size, BOUND),
    ];
  });
}

function row(what: string, value: number, empty: number, size: number, most: number): Row {
  const ratio = value / empty;
  const beside = { what: "at 0", value: empty, ratio: { low: ratio, median: ratio, high: ratio } };
  return { what, value, unit: "bytes", ...(size > 0 && { beside, bound: { most } }) };
}

async function anOperation(member: Member): Promise<Written> {
  await nextSnapshot(member);
  const before = await writtenSoFar(member);
  const operations = await nextSnapshot(member);
  const after = await writtenSoFar(member);
  return {
    handedOver: (after.handedOver - before.handedOver) / operations,
    dirtied: (after.dirtied - before.dirtied) / operations,
  };
}

/** What the daemon has handed to files is what it has written without what its callers have received. */
async function writtenSoFar(member: Member): Promise<Written> {
  const { pid } = member.daemon;
  const received = (await member.callers()).reduce((sum, caller) => sum + caller.received, 0);
  return { handedOver: bytesHandedOver(pid) - received, dirtied: bytesToDisk(pid) };
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
