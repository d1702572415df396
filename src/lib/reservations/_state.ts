/** What a ledger remembers, and the single steps that change it. */
import type { PoolKind } from "../api/types.ts";
import type { Address } from "../ip/address.ts";
import { Occupancy } from "./_occupancy.ts";
import { Records } from "./_records.ts";
import { addressesOf, type Entry } from "./entry.ts";
import type { Change, LedgerImage, PoolID, PoolRecord, Reservation } from "./reservation.ts";

/** A pool as requests name it; the uid does not matter to who holds what. */
export type PoolName = Pick<PoolID, "kind" | "name">;

/** Two or more reservations of one address in one pool. It stays taken until all of them are gone. */
export interface Conflict {
  readonly pool: PoolName;
  readonly address: Address;
  readonly reservations: readonly Reservation[];
}

/** Reservations, taken addresses, cursors and configurations. */
export class State {
  readonly records = new Records();
  readonly #occupancies: Record<PoolKind, Map<string, Occupancy>> = { IPPool: new Map(), CIDRPool: new Map() };

  /** The whole content as it is now. */
  image(): LedgerImage {
    const pools: PoolRecord[] = [];
    for (const { pool, cursor, config } of this.#allOccupancies()) {
      if (cursor === undefined && config === undefined) continue;
      pools.push({ pool, ...(cursor !== undefined && { cursor }), ...(config !== undefined && { config }) });
    }
    return { entries: this.records.entries().slice(), pools };
  }

  /** The use of the pools of that kind and name, whatever their uid. */
  occupancyOf(pool: PoolID): Occupancy {
    const ofKind = this.#occupancies[pool.kind];
    let occupancy = ofKind.get(pool.name);
    if (occupancy === undefined) {
      occupancy = new Occupancy(pool);
      ofKind.set(pool.name, occupancy);
    }
    return occupancy;
  }

  /** Does a step. One that is done already changes nothing. */
  redo(change: Change): void {
    switch (change.type) {
      case "reserve":
        this.#put(change.place, change.entry);
        break;
      case "release":
        this.#remove(change.place, { rests: true });
        break;
      case "cursor":
        this.#setCursor(change.pool, change.address);
        break;
      case "config":
        this.#setConfig(change.pool, change.config);
        break;
    }
  }

  /** Takes a step back. */
  takeBack(change: Change): void {
    switch (change.type) {
      case "reserve":
        this.#remove(change.place, { rests: false });
        break;
      case "release":
        if (change.before !== undefined) this.#put(change.place, change.before);
        break;
      case "cursor":
        this.#setCursor(change.pool, change.before);
        break;
      case "config":
        this.#setConfig(change.pool, change.before);
        break;
    }
  }

  /** The addresses that more than one reservation claims. Looks at the reservations only when there are such addresses. */
  conflicts(): readonly Conflict[] {
    if (!this.#allOccupancies().some(({ hasConflicts }) => hasConflicts)) return [];
    const found = new Map<string, { pool: PoolName; address: Address; reservations: Reservation[] }>();
    for (const reservation of this.records.where(() => true)) {
      const { pool } = reservation;
      const occupancy = this.occupancyOf(pool);
      for (const address of reservation.addresses.filter((each) => occupancy.isInConflict(each))) {
        const key = `${pool.kind}/${pool.name}/${address.family}/${address.value}`;
        const conflict = found.get(key);
        if (conflict === undefined) found.set(key, { pool, address, reservations: [reservation] });
        else conflict.reservations.push(reservation);
      }
    }
    return [...found.values()];
  }

  #allOccupancies(): readonly Occupancy[] {
    return [...this.#occupancies.IPPool.values(), ...this.#occupancies.CIDRPool.values()];
  }

  /** Where records were lost, something may stand at the place still: it was released, or the place would not be another's. */
  #put(place: number, entry: Entry): void {
    this.#remove(place, { rests: true });
    this.records.put(place, entry);
    const occupancy = this.occupancyOf(entry.pool);
    for (const address of addressesOf(entry)) occupancy.claim(address);
  }

  #remove(place: number, { rests }: { readonly rests: boolean }): void {
    const removed = this.records.remove(place);
    if (removed === undefined) return;
    const occupancy = this.occupancyOf(removed.pool);
    for (const address of addressesOf(removed)) occupancy.unclaim(address, { rests });
  }

  #setCursor(pool: PoolID, cursor: Address | undefined): void {
    const occupancy = this.occupancyOf(pool);
    occupancy.pool = pool;
    occupancy.cursor = cursor;
  }

  #setConfig(pool: PoolID, config: string | undefined): void {
    const occupancy = this.occupancyOf(pool);
    occupancy.pool = pool;
    occupancy.config = config;
  }
}
