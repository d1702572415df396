import type { Allocation } from "../../reservations/ledger.ts";

/**
 * New reservations that no caller has been told of yet (R3). An ADD may be repeated while the first one still waits for the
 * disk: the reservation is taken back only when the last of its callers has gone and none of them was told.
 */
export class Untold {
  /** How many calls wait to tell each of them, by its identity. */
  readonly #waiting = new Map<string, number>();

  /** A call is about to tell of these allocations. Gives those that nobody was told of, for told and leave. */
  join(allocations: readonly Allocation[]): readonly Allocation[] {
    const untold = allocations.filter(({ identity, isNew }) => isNew || this.#waiting.has(identity));
    for (const { identity } of untold) this.#waiting.set(identity, (this.#waiting.get(identity) ?? 0) + 1);
    return untold;
  }

  /** The call's caller is told. */
  told(allocations: readonly Allocation[]): void {
    for (const { identity } of allocations) this.#waiting.delete(identity);
  }

  /** The call ends without telling anybody. Gives those that nobody waits for any more. */
  leave(allocations: readonly Allocation[]): readonly Allocation[] {
    return allocations.filter(({ identity }) => {
      const waiting = this.#waiting.get(identity);
      if (waiting === undefined) return false;
      if (waiting > 1) this.#waiting.set(identity, waiting - 1);
      else this.#waiting.delete(identity);
      return waiting === 1;
    });
  }
}
