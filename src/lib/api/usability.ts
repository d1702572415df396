/** Which of a pool's blocks are worth dealing (R8). Bounded by the number of exclusions, never by that of blocks (R9). */
import { type Address, parseAddress, type Range, sameAddress } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { usableAddresses } from "../ip/usable.ts";
import { assignable, blockAt, type Division, gatewayOf } from "./division.ts";
import type { AppliedSpec, ExcludeIndexRange, ExcludeRange } from "./types.ts";

/** The addresses that a valid spec's exclusions name, merged. */
export function exclusionSet(exclusions: readonly ExcludeRange[] | undefined): IntervalSet {
  return IntervalSet.of(
    (exclusions ?? []).flatMap(({ startIP, endIP }) => {
      const first = parseAddress(startIP)?.value;
      const last = parseAddress(endIP)?.value;
      return first === undefined || last === undefined || first > last ? [] : { first, last };
    }),
  );
}

/** The indexes that a valid spec's perNodeExclusions name, merged. */
export function indexExclusionSet(exclusions: readonly ExcludeIndexRange[] | undefined): IntervalSet {
  return IntervalSet.of(
    (exclusions ?? []).flatMap(({ startIndex, endIndex }) =>
      startIndex > endIndex ? [] : { first: BigInt(startIndex), last: BigInt(endIndex) },
    ),
  );
}

/** What a valid spec leaves of its blocks. */
export class Usability {
  /** Whether any block at all has a usable address when exclusions are left aside; if not, blocks are dealt as asked. */
  readonly geometryIsUsable: boolean;
  /** Whether perNodeExclusions alone cover each block: then none is dealt, as the original does. */
  readonly allIsExcluded: boolean;
  /** Indexes of the blocks that are not dealt. */
  readonly undealable: IntervalSet;

  readonly #spec: AppliedSpec;
  readonly #division: Division;
  readonly #exclusions: IntervalSet;
  readonly #indexes: IntervalSet;
  /** An IPPool's gateway. */
  readonly #poolGateway: bigint | undefined;
  /** Whether a block has a usable address when neither an exclusion nor an IPPool's gateway is in it. */
  readonly #plainIsUsable: boolean;

  constructor(spec: AppliedSpec, division: Division) {
    this.#spec = spec;
    this.#division = division;
    this.#exclusions = exclusionSet(spec.exclusions);
    this.#indexes = indexExclusionSet(spec.perNodeExclusions);

    const sample = blockAt(division, 0n);
    this.#poolGateway = "cidr" in spec ? undefined : gatewayOf(spec, sample)?.value;
    const plainGateway = "cidr" in spec ? gatewayOf(spec, sample) : undefined;
    this.#plainIsUsable = !this.#usable(sample, plainGateway, IntervalSet.empty).isEmpty;
    this.geometryIsUsable =
      division.count > 1n
        ? this.#plainIsUsable
        : !this.#usable(sample, gatewayOf(spec, sample), IntervalSet.empty).isEmpty;
    this.allIsExcluded = this.#isExcluded(sample, IntervalSet.empty);
    this.undealable = this.#undealable();
  }

  /**
   * Whether pods of the block's node can get an address from it without asking for a certain one.
   *
   * @param gateway the gateway of that node's pods; where it is the one that gateway or gatewayIndex says, leave it out.
   */
  hasUsableAddress(block: Range, gateway?: Address): boolean {
    const own = gatewayOf(this.#spec, block);
    const isPlain = gateway === undefined || (own !== undefined && sameAddress(gateway, own));
    if (isPlain && this.#isUntouched(block)) return this.#plainIsUsable;
    return !this.#usable(block, gateway ?? own, this.#exclusions).isEmpty;
  }

  #isUntouched({ first, last }: Range): boolean {
    const gateway = this.#poolGateway;
    if (gateway !== undefined && first <= gateway && gateway <= last) return false;
    const next = this.#exclusions.intervals[this.#exclusions.indexFrom(first)];
    return next === undefined || next.first > last;
  }

  #usable(block: Range, gateway: Address | undefined, exclusions: IntervalSet): IntervalSet {
    return usableAddresses({
      block,
      network: this.#networkOf(block),
      gateway,
      exclusions,
      indexExclusions: this.#indexes,
    });
  }

  /** Whether exclusions and perNodeExclusions cover the block; a prefix's broadcast address is left aside. */
  #isExcluded(block: Range, exclusions: IntervalSet): boolean {
    const isPrefix = this.#division.nodePrefixLength !== undefined;
    const range = { first: block.first, last: isPrefix ? assignable(this.#networkOf(block)).last : block.last };
    const byIndex = this.#indexes.intervals.map(({ first, last }) => ({
      first: block.first + first,
      last: block.first + last,
    }));
    return IntervalSet.of([...exclusions.clip(range).intervals, ...byIndex]).gaps(range).isEmpty;
  }

  #networkOf(block: Range): Range & { readonly prefixLength: number } {
    const { nodePrefixLength, network } = this.#division;
    return nodePrefixLength === undefined ? network : { ...block, prefixLength: nodePrefixLength };
  }

  #isDealable(block: Range): boolean {
    const isSingleAddress = !("cidr" in this.#spec) && this.#division.blockSize === 1n;
    if (this.geometryIsUsable || isSingleAddress) return this.hasUsableAddress(block);
    return !this.#isExcluded(block, this.#exclusions);
  }

  #undealable(): IntervalSet {
    const { count } = this.#division;
    if (this.allIsExcluded) return IntervalSet.of([{ first: 0n, last: count - 1n }]);
    const found: Interval[] = [];
    for (const { first, last } of this.#exclusions.intervals) {
      const begins = this.#indexAt(first);
      const ends = this.#indexAt(last);
      if (begins + 1n <= ends - 1n) found.push({ first: begins + 1n, last: ends - 1n });
      found.push({ first: begins, last: begins }, { first: ends, last: ends });
    }
    if (this.#poolGateway !== undefined) {
      const index = this.#indexAt(this.#poolGateway);
      found.push({ first: index, last: index });
    }
    const inside = found.filter(({ first, last }) => first < last || this.#isUndealableIndex(first));
    return IntervalSet.of(inside).clip({ first: 0n, last: count - 1n });
  }

  #isUndealableIndex(index: bigint): boolean {
    return index >= 0n && index < this.#division.count && !this.#isDealable(blockAt(this.#division, index));
  }

  /** Index of the block that the address is in; below 0 and from `count` on where it is in none. */
  #indexAt(value: bigint): bigint {
    const { first, blockSize } = this.#division;
    return value < first ? -1n : (value - first) / blockSize;
  }
}
