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

  readonly #family: Family;
  /** Reads the blocks, until that has been done. */
  #read: (() => readonly Interval[]) | undefined;
  #columns: Columns | undefined;

  private constructor(family: Family, read: () => readonly Interval[]) {
    this.#family = family;
    this.#read = read;
  }

  /** The table of these blocks, in any order, all of the family. O(n log n). */
  static of(family: Family, blocks: readonly Interval[]): BlockTable {
    return BlockTable.lazy(family, () => blocks);
  }

  /**
   * The same of blocks that are read when the table is first asked: few requests ask by name, and other nodes' blocks change
   * with every node that comes or goes.
   */
  static lazy(family: Family, read: () => readonly Interval[]): BlockTable {
    return new BlockTable(family, read);
  }

  /** How many blocks there are. */
  get size(): number {
    return this.#sorted().firsts.length;
  }

  /** The first address of the block that holds the address; undefined when none does. The family is the table's. O(log n). */
  firstOfBlockWith(value: bigint): bigint | undefined {
    const { firsts, lasts } = this.#sorted();
    let low = 0;
    let high = firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (firsts.at(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return low > 0 && lasts.at(low - 1) >= value ? firsts.at(low - 1) : undefined;
  }

  #sorted(): Columns {
    if (this.#columns !== undefined) return this.#columns;
    const column = this.#family === 4 ? column4 : column6;
    const blocks = this.#read?.() ?? [];
    this.#read = undefined;
    this.#columns = { firsts: column(blocks.map(({ first }) => first)), lasts: column(blocks.map(({ last }) => last)) };
    return this.#columns;
  }
}

interface Columns {
  readonly firsts: Column;
  readonly lasts: Column;
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
