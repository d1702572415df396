import type { Allocation } from "../../reservations/ledger.ts";
import type { Reservation } from "../../reservations/reservation.ts";

/**
 * New reservations that no caller has been told of yet (R3). An ADD may be repeated while the first one still waits for the
 * disk: the reservation is taken back only when the last of its callers has gone and none of them was told.
 */
export class Untold {
  /** How many calls wait to tell each of them. */
  readonly #waiting = new Map<Reservation, number>();

  /** A call is about to tell of these allocations. Gives its reservations that nobody was told of, for told and leave. */
  join(allocations: readonly Allocation[]): readonly Reservation[] {
    const untold = allocations
      .filter(({ reservation, isNew }) => isNew || this.#waiting.has(reservation))
      .map(({ reservation }) => reservation);
    for (const reservation of untold) this.#waiting.set(reservation, (this.#waiting.get(reservation) ?? 0) + 1);
    return untold;
  }

  /** The call's caller is told. */
  told(reservations: readonly Reservation[]): void {
    for (const reservation of reservations) this.#waiting.delete(reservation);
  }

  /** The call ends without telling anybody. Gives those reservations that nobody waits for any more. */
  leave(reservations: readonly Reservation[]): readonly Reservation[] {
    return reservations.filter((reservation) => {
      const waiting = this.#waiting.get(reservation);
      if (waiting === undefined) return false;
      if (waiting > 1) this.#waiting.set(reservation, waiting - 1);
      else this.#waiting.delete(reservation);
      return waiting === 1;
    });
  }
}
