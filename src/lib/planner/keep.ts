/** Which entries of status.allocations stay as they are, and why the others do not (R2, R5). */
import { indexOf } from "../api/division.ts";
import type { Allocation } from "../api/types.ts";
import { type Held, sameRange } from "./block_entry.ts";
import type { Terms } from "./terms.ts";
import type { Verdict } from "./verdict.ts";

/** Why a node gave up a block, as status.released says it. */
export type ReleaseReason = "NodeDeleted" | "NodeNotMatching" | "Reallocated" | "Repaired";

/** A block that is taken from its node. */
export interface Withdrawn extends Held {
  readonly reason: ReleaseReason;
}

/** What becomes of the entries. */
export interface Sorted {
  readonly kept: readonly Held[];
  readonly withdrawn: readonly Withdrawn[];
}

/**
 * Keeps what fits the terms in force or the present spec, one block a node, no address twice; the rest is dealt anew. With
 * leave to move blocks, also what the present spec would not deal today: blocks without a usable address, blocks that a
 * static allocation contradicts.
 *
 * @param asked the present spec's terms, if it is valid.
 */
export function sortOut(
  staying: readonly Held[],
  verdict: Verdict,
  asked: Terms | undefined,
  mayMove: boolean,
): Sorted {
  const { terms } = verdict;
  const first: Held[] = [];
  const second: Held[] = [];
  const withdrawn: Withdrawn[] = [];
  for (const held of staying) {
    const index = terms && indexOf(terms.division, held.block);
    if (terms === undefined) first.push(held);
    else if (index !== undefined) {
      const moves = mayMove && verdict.accepted && !dealsToday(held, index, terms);
      if (moves) withdrawn.push({ ...held, reason: "Reallocated" });
      else first.push(held);
    } else if (mayMove && verdict.accepted) withdrawn.push({ ...held, reason: "Reallocated" });
    else if (asked !== undefined && indexOf(asked.division, held.block) !== undefined) second.push(held);
    else withdrawn.push({ ...held, reason: "Repaired" });
  }
  const { kept, dropped } = disjoint(onePerNode([...first, ...second], withdrawn));
  withdrawn.push(...dropped.map((held) => ({ ...held, reason: "Repaired" as const })));
  return { kept, withdrawn };
}

/** Whether the spec would deal this block to this node today. */
function dealsToday(held: Held, index: bigint, { staticByNode, staticByFirst, usability }: Terms): boolean {
  const own = staticByNode.get(held.nodeName);
  if (own !== undefined) return sameRange(own.block, held.block);
  return !staticByFirst.has(held.block.first) && !usability.undealable.contains(index);
}

/** The first entry of each node; the others are put with the withdrawn ones. */
function onePerNode(entries: readonly Held[], withdrawn: Withdrawn[]): Held[] {
  const nodes = new Set<string>();
  return entries.filter((held) => {
    if (!nodes.has(held.nodeName)) {
      nodes.add(held.nodeName);
      return true;
    }
    withdrawn.push({ ...held, reason: "Repaired" });
    return false;
  });
}

/** Leaves out blocks that share an address with one that comes before them in the list. */
export function disjoint<A extends Allocation>(entries: readonly Held<A>[]): { kept: Held<A>[]; dropped: Held<A>[] } {
  const ranked = entries.map((held, rank) => ({ held, rank }));
  ranked.sort((a, b) => compareRanges(a.held, b.held) || a.rank - b.rank);
  const kept: typeof ranked = [];
  const dropped: Held<A>[] = [];
  for (const item of ranked) {
    const previous = kept.at(-1);
    const apart =
      previous === undefined ||
      previous.held.block.family !== item.held.block.family ||
      previous.held.block.last < item.held.block.first;
    if (apart) kept.push(item);
    else if (previous.rank < item.rank) dropped.push(item.held);
    else {
      dropped.push(previous.held);
      kept[kept.length - 1] = item;
    }
  }
  return { kept: kept.map(({ held }) => held), dropped };
}

function compareRanges(a: Held, b: Held): number {
  if (a.block.family !== b.block.family) return a.block.family - b.block.family;
  return a.block.first < b.block.first ? -1 : a.block.first > b.block.first ? 1 : 0;
}
