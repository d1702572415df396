/** What is kept in a store: a state that says how it changes, and can be changed back. The ledger is one. */
import type { Change, LedgerSnapshot } from "../reservations/reservation.ts";

/** A state that a store keeps. */
export interface Journaled {
  /** The changes since the last call, in order: one transaction. */
  takeChanges(): readonly Change[];
  /** Takes changes back, the last one first. */
  undo(changes: readonly Change[]): void;
  /**
   * Does changes that were read from a store, without recording them. A released reservation is given by its pool,
   * attachment, addresses, time and pod UID only.
   */
  apply(changes: readonly Change[]): void;
  /** The whole content. What is in it never changes. */
  snapshot(): LedgerSnapshot;
}
