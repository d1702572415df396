/** The rest of blocks that their nodes gave up, before another node may have them (R7). */
import type { Allocation, Released } from "../api/types.ts";
import { blockText, type Held, readEntries } from "./block_entry.ts";
import type { Withdrawn } from "./keep.ts";
import type { Occupied } from "./occupied.ts";

/** Whether unfinished pods of the node still show an address of a released block. `unknown`: nobody has looked yet. */
export type PodUse = "none" | "some" | "unknown";

/** How long released blocks rest. */
export interface RestRules {
  /** Milliseconds, `--block-release-delay`. 0: released blocks are free at once, as with the original. */
  readonly delayMs: number;
  /** Milliseconds on a monotonic clock since this process first saw the entry (see RestClock). */
  readonly elapsedMs: (entry: Released<Allocation>) => number;
  /** Asked only when the delay is over and the Node object still exists. */
  readonly podUse: (entry: Released<Allocation>) => PodUse;
  /** True where pods may not be listed: then podUse says "none", only the delay counts, and the pool says so. */
  readonly podsForbidden?: boolean;
}

/** Blocks wait this many milliseconds before their pods are looked at again. */
const LOOK_AGAIN_MS = 60_000;

/** What rests, and when to look again. */
export interface Resting {
  readonly entries: readonly Held<Released<Allocation>>[];
  /** Entries whose delay is over and whose pods have to be looked at before the next plan can free them. */
  readonly toLookAt: readonly Released<Allocation>[];
  /** Names of the nodes whose blocks are free now because they are gone. */
  readonly gone: readonly string[];
  /** Milliseconds until something may change; undefined when nothing rests. */
  readonly wakeAfterMs: number | undefined;
}

/**
 * Which blocks rest from now on: those of status.released whose rest is not over, and those withdrawn now, unless others
 * hold all of their addresses.
 *
 * @param kept the blocks that stay with their nodes.
 * @param isPresent whether a Node object of this name exists.
 * @param now RFC 3339, for people.
 */
export function rest(
  released: readonly Released<Allocation>[],
  withdrawn: readonly Withdrawn[],
  kept: Occupied,
  rules: RestRules,
  isPresent: (nodeName: string) => boolean,
  now: string,
): Resting {
  if (rules.delayMs <= 0) return { entries: [], toLookAt: [], gone: [], wakeAfterMs: undefined };
  const entries: Held<Released<Allocation>>[] = [];
  const toLookAt: Released<Allocation>[] = [];
  const gone: string[] = [];
  let wakeAfterMs = Number.POSITIVE_INFINITY;
  for (const held of readEntries(released)) {
    const left = rules.delayMs - rules.elapsedMs(held.entry);
    const isGone = left <= 0 && !isPresent(held.nodeName);
    if (isGone) gone.push(held.nodeName);
    const use = left > 0 || isGone ? "none" : rules.podUse(held.entry);
    if (use === "unknown") toLookAt.push(held.entry);
    if (left <= 0 && use === "none") continue;
    entries.push(held);
    if (left > 0 || use === "some") wakeAfterMs = Math.min(wakeAfterMs, left > 0 ? left : LOOK_AGAIN_MS);
  }
  for (const { nodeName, block, entry, reason } of [...withdrawn].sort(byNode)) {
    // A damaged status may name addresses twice: a block that others hold whole is not up for rest.
    if (kept.covers(block)) continue;
    entries.push({ nodeName, block, entry: { ...entry, releasedAt: now, reason } });
    wakeAfterMs = Math.min(wakeAfterMs, rules.delayMs);
  }
  return {
    entries,
    toLookAt,
    gone,
    wakeAfterMs: Number.isFinite(wakeAfterMs) ? wakeAfterMs : undefined,
  };
}

function byNode(a: Held, b: Held): number {
  return a.nodeName < b.nodeName ? -1 : a.nodeName > b.nodeName ? 1 : 0;
}

/**
 * Counts how long this process has seen released blocks, on a clock that is never set back. Whoever takes over counts anew:
 * a rest is longer then, never shorter (R7).
 */
export class RestClock {
  readonly #monotonicMs: () => number;
  readonly #firstSeen = new Map<string, Map<string, number>>();

  /** @param monotonicMs such as performance.now. */
  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Starts counting entries that are new in a pool's status.released, and forgets those that are gone. To be called with each
   * status that was read or written.
   *
   * @param pool the pool's UID, or whatever else tells one pool object from the next.
   */
  observe(pool: string, released: readonly Released<Allocation>[]): void {
    const before = this.#firstSeen.get(pool);
    if (released.length === 0) {
      this.#firstSeen.delete(pool);
      return;
    }
    const now = this.#monotonicMs();
    const seen = new Map<string, number>();
    for (const entry of released) {
      const key = keyOf(entry);
      seen.set(key, before?.get(key) ?? now);
    }
    this.#firstSeen.set(pool, seen);
  }

  /** Forgets pools that are no more. */
  retain(pools: ReadonlySet<string>): void {
    for (const pool of this.#firstSeen.keys()) if (!pools.has(pool)) this.#firstSeen.delete(pool);
  }

  /** Milliseconds since the entry was first observed; 0 for one that was not. */
  elapsedMs(pool: string, entry: Released<Allocation>): number {
    const since = this.#firstSeen.get(pool)?.get(keyOf(entry));
    return since === undefined ? 0 : this.#monotonicMs() - since;
  }

  /**
   * The rules for one pool by this clock.
   *
   * @param pool as for observe.
   * @param delayMs `--block-release-delay` in milliseconds.
   * @param podUse by default only the delay counts, as where there are no pods to look at.
   */
  rules(pool: string, delayMs: number, podUse: RestRules["podUse"] = () => "none"): RestRules {
    return { delayMs, elapsedMs: (entry) => this.elapsedMs(pool, entry), podUse };
  }
}

/** An entry released twice, at different times, is two entries. */
function keyOf(entry: Released<Allocation>): string {
  return `${entry.nodeName} ${blockText(entry)} ${entry.releasedAt}`;
}
