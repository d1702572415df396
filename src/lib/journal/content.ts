/**
 * What the records of a store say: changes, as JSON texts that stand for themselves. A snapshot holds the same records as a
 * journal: those that make its state out of nothing.
 *
 * A body is `[pools, rows]`: the pools that its rows name by their index, each `[kind, name, uid]`, and one row a change.
 */
import type { PoolKind } from "../api/types.ts";
import { type Address, sameAddress } from "../ip/address.ts";
import type {
  Change,
  How,
  LedgerSnapshot,
  Owner,
  PoolID,
  PoolRecord,
  Reservation,
} from "../reservations/reservation.ts";
import { asciiJson } from "./format.ts";

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
/** `podUID` only where there is no container id. */
type ReleaseRow = ["-", pool: number, containerID: string, ifname: string, address: AddressCell, podUID?: string];
type Row =
  | ReserveRow
  | ReleaseRow
  | ["cursor", pool: number, address: AddressCell]
  | ["config", pool: number, config: string]
  | ["exported", checksum: number];

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const NOBODY: Owner = { type: "none" };

/** The body of a record with these changes. */
export function encodeChanges(changes: Iterable<StoredChange>): string {
  const pools: PoolRow[] = [];
  const indexes = new Map<string, number>();
  const indexOf = ({ kind, name, uid }: PoolID): number => {
    const key = `${kind} ${name} ${uid}`;
    const index = indexes.get(key) ?? pools.push([kind, name, uid]) - 1;
    indexes.set(key, index);
    return index;
  };
  return asciiJson([pools, Array.from(changes, (change) => toRow(change, indexOf))]);
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
  const [first, ...further] = addresses.map(toCell);
  if (first === undefined) throw new Error("a reservation has at least one address");
  const cells = further.length === 0 ? first : [first, ...further];
  const row: ReserveRow = ["+", pool, containerID, ifname, cells, createdAt, how, network, deviceID];
  if (owner.type === "pod") row.push(owner.namespace, owner.name, owner.uid);
  return row;
}

function toReleaseRow({ containerID, ifname, addresses, owner }: Reservation, pool: number): ReleaseRow {
  const [first] = addresses.map(toCell);
  if (first === undefined) throw new Error("a reservation has at least one address");
  const row: ReleaseRow = ["-", pool, containerID, ifname, first];
  if (containerID === "" && owner.type === "pod") row.push(owner.uid);
  return row;
}

/** The state that records make, one after the other. */
export class Content {
  readonly #reservations: (Reservation | undefined)[] = [];
  /** Where the reservations of a container stand in that list. */
  readonly #places = new Map<string, number | number[]>();
  readonly #records = new Map<string, Writable<PoolRecord>>();
  readonly #pools = new Map<string, PoolID>();
  #lastPool: PoolID | undefined;
  #exported: number | undefined;

  /** Does what a record's body says. Throws when the body is none of ours. */
  apply(body: string): void {
    const [poolRows, rows] = JSON.parse(body) as [PoolRow[], Row[]];
    const pools = poolRows.map((row) => this.#pool(row));
    for (const row of rows) this.#applyRow(row, pools);
  }

  /** The checksum of the file of the original's that holds this state or an earlier one, if there is one. */
  get exported(): number | undefined {
    return this.#exported;
  }

  /** Drops the earlier claims of addresses that are claimed twice: their release is among what could not be read. */
  dropOutdatedClaims(): void {
    const taken = new Set<string>();
    for (let place = this.#reservations.length - 1; place >= 0; place--) {
      const reservation = this.#reservations[place];
      if (reservation === undefined) continue;
      const { kind, name } = reservation.pool;
      const claims = reservation.addresses.map(({ family, value }) => `${kind} ${name} ${family} ${value}`);
      if (claims.some((claim) => taken.has(claim))) this.#reservations[place] = undefined;
      else for (const claim of claims) taken.add(claim);
    }
  }

  snapshot(): LedgerSnapshot {
    const reservations = this.#reservations.filter((reservation) => reservation !== undefined);
    return { reservations, pools: Array.from(this.#records.values(), (record) => ({ ...record })) };
  }

  #applyRow(row: Row, pools: readonly PoolID[]): void {
    switch (row[0]) {
      case "+":
        this.#reserve(row, poolAt(pools, row[1]));
        break;
      case "-":
        this.#release(row, poolAt(pools, row[1]));
        break;
      case "cursor":
        this.#record(poolAt(pools, row[1])).cursor = fromCell(row[2]);
        break;
      case "config":
        this.#record(poolAt(pools, row[1])).config = row[2];
        break;
      case "exported":
        this.#exported = row[1];
        break;
      default:
        throw new Error(`the record has an unknown change ${String(row[0])}`);
    }
  }

  #reserve(row: ReserveRow, pool: PoolID): void {
    const containerID = row[2];
    const uid = row[11];
    const owner: Owner =
      uid === undefined ? NOBODY : { type: "pod", namespace: row[9] ?? "", name: row[10] ?? "", uid };
    const cells = row[4];
    const reservation = {
      containerID,
      ifname: row[3],
      pool,
      addresses: typeof cells === "object" ? cells.map(fromCell) : [fromCell(cells)],
      owner,
      network: row[7],
      deviceID: row[8],
      how: row[6],
      createdAt: row[5],
    };
    const place = this.#reservations.push(reservation) - 1;
    const key = placeKey(containerID, uid);
    const places = this.#places.get(key);
    if (places === undefined) this.#places.set(key, place);
    else if (typeof places === "number") this.#places.set(key, [places, place]);
    else places.push(place);
  }

  #release(row: ReleaseRow, pool: PoolID): void {
    const key = placeKey(row[2], row[5]);
    const places = this.#places.get(key) ?? [];
    const address = fromCell(row[4]);
    const found = [places].flat().find((place) => {
      const kept = this.#reservations[place];
      const [first] = kept?.addresses ?? [];
      return kept?.ifname === row[3] && kept.pool === pool && first !== undefined && sameAddress(first, address);
    });
    if (found === undefined) return;
    this.#reservations[found] = undefined;
    if (typeof places === "number") this.#places.delete(key);
    else places.splice(places.indexOf(found), 1);
  }

  #record(pool: PoolID): Writable<PoolRecord> {
    const key = `${pool.kind} ${pool.name}`;
    let record = this.#records.get(key);
    if (record === undefined) {
      record = { pool };
      this.#records.set(key, record);
    }
    record.pool = pool;
    return record;
  }

  #pool([kind, name, uid]: PoolRow): PoolID {
    const last = this.#lastPool;
    if (last !== undefined && last.name === name && last.uid === uid && last.kind === kind) return last;
    const key = `${kind} ${name} ${uid}`;
    const pool = this.#pools.get(key) ?? { kind, name, uid };
    this.#pools.set(key, pool);
    this.#lastPool = pool;
    return pool;
  }
}

function poolAt(pools: readonly PoolID[], index: number): PoolID {
  const pool = pools[index];
  if (pool === undefined) throw new Error(`the record names no pool ${index}`);
  return pool;
}

/** Rebuilt reservations have no container id: their pods tell them apart. */
function placeKey(containerID: string, uid: string | undefined): string {
  return containerID === "" ? `pod ${uid ?? ""}` : containerID;
}

function toCell({ family, value }: Address): AddressCell {
  return family === 4 ? Number(value) : value.toString(16);
}

function fromCell(cell: AddressCell): Address {
  return typeof cell === "number" ? { family: 4, value: BigInt(cell) } : { family: 6, value: BigInt(`0x${cell}`) };
}
