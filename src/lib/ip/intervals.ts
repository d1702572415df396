/**
 * Sets of addresses as merged intervals. Pure. Every operation is bounded by the number of intervals, never by the number
 * of addresses in them (R9).
 */

/** An inclusive interval of address values; `first <= last`. Every Range and Cidr is one. */
export interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

/** An immutable set of address values of one family (the caller keeps families apart), kept as sorted intervals that neither overlap nor touch. */
export class IntervalSet {
  /** The set of nothing. */
  static readonly empty: IntervalSet = new IntervalSet([]);

  /** The members, sorted; two neighbours have at least one value between them. */
  readonly intervals: readonly Interval[];

  private constructor(merged: readonly Interval[]) {
    this.intervals = merged;
  }

  /** The union of the intervals, which may be in any order, overlap and repeat. O(n log n). */
  static of(intervals: Iterable<Interval>): IntervalSet {
    const sorted = [...intervals].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
    const merged: { first: bigint; last: bigint }[] = [];
    for (const { first, last } of sorted) {
      const previous = merged.at(-1);
      if (previous === undefined || first > previous.last + 1n) merged.push({ first, last });
      else if (last > previous.last) previous.last = last;
    }
    return merged.length === 0 ? IntervalSet.empty : new IntervalSet(merged);
  }

  /** Whether nothing is in the set. */
  get isEmpty(): boolean {
    return this.intervals.length === 0;
  }

  /** Whether the value is in the set. O(log n). */
  contains(value: bigint): boolean {
    const candidate = this.intervals[this.indexFrom(value)];
    return candidate !== undefined && candidate.first <= value;
  }

  /** The first value that is `from` or greater and not in the set. It may lie beyond the end of the address space. O(log n). */
  nextGap(from: bigint): bigint {
    const candidate = this.intervals[this.indexFrom(from)];
    return candidate !== undefined && candidate.first <= from ? candidate.last + 1n : from;
  }

  /** Index of the first interval that ends at `value` or after it; the number of intervals when there is none. O(log n). */
  indexFrom(value: bigint): number {
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const interval = this.intervals[middle];
      if (interval !== undefined && interval.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What of the set lies inside `within`. O(log n + size of the result). */
  clip(within: Interval): IntervalSet {
    const clipped: Interval[] = [];
    for (let i = this.indexFrom(within.first); i < this.intervals.length; i++) {
      const interval = this.intervals[i];
      if (interval === undefined || interval.first > within.last) break;
      clipped.push({
        first: larger(interval.first, within.first),
        last: smaller(interval.last, within.last),
      });
    }
    return clipped.length === 0 ? IntervalSet.empty : new IntervalSet(clipped);
  }

  /** What of `within` is not in the set. O(log n + size of the result). */
  gaps(within: Interval): IntervalSet {
    const gaps: Interval[] = [];
    let from = within.first;
    for (const { first, last } of this.clip(within).intervals) {
      if (from < first) gaps.push({ first: from, last: first - 1n });
      from = last + 1n;
    }
    if (from <= within.last) gaps.push({ first: from, last: within.last });
    return gaps.length === 0 ? IntervalSet.empty : new IntervalSet(gaps);
  }

  /** How many values are in the set. O(n). */
  count(): bigint {
    let total = 0n;
    for (const { first, last } of this.intervals) total += last - first + 1n;
    return total;
  }
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}
