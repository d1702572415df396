/** What is kept in a store: a state that says how it changes, and can be changed back. The ledger is one. */
import type { Change, LedgerImage } from "../reservations/reservation.ts";

/** A state that a store keeps. */
export interface Journaled {
  /** The changes since the last call, in order: one transaction. */
  takeChanges(): readonly Change[];
  /** Takes changes back, the last one first. */
  undo(changes: readonly Change[]): void;
  /** Does changes that were read from a store, without recording them. */
  apply(changes: Iterable<Change>): void;
  /** The whole content. What is in it never changes. */
  image(): LedgerImage;
}
