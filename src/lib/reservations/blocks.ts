/** The blocks that other nodes have of a pool, as compact as can be: every node keeps them for every pool (R10). Pure. */
import type { Family } from "../ip/address.ts";
import type { Interval } from "../ip/intervals.ts";

/**
 * First and last address of each block in sorted typed arrays: 8 bytes a block for IPv4, 32 for IPv6.
 *
 * The firsts and the lasts are sorted each by themselves. An address lies in some block when more blocks begin at it or
 * before it than end before it; that holds even for blocks that overlap, which a damaged status may have.
 */
export class BlockTable {
  /** A table without blocks. */
  static readonly none: BlockTable = BlockTable.of(4, []);

  readonly #firsts: Column;
  readonly #lasts: Column;

  private constructor(firsts: Column, lasts: Column) {
    this.#firsts = firsts;
    this.#lasts = lasts;
  }

  /** The table of these blocks, in any order, all of the family. O(n log n). */
  static of(family: Family, blocks: readonly Interval[]): BlockTable {
    const column = family === 4 ? column4 : column6;
    return new BlockTable(column(blocks.map(({ first }) => first)), column(blocks.map(({ last }) => last)));
  }

  /** How many blocks there are. */
  get size(): number {
    return this.#firsts.length;
  }

  /** The first address of the block that holds the address; undefined when none does. The family is the table's. O(log n). */
  firstOfBlockWith(value: bigint): bigint | undefined {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firsts.at(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return low > 0 && this.#lasts.at(low - 1) >= value ? this.#firsts.at(low - 1) : undefined;
  }
}

/** Addresses in ascending order. */
interface Column {
  readonly length: number;
  at(index: number): bigint;
}

function column4(values: readonly bigint[]): Column {
  const words = Uint32Array.from(values, Number).sort();
  return { length: words.length, at: (index) => BigInt(words[index] ?? 0) };
}

function column6(values: readonly bigint[]): Column {
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const high = BigUint64Array.from(sorted, (value) => value >> 64n);
  const low = BigUint64Array.from(sorted, (value) => value & 0xffff_ffff_ffff_ffffn);
  return { length: sorted.length, at: (index) => ((high[index] ?? 0n) << 64n) | (low[index] ?? 0n) };
}
