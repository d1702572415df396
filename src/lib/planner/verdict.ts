/** Whether a spec may take force, and by what a pool's blocks are dealt if not (R5). */
import { assignable, type Division, indexOf } from "../api/division.ts";
import type { AppliedSpec } from "../api/types.ts";
import { addressBits, type Range } from "../ip/address.ts";
import type { Held } from "./block_entry.ts";
import { inferredTerms, type Terms, termsOf } from "./terms.ts";

/** What R5 says about a pool's present spec. */
export interface Verdict {
  /** What blocks are dealt by; undefined when nothing says it: no valid spec, and none was ever accepted. */
  readonly terms: Terms | undefined;
  /** Whether those are the terms of the present spec. */
  readonly accepted: boolean;
}

/** What the verdict is found from. */
export interface Claims {
  /** The present spec, if it is valid. */
  readonly spec: AppliedSpec | undefined;
  /** status.appliedSpec, if it is there and valid. */
  readonly applied: AppliedSpec | undefined;
  /** The entries of status.allocations whose nodes keep them. */
  readonly staying: readonly Held[];
  /** Whether the pool is annotated so that blocks may move. */
  readonly mayMove: boolean;
}

/** Finds the terms in force: the spec's unless a block that a node keeps would move by them. */
export function judge({ spec, applied, staying, mayMove }: Claims): Verdict {
  const asked = spec && termsOf(spec);
  const before = applied ? termsOf(applied) : asked && inferTerms(asked, staying);
  if (asked === undefined) return { terms: before, accepted: false };
  const accept = { terms: asked, accepted: true };
  if (mayMove || before === undefined || sameDivision(before.division, asked.division)) return accept;
  if (moved(staying, before, asked).length === 0) return accept;
  return { terms: before, accepted: false };
}

/** The blocks that are right by the terms in force and would not be by those that are asked for. */
export function moved(holders: readonly Held[], inForce: Terms, asked: Terms): readonly Held[] {
  return holders.filter(
    ({ block }) => indexOf(inForce.division, block) !== undefined && indexOf(asked.division, block) === undefined,
  );
}

function sameDivision(a: Division, b: Division): boolean {
  return a.family === b.family && a.first === b.first && a.blockSize === b.blockSize && a.count === b.count;
}

/** The terms that entries agree on among themselves, where no spec was recorded as accepted (a status that the original left). */
function inferTerms(asked: Terms, entries: readonly Held[]): Terms | undefined {
  if (entries.every(({ block }) => indexOf(asked.division, block) !== undefined)) return asked;
  const division = inferDivision(asked.division, entries);
  return division && inferredTerms(asked.spec, division);
}

/**
 * The division that the largest group of entries agrees on: blocks of one size, at the same distance from multiples of it.
 * Which network was divided the entries do not say: it is the asked one's if they lie in it as its own blocks of that size
 * would, else it reaches from the first of them to the last. They may be of the other family.
 */
function inferDivision(asked: Division, entries: readonly Held[]): Division | undefined {
  const groups = new Map<string, Range[]>();
  for (const { block } of entries) {
    const blockSize = block.last - block.first + 1n;
    const key = `${block.family} ${blockSize} ${block.first % blockSize}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [block]);
    else group.push(block);
  }
  // Of two groups as large, the one that the asked terms would not keep: then both are kept.
  const isKept = ([block]: Range[]) => block !== undefined && indexOf(asked, block) !== undefined;
  let largest: Range[] = [];
  for (const group of groups.values()) {
    if (group.length > largest.length || (group.length === largest.length && isKept(largest))) largest = group;
  }
  return divisionOfGroup(asked, largest);
}

function divisionOfGroup(asked: Division, group: readonly Range[]): Division | undefined {
  const [one] = group;
  if (one === undefined) return undefined;
  const { family } = one;
  let { first, last } = one;
  const blockSize = last - first + 1n;
  for (const block of group) {
    if (block.first < first) first = block.first;
    if (block.last > last) last = block.last;
  }
  const isPrefix = asked.nodePrefixLength !== undefined;
  const nodePrefixLength = addressBits(family) - (blockSize.toString(2).length - 1);
  const isAskedFamily = family === asked.family;
  const everything = { family, first: 0n, last: (1n << BigInt(addressBits(family))) - 1n, prefixLength: 0 };
  const network = isAskedFamily ? asked.network : everything;
  const shape = { family, network, blockSize, ...(isPrefix && { nodePrefixLength }) };
  const end = isPrefix ? network.last : assignable(network).last;
  const inAsked = isAskedFamily && first >= asked.first && last <= end && (first - asked.first) % blockSize === 0n;
  if (inAsked) return { ...shape, first: asked.first, count: (end - asked.first + 1n) / blockSize };
  return { ...shape, first, count: (last - first + 1n) / blockSize };
}
