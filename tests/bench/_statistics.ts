/** The middle of repeated measurements, and how far they lie apart. */

/** A median and the quartiles around it. */
export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** The value below which the share `q` (0 to 1) of the values lies. @throws when there are none. */
export function quantile(values: Iterable<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  if (value === undefined) throw new Error("nothing was measured");
  return value;
}

/** The middle one of the values. */
export function median(values: Iterable<number>): number {
  return quantile(values, 0.5);
}

/**
 * How many times as large the first series is as the second. Both were taken alternately, so the n-th of one belongs to the
 * n-th of the other: what slows the machine down for a while slows both, and their ratio stays.
 */
export function pairedRatio(values: readonly number[], beside: readonly number[]): Spread {
  const ratios = values.map((value, index) => value / (beside[index] ?? Number.NaN));
  return { low: quantile(ratios, 0.25), median: median(ratios), high: quantile(ratios, 0.75) };
}

/** The medians of each `length` values in turn: single calls differ too much to be paired one by one. */
export function mediansOf(values: readonly number[], length: number): number[] {
  return Array.from({ length: Math.floor(values.length / length) }, (_, index) =>
    median(values.slice(index * length, (index + 1) * length)),
  );
}
