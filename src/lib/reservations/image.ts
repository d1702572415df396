/** The whole content of a ledger, packed and unpacked. */
import { type Entry, toEntry, toReservation } from "./entry.ts";
import type { Change, LedgerImage, LedgerSnapshot, PoolID, PoolRecord } from "./reservation.ts";

/** Packs a content. */
export function toImage({ reservations, pools }: LedgerSnapshot): LedgerImage {
  return { entries: reservations.map(toEntry), pools };
}

/** The content of an image. */
export function toSnapshot({ entries, pools }: LedgerImage): LedgerSnapshot {
  return { reservations: entries.filter((entry) => entry !== undefined).map(toReservation), pools };
}

/** The changes that make a ledger of this content out of an empty one. */
export function* changesOf({ entries, pools }: LedgerImage): Generator<Change, void> {
  for (const { pool, cursor, config } of pools) {
    if (cursor !== undefined) yield { type: "cursor", pool, address: cursor };
    if (config !== undefined) yield { type: "config", pool, config };
  }
  for (const [place, entry] of entries.entries()) if (entry !== undefined) yield { type: "reserve", place, entry };
}

/**
 * The content that changes lead to, of which nothing is asked meanwhile: what came and went again costs next to nothing. Two
 * reservations of one address are kept, as in a ledger.
 */
export class GrowingImage implements LedgerImage {
  readonly entries: (Entry | undefined)[] = [];
  readonly #pools = new Map<string, PoolRecord>();

  get pools(): readonly PoolRecord[] {
    return [...this.#pools.values()];
  }

  /** Does changes, in order. */
  apply(changes: readonly Change[]): void {
    for (const change of changes) {
      switch (change.type) {
        case "reserve":
          while (this.entries.length < change.place) this.entries.push(undefined);
          this.entries[change.place] = change.entry;
          break;
        case "release":
          if (change.place < this.entries.length) this.entries[change.place] = undefined;
          break;
        case "cursor":
          this.#note(change.pool, { cursor: change.address });
          break;
        case "config":
          this.#note(change.pool, { config: change.config });
          break;
      }
    }
  }

  /** The pool object that cursor and configuration were noted for last stands for those of its kind and name. */
  #note(pool: PoolID, noted: Omit<PoolRecord, "pool">): void {
    const key = `${pool.kind}/${pool.name}`;
    this.#pools.set(key, { ...this.#pools.get(key), ...noted, pool });
  }
}
