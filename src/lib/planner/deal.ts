/** Gives blocks to the nodes that have none: what they had before, what is set aside for them, else the lowest free one. */
import { blockAt, type Division, indexOf } from "../api/division.ts";
import type { Allocation, Released } from "../api/types.ts";
import type { Range } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { type Held, type StaticBlock, sameRange, writeEntry, writeStaticEntry } from "./block_entry.ts";
import { disjoint } from "./keep.ts";
import { Occupied } from "./occupied.ts";
import type { Terms } from "./terms.ts";

/** A static allocation whose prefix is not free for it, or whose node keeps another one (R5). */
export interface WaitingStatic {
  readonly wanted: StaticBlock;
  /** Who has it; for a node that keeps another prefix, that node. */
  readonly holder: string;
}

/** What dealing came to. */
export interface Dealt {
  readonly entries: readonly Held[];
  /** What goes on resting: without what its node got back. */
  readonly resting: readonly Held<Released<Allocation>>[];
  /** Nodes that find no free block, in name order. */
  readonly waiting: readonly string[];
  readonly waitingStatics: readonly WaitingStatic[];
  /** Blocks that are left for further nodes. */
  readonly free: bigint;
}

/**
 * Deals to each of `nodes`.
 *
 * @param terms undefined when nothing says how to divide: then nodes only get back what they had.
 * @param nodes names of the nodes without a block, in name order.
 */
export function deal(
  terms: Terms | undefined,
  kept: readonly Held[],
  resting: readonly Held<Released<Allocation>>[],
  nodes: readonly string[],
): Dealt {
  const returned = giveBack(terms, kept, resting, nodes);
  const back = new Set(returned.map(({ nodeName }) => nodeName));
  const backBlocks = new Set<Held>(returned);
  const stillResting = resting.filter((held) => !backBlocks.has(held));
  const entries: Held[] = returned.map(({ nodeName, block, entry: { releasedAt: _, reason: __, ...entry } }) => ({
    nodeName,
    block,
    entry,
  }));
  const left = nodes.filter((name) => !back.has(name));
  if (terms === undefined) return { entries, resting: stillResting, waiting: [], waitingStatics: [], free: 0n };

  const holders = [...kept, ...returned];
  const taken = new Occupied([...holders, ...stillResting].map(({ block }) => block));
  const { given, waitingStatics } = dealStatics(terms, holders, stillResting, taken, new Set(left));
  entries.push(...given);
  const served = new Set([
    ...given.map(({ nodeName }) => nodeName),
    ...waitingStatics.map(({ wanted }) => wanted.nodeName),
  ]);
  const waiting: string[] = [];
  const free = freeIndexes(terms, taken);
  const next = lowestFirst(free);
  for (const nodeName of left) {
    if (served.has(nodeName)) continue;
    const index = next();
    if (index === undefined) waiting.push(nodeName);
    else entries.push(newBlock(terms, nodeName, index));
  }
  const dealt = BigInt(entries.length - returned.length - given.length);
  return { entries, resting: stillResting, waiting, waitingStatics, free: free.count() - dealt };
}

function newBlock({ spec, division }: Terms, nodeName: string, index: bigint): Held {
  const block = blockAt(division, index);
  return { nodeName, block, entry: writeEntry(spec, division, nodeName, block) };
}

/** What nodes that come back had last, where it still is a block worth having that nothing is set aside for (R7). */
function giveBack(
  terms: Terms | undefined,
  kept: readonly Held[],
  resting: readonly Held<Released<Allocation>>[],
  nodes: readonly string[],
): readonly Held<Released<Allocation>>[] {
  if (resting.length === 0) return [];
  const without = new Set(nodes);
  const last = new Map<string, Held<Released<Allocation>>>();
  for (const held of resting) {
    if (without.has(held.nodeName) && (terms === undefined || isWorthHaving(terms, held)))
      last.set(held.nodeName, held);
  }
  if (last.size === 0) return [];
  const wanted = new Set(last.values());
  const fits = disjoint<Allocation>([...kept, ...wanted]).kept;
  return fits.filter((held): held is Held<Released<Allocation>> => wanted.has(held as Held<Released<Allocation>>));
}

function isWorthHaving(
  { division, usability, staticByNode, staticByFirst }: Terms,
  { nodeName, block }: Held,
): boolean {
  const index = indexOf(division, block);
  if (index === undefined) return false;
  const own = staticByNode.get(nodeName);
  if (own !== undefined) return sameRange(own.block, block);
  return !staticByFirst.has(block.first) && !usability.undealable.contains(index);
}

function dealStatics(
  { spec, statics }: Terms,
  holders: readonly Held[],
  resting: readonly Held[],
  taken: Occupied,
  left: ReadonlySet<string>,
): { given: Held[]; waitingStatics: WaitingStatic[] } {
  const given: Held[] = [];
  const waitingStatics: WaitingStatic[] = [];
  if (statics.length === 0) return { given, waitingStatics };
  const byNode = new Map(holders.map((held) => [held.nodeName, held]));
  const everybody = [...holders, ...resting];
  for (const wanted of statics) {
    const own = wanted.nodeName === "" ? undefined : byNode.get(wanted.nodeName);
    if (own !== undefined) {
      if (!sameRange(own.block, wanted.block)) waitingStatics.push({ wanted, holder: own.nodeName });
    } else if (taken.overlaps(wanted.block)) {
      waitingStatics.push({ wanted, holder: holderOf(wanted.block, everybody) });
    } else if (left.has(wanted.nodeName)) {
      given.push({ nodeName: wanted.nodeName, block: wanted.block, entry: writeStaticEntry(spec, wanted) });
    }
  }
  return { given, waitingStatics };
}

function holderOf(block: Range, holders: readonly Held[]): string {
  return holders.find((held) => held.block.first <= block.last && block.first <= held.block.last)?.nodeName ?? "";
}

/** Indexes of the blocks that may be dealt: nobody has an address of them, nothing is set aside in them, they are usable. */
function freeIndexes({ division, usability, statics }: Terms, taken: Occupied): IntervalSet {
  const occupied = [
    ...taken.of(division.family).intervals,
    ...statics.filter(({ block }) => block.family === division.family).map(({ block }) => block),
  ];
  const indexes = occupied.flatMap((interval) => indexesTouched(division, interval) ?? []);
  const all = { first: 0n, last: division.count - 1n };
  return IntervalSet.of([...indexes, ...usability.undealable.intervals]).gaps(all);
}

function indexesTouched({ first, blockSize }: Division, interval: Interval): Interval | undefined {
  if (interval.last < first) return undefined;
  const begin = interval.first < first ? 0n : (interval.first - first) / blockSize;
  return { first: begin, last: (interval.last - first) / blockSize };
}

function lowestFirst({ intervals }: IntervalSet): () => bigint | undefined {
  let position = 0;
  let next = intervals[0]?.first;
  return () => {
    const found = next;
    const interval = intervals[position];
    if (found === undefined || interval === undefined) return undefined;
    next = found < interval.last ? found + 1n : intervals[++position]?.first;
    return found;
  };
}
