/** Addresses that are spoken for, of both families. */
import type { Family, Range } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";

/** An immutable set of blocks. */
export class Occupied {
  /** Nothing. */
  static readonly none: Occupied = new Occupied(IntervalSet.empty, IntervalSet.empty);

  readonly #ipv4: IntervalSet;
  readonly #ipv6: IntervalSet;

  private constructor(ipv4: IntervalSet, ipv6: IntervalSet) {
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  /** The set with further blocks. Neighbours merge, so adding to a set costs its number of gaps rather than of blocks. */
  with(blocks: readonly Range[]): Occupied {
    if (blocks.length === 0) return this;
    const add = (set: IntervalSet, family: Family): IntervalSet => {
      const added = blocks.filter((block) => block.family === family);
      return added.length === 0 ? set : IntervalSet.of([...set.intervals, ...added]);
    };
    return new Occupied(add(this.#ipv4, 4), add(this.#ipv6, 6));
  }

  /** Whether an address of the block is spoken for. */
  overlaps(block: Range): boolean {
    const next = this.#nextTo(block);
    return next !== undefined && next.first <= block.last;
  }

  /** Whether every address of the block is spoken for. */
  covers(block: Range): boolean {
    const next = this.#nextTo(block);
    return next !== undefined && next.first <= block.first && next.last >= block.last;
  }

  /** Where the block begins or behind it. */
  #nextTo({ family, first }: Range): Interval | undefined {
    const set = this.of(family);
    return set.intervals[set.indexFrom(first)];
  }

  /** The addresses of one family. */
  of(family: Family): IntervalSet {
    return family === 4 ? this.#ipv4 : this.#ipv6;
  }
}
