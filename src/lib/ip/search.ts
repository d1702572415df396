/** The search for the next free address, round robin. Pure. */
import type { SparseBitmap } from "./bitmap.ts";
import type { IntervalSet } from "./intervals.ts";

/**
 * The first usable address that is not taken, looked for after `cursor` first and from the beginning when there is none: an
 * address that was given back is not given again before the search has gone round.
 *
 * Costs one step for each interval of `usable` and each full page of `taken` that it passes (R9).
 *
 * @param cursor the address given last; one below, above or between the usable addresses will do. Without it the search
 *   starts at the beginning.
 * @returns undefined when every usable address is taken.
 */
export function nextFree(usable: IntervalSet, taken: SparseBitmap, cursor?: bigint): bigint | undefined {
  if (cursor === undefined) return firstFree(usable, taken, undefined, undefined);
  return firstFree(usable, taken, cursor + 1n, undefined) ?? firstFree(usable, taken, undefined, cursor);
}

function firstFree(
  usable: IntervalSet,
  taken: SparseBitmap,
  from: bigint | undefined,
  to: bigint | undefined,
): bigint | undefined {
  const { intervals } = usable;
  for (let i = from === undefined ? 0 : usable.indexFrom(from); i < intervals.length; i++) {
    const interval = intervals[i];
    if (interval === undefined || (to !== undefined && interval.first > to)) return undefined;
    const first = from !== undefined && from > interval.first ? from : interval.first;
    const last = to !== undefined && to < interval.last ? to : interval.last;
    const found = taken.nextClear(first, last);
    if (found !== undefined) return found;
  }
  return undefined;
}
