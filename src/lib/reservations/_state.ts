/** What a ledger remembers, and the single steps that change it. */
import type { PoolKind } from "../api/types.ts";
import type { Address } from "../ip/address.ts";
import { Occupancy } from "./_occupancy.ts";
import { Records } from "./_records.ts";
import type { Change, LedgerSnapshot, PoolID, PoolRecord, Reservation } from "./reservation.ts";

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

  /** Fills an empty state. */
  load(snapshot: LedgerSnapshot): void {
    for (const reservation of snapshot.reservations) this.#put(reservation);
    for (const { pool, cursor, config } of snapshot.pools) {
      this.#setCursor(pool, cursor);
      this.#setConfig(pool, config);
    }
  }

  /** The whole content. The reservations in it are shared, not copied. */
  snapshot(): LedgerSnapshot {
    const pools: PoolRecord[] = [];
    for (const { pool, cursor, config } of this.#allOccupancies()) {
      if (cursor === undefined && config === undefined) continue;
      pools.push({ pool, ...(cursor !== undefined && { cursor }), ...(config !== undefined && { config }) });
    }
    return { reservations: this.records.values(), pools };
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

  /** Does a step. One that is done already changes nothing. Returns the reservation that the step put in or took out. */
  redo(change: Change): Reservation | undefined {
    switch (change.type) {
      case "reserve":
        return this.#put(change.reservation);
      case "release":
        return this.#remove(change.reservation);
      case "cursor":
        return this.#setCursor(change.pool, change.address);
      case "config":
        return this.#setConfig(change.pool, change.config);
    }
  }

  /** Takes a step back. */
  takeBack(change: Change): void {
    switch (change.type) {
      case "reserve":
        this.#remove(change.reservation);
        break;
      case "release":
        this.#put(change.reservation);
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
    for (const reservation of this.records.values()) {
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

  #put(reservation: Reservation): Reservation {
    if (this.records.put(reservation)) {
      const occupancy = this.occupancyOf(reservation.pool);
      for (const address of reservation.addresses) occupancy.claim(address);
    }
    return reservation;
  }

  #remove(reservation: Reservation): Reservation | undefined {
    const removed = this.records.remove(reservation);
    if (removed === undefined) return undefined;
    const occupancy = this.occupancyOf(removed.pool);
    for (const address of removed.addresses) occupancy.unclaim(address);
    return removed;
  }

  #setCursor(pool: PoolID, cursor: Address | undefined): undefined {
    const occupancy = this.occupancyOf(pool);
    occupancy.pool = pool;
    occupancy.cursor = cursor;
  }

  #setConfig(pool: PoolID, config: string | undefined): undefined {
    const occupancy = this.occupancyOf(pool);
    occupancy.pool = pool;
    occupancy.config = config;
  }
}
