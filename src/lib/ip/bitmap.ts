/**
 * A set of single addresses as a bitmap whose pages exist only where something is in them. Pure.
 *
 * Addresses are keyed by their own value, not by their place in a block, so that a block that moves keeps its marks. Memory
 * grows with the addresses in the set, and a search costs one step a page, whatever the size of the block (R9).
 */

/** Small, so that an address far from all others costs a few hundred bytes; 65,000 neighbours are 64 pages. */
const PAGE_SIZE = 1024;
const PAGE_SHIFT = 10n;
const OFFSET_MASK = BigInt(PAGE_SIZE - 1);

interface Page {
  readonly words: Uint32Array;
  /** How many bits are set. */
  count: number;
}

/** A mutable set of address values of one family. */
export class SparseBitmap {
  readonly #pages = new Map<bigint, Page>();
  #size = 0;

  /** How many values are in the set. */
  get size(): number {
    return this.#size;
  }

  /** Whether the value is in the set. */
  has(value: bigint): boolean {
    const page = this.#pages.get(value >> PAGE_SHIFT);
    if (page === undefined) return false;
    const offset = offsetOf(value);
    return (wordAt(page, offset >>> 5) & bitOf(offset)) !== 0;
  }

  /** Puts the value in. Returns whether it was new. */
  set(value: bigint): boolean {
    const key = value >> PAGE_SHIFT;
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = { words: new Uint32Array(PAGE_SIZE >>> 5), count: 0 };
      this.#pages.set(key, page);
    }
    const offset = offsetOf(value);
    const word = wordAt(page, offset >>> 5);
    if ((word & bitOf(offset)) !== 0) return false;
    page.words[offset >>> 5] = word | bitOf(offset);
    page.count++;
    this.#size++;
    return true;
  }

  /** Takes the value out. Returns whether it was in. */
  clear(value: bigint): boolean {
    const key = value >> PAGE_SHIFT;
    const page = this.#pages.get(key);
    if (page === undefined) return false;
    const offset = offsetOf(value);
    const word = wordAt(page, offset >>> 5);
    if ((word & bitOf(offset)) === 0) return false;
    page.words[offset >>> 5] = word & ~bitOf(offset);
    page.count--;
    this.#size--;
    if (page.count === 0) this.#pages.delete(key);
    return true;
  }

  /** The first value from `first` to `last`, both included, that is not in the set; undefined when all are in it. */
  nextClear(first: bigint, last: bigint): bigint | undefined {
    let at = first;
    while (at <= last) {
      const key = at >> PAGE_SHIFT;
      const page = this.#pages.get(key);
      if (page === undefined) return at;
      const offset = firstClear(page, offsetOf(at));
      if (offset < PAGE_SIZE) {
        const found = (key << PAGE_SHIFT) + BigInt(offset);
        return found <= last ? found : undefined;
      }
      at = (key + 1n) << PAGE_SHIFT;
    }
    return undefined;
  }

  /** How many values from `first` to `last`, both included, are in the set. */
  count(first: bigint, last: bigint): number {
    const from = first >> PAGE_SHIFT;
    const to = last >> PAGE_SHIFT;
    let total = 0;
    const add = (key: bigint, page: Page): void => {
      total += countBits(page, key === from ? offsetOf(first) : 0, key === to ? offsetOf(last) : PAGE_SIZE - 1);
    };
    if (to - from < BigInt(this.#pages.size)) {
      for (let key = from; key <= to; key++) {
        const page = this.#pages.get(key);
        if (page !== undefined) add(key, page);
      }
    } else {
      for (const [key, page] of this.#pages) if (from <= key && key <= to) add(key, page);
    }
    return total;
  }
}

function offsetOf(value: bigint): number {
  return Number(value & OFFSET_MASK);
}

function bitOf(offset: number): number {
  return 1 << (offset & 31);
}

function wordAt(page: Page, index: number): number {
  return page.words[index] ?? 0;
}

/** The first clear bit of the page at `from` or after it; PAGE_SIZE when there is none. */
function firstClear(page: Page, from: number): number {
  if (page.count === PAGE_SIZE) return PAGE_SIZE;
  let mask = -1 << (from & 31);
  for (let index = from >>> 5; index < page.words.length; index++) {
    const clear = ~wordAt(page, index) & mask;
    if (clear !== 0) return (index << 5) + 31 - Math.clz32(clear & -clear);
    mask = -1;
  }
  return PAGE_SIZE;
}

/** How many bits from `first` to `last`, both included, are set. */
function countBits(page: Page, first: number, last: number): number {
  if (first === 0 && last === PAGE_SIZE - 1) return page.count;
  let total = 0;
  for (let index = first >>> 5; index <= last >>> 5; index++) {
    let word = wordAt(page, index);
    if (index === first >>> 5) word &= -1 << (first & 31);
    if (index === last >>> 5) word &= -1 >>> (31 - (last & 31));
    total += ones(word);
  }
  return total;
}

/** Number of ones in a 32-bit word (Hacker's Delight, 5-1). */
function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  n = (n + (n >>> 4)) & 0x0f0f0f0f;
  return Math.imul(n, 0x01010101) >>> 24;
}
