/** Which addresses are taken in the pools of one kind and name, whatever their uid was, and how far round-robin has come. */
import type { Address, Family } from "../ip/address.ts";
import { SparseBitmap } from "../ip/bitmap.ts";
import type { IntervalSet } from "../ip/intervals.ts";
import type { PoolID } from "./reservation.ts";

/**
 * How many released addresses rest. Main plugins such as macvlan release an address before they remove the interface that has
 * it, and neighbours remember whose it was: it is better given again later than at once.
 */
const RESTING = 64;

/** The use of one pool on this node. */
export class Occupancy {
  /** The pool object that cursor and config were noted for last. */
  pool: PoolID;
  cursor: Address | undefined;
  config: string | undefined;
  readonly #taken: Record<Family, SparseBitmap> = { 4: new SparseBitmap(), 6: new SparseBitmap() };
  readonly #resting: Record<Family, Set<bigint>> = { 4: new Set(), 6: new Set() };
  /** How many claims an address has beyond the first: none but in a store that was damaged or rebuilt. */
  readonly #furtherClaims = new Map<string, number>();

  constructor(pool: PoolID) {
    this.pool = pool;
  }

  /** How many addresses are taken. */
  get size(): number {
    return this.#taken[4].size + this.#taken[6].size;
  }

  /** The taken addresses of the family, for the search. */
  taken(family: Family): SparseBitmap {
    return this.#taken[family];
  }

  /** The addresses that were released last and are free, in the order in which they were. */
  resting(family: Family): ReadonlySet<bigint> {
    return this.#resting[family];
  }

  isTaken({ family, value }: Address): boolean {
    return this.#taken[family].has(value);
  }

  /** How many of the addresses are taken. */
  countTaken(family: Family, among: IntervalSet): number {
    let total = 0;
    for (const { first, last } of among.intervals) total += this.#taken[family].count(first, last);
    return total;
  }

  claim(address: Address): void {
    this.#resting[address.family].delete(address.value);
    if (this.#taken[address.family].set(address.value)) return;
    const key = claimKey(address);
    this.#furtherClaims.set(key, (this.#furtherClaims.get(key) ?? 0) + 1);
  }

  /** Gives one claim up; the address is free when it was the last. @param rests whether it was in use, and rests therefore. */
  unclaim(address: Address, { rests }: { readonly rests: boolean }): void {
    const key = claimKey(address);
    const further = this.#furtherClaims.get(key);
    if (further === undefined) this.#free(address, rests);
    else if (further === 1) this.#furtherClaims.delete(key);
    else this.#furtherClaims.set(key, further - 1);
  }

  #free({ family, value }: Address, rests: boolean): void {
    this.#taken[family].clear(value);
    if (!rests) return;
    const resting = this.#resting[family];
    resting.add(value);
    const [first] = resting;
    if (resting.size > RESTING && first !== undefined) resting.delete(first);
  }

  /** Whether any address has more than one claim. */
  get hasConflicts(): boolean {
    return this.#furtherClaims.size > 0;
  }

  /** Whether the address has more than one claim. */
  isInConflict(address: Address): boolean {
    return this.#furtherClaims.has(claimKey(address));
  }
}

function claimKey({ family, value }: Address): string {
  return `${family}/${value}`;
}
