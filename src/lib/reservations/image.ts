/** The whole content of a ledger, packed and unpacked. */
import { toEntry, toReservation } from "./entry.ts";
import type { Change, LedgerImage, LedgerSnapshot } from "./reservation.ts";

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
