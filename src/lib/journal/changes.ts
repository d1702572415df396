/**
 * Changes as the bodies of records: texts, each readable without the others. A snapshot holds the same records as a journal:
 * those that make its state out of nothing.
 *
 * A body is rows with `;` between them, each a line of fields (reservations/fields.ts):
 *
 *     pool|KIND|NAME|UID        a pool that the rows behind it name by its index: 0 is the body's first
 *     +POOL|PLACE|RESERVATION   an address was reserved (reservations/entry.ts); from then on its place means it
 *     -PLACE                    what stood at the place was released
 *     cursor|POOL|ADDRESS       the address given last in turn
 *     config|POOL|JSON          the pool's configuration as the original's store has it
 *     exported|CHECKSUM         the state was exported
 */
import { isAddress, isEntryText, readAddress, writeAddress } from "../reservations/entry.ts";
import { joinFields, splitFields } from "../reservations/fields.ts";
import type { Change, PoolID } from "../reservations/reservation.ts";
import { RECORD_OVERHEAD } from "./format.ts";

/** A change of the ledger, or that the state was exported to the original's store file, which has this checksum. */
export type StoredChange = Change | { readonly type: "exported"; readonly checksum: number };

/** Pools that were read, by their rows: thousands of reservations have one. */
export type KnownPools = Map<string, PoolID>;

const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;

/** More reservations than a daemon has memory for: a number beyond it was never written. */
const MAX_PLACE = 2 ** 24;
const MAX_CHECKSUM = 2 ** 32 - 1;

/** Length in bytes of the largest record that only releases one reservation. */
export const RELEASE_BYTES = RECORD_OVERHEAD + `-${MAX_PLACE}`.length;

/** The body of a record with these changes. Of a pool's positions it has the last one only: a record counts as a whole. */
export function encodeChanges(changes: Iterable<StoredChange>): string {
  const rows: (string | undefined)[] = [];
  /** Where the last position of each pool stands. */
  const cursors = new Map<PoolID, number>();
  const indexes = new Map<string, number>();
  let latest: PoolID | undefined;
  let index = 0;
  const indexOf = (pool: PoolID): number => {
    if (pool === latest) return index;
    latest = pool;
    const row = joinFields(["pool", pool.kind, pool.name, pool.uid]);
    const known = indexes.get(row);
    index = known ?? indexes.size;
    if (known !== undefined) return index;
    indexes.set(row, index);
    rows.push(row);
    return index;
  };
  for (const change of changes) {
    const row = toRow(change, indexOf);
    if (change.type === "cursor") {
      const outdated = cursors.get(change.pool);
      if (outdated !== undefined) rows[outdated] = undefined;
      cursors.set(change.pool, rows.length);
    }
    rows.push(row);
  }
  return rows.filter((row) => row !== undefined).join(";");
}

/** The changes of a record's body. Pools are looked for among those known, and added to them. Throws when the body is none of ours. */
export function decodeChanges(body: string, known: KnownPools): StoredChange[] {
  const pools: PoolID[] = [];
  const changes: StoredChange[] = [];
  for (let start = 0, end = 0; start < body.length; start = end + 1) {
    const found = body.indexOf(";", start);
    end = found < 0 ? body.length : found;
    const first = body.charCodeAt(start);
    if (first === PLUS) changes.push(readReserve(body, start + 1, end, pools));
    else if (first === MINUS) changes.push({ type: "release", place: readNumber(body, start + 1, end) });
    else readRow(body.slice(start, end), pools, changes, known);
  }
  return changes;
}

function toRow(change: StoredChange, indexOf: (pool: PoolID) => number): string {
  switch (change.type) {
    case "reserve":
      return `+${indexOf(change.entry.pool)}|${change.place}|${change.entry.text}`;
    case "release":
      return `-${change.place}`;
    case "cursor":
      return `cursor|${indexOf(change.pool)}|${writeAddress(change.address)}`;
    case "config":
      return `config|${indexOf(change.pool)}|${joinFields([change.config])}`;
    case "exported":
      return `exported|${change.checksum}`;
  }
}

/** Tens of thousands of rows are read at a start: these make nothing but the entry and its text. */
function readReserve(body: string, start: number, end: number, pools: readonly PoolID[]): StoredChange {
  const poolEnd = body.indexOf("|", start);
  const placeEnd = body.indexOf("|", poolEnd + 1);
  const place = readNumber(body, poolEnd + 1, placeEnd);
  const pool = poolAt(pools, readNumber(body, start, poolEnd));
  const text = body.slice(placeEnd + 1, end);
  if (!isEntryText(text)) throw new Error(`the record has no reservation ${text}`);
  return { type: "reserve", place, entry: { pool, text } };
}

function readRow(row: string, pools: PoolID[], changes: StoredChange[], known: KnownPools): void {
  if (row.startsWith("pool|")) pools.push(readPool(row, known));
  else changes.push(readChange(row, pools));
}

function readChange(row: string, pools: readonly PoolID[]): StoredChange {
  const [type, first = "", second = "", ...further] = splitFields(row);
  if (further.length > 0) throw new Error(`the record has too much in ${row}`);
  switch (type) {
    case "cursor":
      if (!isAddress(second)) throw new Error(`the record has no address ${second}`);
      return { type, pool: poolAt(pools, readNumber(first)), address: readAddress(second) };
    case "config":
      return { type, pool: poolAt(pools, readNumber(first)), config: second };
    case "exported":
      return { type, checksum: readNumber(first, 0, first.length, MAX_CHECKSUM) };
    default:
      throw new Error(`the record has an unknown change ${type}`);
  }
}

function readPool(row: string, known: KnownPools): PoolID {
  const found = known.get(row);
  if (found !== undefined) return found;
  const [, kind, name, uid, ...further] = splitFields(row);
  if (kind !== "IPPool" && kind !== "CIDRPool") throw new Error(`the record has an unknown kind of pool ${kind}`);
  if (name === undefined || uid === undefined || further.length > 0) throw new Error(`the record has no pool ${row}`);
  const pool = { kind, name, uid } as const;
  known.set(row, pool);
  return pool;
}

function poolAt(pools: readonly PoolID[], index: number): PoolID {
  const pool = pools[index];
  if (pool === undefined) throw new Error(`the record names no pool ${index}`);
  return pool;
}

/** Decimal digits. */
function readNumber(text: string, start = 0, end: number = text.length, most: number = MAX_PLACE): number {
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    number = digit >= 0 && digit <= 9 ? number * 10 + digit : Number.NaN;
  }
  if (start >= end || !(number >= 0 && number <= most))
    throw new Error(`the record has no number ${text.slice(start, end)}`);
  return number;
}
