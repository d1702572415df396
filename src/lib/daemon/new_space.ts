/** V8's space for new objects. On a machine with much memory it grows to 16 MB, twice, before V8 looks which are still needed. */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes that it may have for objects. So much holds 32 calls at once with room to spare; more saves little. */
const ENOUGH = 4 * 1024 * 1024;

/** Keeps the space from growing: for work that leaves nearly everything alive, which would make it large for nothing. */
export function freezeNewSpace(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * Lets the space grow until it has enough, now and whenever V8 made it small again because little was allocated. A bound of its
 * own exists on V8's command line only. One turn of the event loop that keeps many objects may take it further, once.
 */
export function boundNewSpace(): void {
  const decide = (): void =>
    setFlagsFromString(`--semi-space-growth-factor=${newSpaceCapacity() <= ENOUGH / 2 ? 2 : 1}`);
  new PerformanceObserver(decide).observe({ entryTypes: ["gc"] });
  decide();
}

/** Bytes of objects that the space has room for; it takes twice as much of memory. */
export function newSpaceCapacity(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}
