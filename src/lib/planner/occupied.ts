/** Addresses that are spoken for, of both families. */
import type { Family, Range } from "../ip/address.ts";
import { IntervalSet } from "../ip/intervals.ts";

/** An immutable set of blocks. Fast to make from blocks that are sorted already. */
export class Occupied {
  readonly #sets: Readonly<Record<Family, IntervalSet>>;

  constructor(blocks: readonly Range[]) {
    const of = (family: Family) => IntervalSet.of(blocks.filter((block) => block.family === family));
    this.#sets = { 4: of(4), 6: of(6) };
  }

  /** Whether an address of the block is spoken for. */
  overlaps(block: Range): boolean {
    const set = this.#sets[block.family];
    const next = set.intervals[set.indexFrom(block.first)];
    return next !== undefined && next.first <= block.last;
  }

  /** The addresses of one family. */
  of(family: Family): IntervalSet {
    return this.#sets[family];
  }
}
