/**
 * Changes as the bodies of records: JSON texts, each readable without the others. A snapshot holds the same records as a
 * journal: those that make its state out of nothing.
 *
 * A body is `[pools, rows]`: the pools that its rows name by their index, each `[kind, name, uid]`, and one row a change.
 */
import type { PoolKind } from "../api/types.ts";
import type { Address } from "../ip/address.ts";
import type { Change, How, LedgerSnapshot, Owner, PoolID, Reservation } from "../reservations/reservation.ts";
import type { Shared } from "../reservations/shared.ts";
import { asciiJson, RECORD_OVERHEAD } from "./format.ts";

/** A change of the ledger, or that the state was exported to the original's store file, which has this checksum. */
export type StoredChange = Change | { readonly type: "exported"; readonly checksum: number };

/** IPv4 as a number, IPv6 as hexadecimal digits. */
type AddressCell = number | string;
type PoolRow = [kind: PoolKind, name: string, uid: string];
type ReserveRow = [
  "+",
  pool: number,
  containerID: string,
  ifname: string,
  addresses: AddressCell | AddressCell[],
  createdAt: string,
  how: How,
  network: string,
  deviceID: string,
  podNamespace?: string,
  podName?: string,
  podUID?: string,
];
type ReleaseRow = [
  "-",
  pool: number,
  containerID: string,
  ifname: string,
  addresses: AddressCell | AddressCell[],
  createdAt: string,
  podUID?: string,
];
type Row =
  | ReserveRow
  | ReleaseRow
  | ["cursor", pool: number, address: AddressCell]
  | ["config", pool: number, config: string]
  | ["exported", checksum: number];

const NOBODY: Owner = { type: "none" };

/** The body of a record with these changes. */
export function encodeChanges(changes: Iterable<StoredChange>): string {
  const pools: PoolRow[] = [];
  const indexes = new Map<string, number>();
  let latest: PoolID | undefined;
  let index = 0;
  const indexOf = (pool: PoolID): number => {
    if (pool === latest) return index;
    const { kind, name, uid } = pool;
    const key = `${kind} ${name} ${uid}`;
    index = indexes.get(key) ?? pools.push([kind, name, uid]) - 1;
    indexes.set(key, index);
    latest = pool;
    return index;
  };
  return asciiJson([pools, Array.from(changes, (change) => toRow(change, indexOf))]);
}

/**
 * The changes of a record's body. Of a released reservation it holds what tells it from others: pool, attachment, addresses,
 * time and the pod's UID. What bodies that are read with the same `shared` have in common is kept once. Throws when the body
 * is none of ours.
 */
export function decodeChanges(body: string, shared: Shared): StoredChange[] {
  const [poolRows, rows] = JSON.parse(body) as [PoolRow[], Row[]];
  const pools = poolRows.map(([kind, name, uid]) => shared.pool({ kind, name, uid }));
  return rows.map((row) => fromRow(row, pools, shared));
}

/** About the length in bytes of a record that only releases the reservation; hardly ever less than it. */
export function releaseBytes({ pool, containerID, ifname, addresses, createdAt, owner }: Reservation): number {
  const texts = pool.kind.length + pool.name.length + pool.uid.length + containerID.length + ifname.length;
  const uid = owner.type === "pod" ? owner.uid.length : 0;
  return RECORD_OVERHEAD + 60 + texts + createdAt.length + uid + addresses.length * 36;
}

/** The changes that make a ledger of this content out of an empty one. */
export function* changesOf({ reservations, pools }: LedgerSnapshot): Generator<Change, void> {
  for (const { pool, cursor, config } of pools) {
    if (cursor !== undefined) yield { type: "cursor", pool, address: cursor };
    if (config !== undefined) yield { type: "config", pool, config };
  }
  for (const reservation of reservations) yield { type: "reserve", reservation };
}

function toRow(change: StoredChange, indexOf: (pool: PoolID) => number): Row {
  switch (change.type) {
    case "reserve":
      return toReserveRow(change.reservation, indexOf(change.reservation.pool));
    case "release":
      return toReleaseRow(change.reservation, indexOf(change.reservation.pool));
    case "cursor":
      return ["cursor", indexOf(change.pool), toCell(change.address)];
    case "config":
      return ["config", indexOf(change.pool), change.config];
    case "exported":
      return ["exported", change.checksum];
  }
}

function toReserveRow(reservation: Reservation, pool: number): ReserveRow {
  const { containerID, ifname, addresses, createdAt, how, network, deviceID, owner } = reservation;
  const row: ReserveRow = ["+", pool, containerID, ifname, toCells(addresses), createdAt, how, network, deviceID];
  if (owner.type === "pod") row.push(owner.namespace, owner.name, owner.uid);
  return row;
}

function toReleaseRow({ containerID, ifname, addresses, createdAt, owner }: Reservation, pool: number): ReleaseRow {
  const row: ReleaseRow = ["-", pool, containerID, ifname, toCells(addresses), createdAt];
  if (owner.type === "pod") row.push(owner.uid);
  return row;
}

function fromRow(row: Row, pools: readonly PoolID[], shared: Shared): StoredChange {
  switch (row[0]) {
    case "+":
      return { type: "reserve", reservation: fromReserveRow(row, poolAt(pools, row[1]), shared) };
    case "-":
      return { type: "release", reservation: fromReleaseRow(row, poolAt(pools, row[1])) };
    case "cursor":
      return { type: "cursor", pool: poolAt(pools, row[1]), address: fromCell(row[2]) };
    case "config":
      return { type: "config", pool: poolAt(pools, row[1]), config: row[2] };
    case "exported":
      return { type: "exported", checksum: row[1] };
    default:
      throw new Error(`the record has an unknown change ${String(row[0])}`);
  }
}

function fromReserveRow(row: ReserveRow, pool: PoolID, shared: Shared): Reservation {
  const uid = row[11];
  return {
    containerID: row[2],
    ifname: shared.text(row[3]),
    pool,
    addresses: fromCells(row[4]),
    owner: uid === undefined ? NOBODY : { type: "pod", namespace: shared.text(row[9] ?? ""), name: row[10] ?? "", uid },
    network: shared.text(row[7]),
    deviceID: row[8],
    how: row[6],
    createdAt: row[5],
  };
}

function fromReleaseRow(row: ReleaseRow, pool: PoolID): Reservation {
  const uid = row[6];
  return {
    containerID: row[2],
    ifname: row[3],
    pool,
    addresses: fromCells(row[4]),
    owner: uid === undefined ? NOBODY : { type: "pod", namespace: "", name: "", uid },
    network: "",
    deviceID: "",
    how: "dynamic",
    createdAt: row[5],
  };
}

function poolAt(pools: readonly PoolID[], index: number): PoolID {
  const pool = pools[index];
  if (pool === undefined) throw new Error(`the record names no pool ${index}`);
  return pool;
}

/** Nearly every reservation has one address: then no list is written. */
function toCells(addresses: readonly Address[]): AddressCell | AddressCell[] {
  const [first, ...further] = addresses.map(toCell);
  if (first === undefined) throw new Error("a reservation has at least one address");
  return further.length === 0 ? first : [first, ...further];
}

function fromCells(cells: AddressCell | AddressCell[]): Address[] {
  return typeof cells === "object" ? cells.map(fromCell) : [fromCell(cells)];
}

function toCell({ family, value }: Address): AddressCell {
  return family === 4 ? Number(value) : value.toString(16);
}

function fromCell(cell: AddressCell): Address {
  return typeof cell === "number" ? { family: 4, value: BigInt(cell) } : { family: 6, value: BigInt(`0x${cell}`) };
}
