/** Gives blocks to the nodes that have none: what they had before, what is set aside for them, else the lowest free one. */
import { blockAt, type Division, indexOf } from "../api/division.ts";
import type { Allocation, Released } from "../api/types.ts";
import { overlaps, type Range } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { type Held, type StaticBlock, sameRange, writeEntry, writeStaticEntry } from "./block_entry.ts";
import { disjoint, type ReleaseReason } from "./keep.ts";
import type { Occupied } from "./occupied.ts";
import type { Standing } from "./standing.ts";
import { presentHolder, type Terms } from "./terms.ts";

const REPAIRED: ReleaseReason = "Repaired";

/** A static allocation whose prefix is not free for it, or whose node keeps another one (R5). */
export interface WaitingStatic {
  readonly wanted: StaticBlock;
  /** Who has it, or had it and lets it rest; for a node that keeps another prefix, that node. */
  readonly holder: string;
  /** What becomes of the node that it is for: it keeps another prefix, has none, or there is none that matches. */
  readonly node: "keepsAnother" | "waits" | "absent";
}

/** What dealing came to. */
export interface Dealt {
  /** Nodes that got back what they had, or what is set aside for them. */
  readonly regained: readonly Held[];
  /** Nodes that got a free block. */
  readonly fresh: readonly Held[];
  /** What goes on resting: without what its node got back. */
  readonly resting: readonly HeldReleased[];
  /** Nodes that find no free block, in name order. */
  readonly waiting: readonly string[];
  readonly waitingStatics: readonly WaitingStatic[];
  /** Blocks that are left for further nodes. */
  readonly free: bigint;
}

type HeldReleased = Held<Released<Allocation>>;

/**
 * Deals to each of `nodes`.
 *
 * @param terms undefined when nothing says how to divide: then nodes only get back what they had.
 * @param standing the nodes that have blocks already.
 * @param nodes names of the nodes without a block, in name order.
 */
export function deal(
  terms: Terms | undefined,
  standing: Standing,
  resting: readonly HeldReleased[],
  nodes: readonly string[],
): Dealt {
  const returned = giveBack(terms, standing, resting, nodes);
  const regained = returned.map((held) => heldAgain(terms, held));
  const back = new Set<Held>(returned);
  const stillResting = resting.filter((held) => !back.has(held));
  if (terms === undefined) {
    return { regained, fresh: [], resting: stillResting, waiting: [], waitingStatics: [], free: 0n };
  }

  const taken = standing.occupied.with([...returned, ...stillResting].map(({ block }) => block));
  const served = new Set(returned.map(({ nodeName }) => nodeName));
  const left = nodes.filter((name) => !served.has(name));
  const { given, waitingStatics } = dealStatics(terms, standing, regained, stillResting, taken, new Set(left));
  for (const { nodeName } of given) served.add(nodeName);
  for (const { wanted } of waitingStatics) served.add(wanted.nodeName);

  const free = freeIndexes(terms, taken);
  const next = lowestFirst(free);
  const fresh: Held[] = [];
  const waiting: string[] = [];
  for (const nodeName of left) {
    if (served.has(nodeName)) continue;
    const index = next();
    if (index === undefined) waiting.push(nodeName);
    else fresh.push(newBlock(terms, nodeName, index));
  }
  return {
    regained: [...regained, ...given],
    fresh,
    resting: stillResting,
    waiting,
    waitingStatics,
    free: free.count() - BigInt(fresh.length),
  };
}

function newBlock({ spec, division }: Terms, nodeName: string, index: bigint): Held {
  const block = blockAt(division, index);
  return { nodeName, block, entry: writeEntry(spec, division, nodeName, block) };
}

/**
 * What nodes that come back had last, where it still is a block worth having that nothing is set aside for (R7). Not what was
 * taken from them because it was wrong: another node may have addresses of it, or had.
 */
function giveBack(
  terms: Terms | undefined,
  standing: Standing,
  resting: readonly HeldReleased[],
  nodes: readonly string[],
): readonly HeldReleased[] {
  if (resting.length === 0) return [];
  const without = new Set(nodes);
  const last = new Map<string, HeldReleased>();
  for (const held of resting) {
    if (!without.has(held.nodeName) || held.entry.reason === REPAIRED || standing.occupied.overlaps(held.block))
      continue;
    if (terms === undefined || isWorthHaving(terms, held)) last.set(held.nodeName, held);
  }
  return disjoint([...last.values()]).kept;
}

function heldAgain(terms: Terms | undefined, { nodeName, block, entry }: HeldReleased): Held {
  const { releasedAt: _, reason: __, ...rest } = entry;
  const held = { nodeName, block, entry: rest };
  return terms === undefined ? held : presentHolder(terms, held);
}

function isWorthHaving({ division, usability, staticByNode, staticByFirst }: Terms, held: Held): boolean {
  const index = indexOf(division, held.block);
  if (index === undefined) return false;
  const own = staticByNode.get(held.nodeName);
  if (own !== undefined) return sameRange(own.block, held.block);
  return !staticByFirst.has(held.block.first) && !usability.undealable.contains(index);
}

function dealStatics(
  { spec, statics }: Terms,
  standing: Standing,
  returned: readonly Held[],
  resting: readonly Held[],
  taken: Occupied,
  left: ReadonlySet<string>,
): { given: Held[]; waitingStatics: WaitingStatic[] } {
  const given: Held[] = [];
  const waitingStatics: WaitingStatic[] = [];
  if (statics.length === 0) return { given, waitingStatics };
  const back = new Map(returned.map((held) => [held.nodeName, held]));
  for (const wanted of statics) {
    const own = standing.byNode.get(wanted.nodeName) ?? back.get(wanted.nodeName);
    if (own !== undefined) {
      if (sameRange(own.block, wanted.block)) continue;
      waitingStatics.push({ wanted, holder: own.nodeName, node: "keepsAnother" });
    } else if (taken.overlaps(wanted.block)) {
      const holder = holderOf(wanted.block, standing.holders, returned, resting);
      waitingStatics.push({ wanted, holder, node: left.has(wanted.nodeName) ? "waits" : "absent" });
    } else if (left.has(wanted.nodeName)) {
      given.push({ nodeName: wanted.nodeName, block: wanted.block, entry: writeStaticEntry(spec, wanted) });
    }
  }
  return { given, waitingStatics };
}

function holderOf(block: Range, ...lists: readonly (readonly Held[])[]): string {
  for (const list of lists) {
    const holder = list.find((held) => overlaps(held.block, block));
    if (holder !== undefined) return holder.nodeName;
  }
  return "";
}

/** Indexes of the blocks that may be dealt: nobody has an address of them, nothing is set aside in them, they are usable. */
function freeIndexes({ division, usability, aside }: Terms, taken: Occupied): IntervalSet {
  const indexes = [...taken.of(division.family).intervals, ...aside].flatMap(
    (interval) => indexesTouched(division, interval) ?? [],
  );
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
