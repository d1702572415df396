/** The terms by which a pool's blocks are dealt: a spec, how it divides its network, what it sets aside. */
import { type Division, divisionOf, indexOf } from "../api/division.ts";
import { toAppliedSpec } from "../api/in_force.ts";
import type { AppliedSpec, NodeSelector, PoolSpec } from "../api/types.ts";
import { Usability } from "../api/usability.ts";
import type { Range } from "../ip/address.ts";
import {
  type Held,
  type StaticBlock,
  sameEntry,
  staticBlocksOf,
  withPresentGateway,
  writeStaticEntry,
} from "./block_entry.ts";

/** What one spec says about blocks. */
export interface Terms {
  /** Whether the division was inferred from entries; then their gateways are not known better than they say. */
  readonly inferred: boolean;
  readonly spec: AppliedSpec;
  readonly division: Division;
  readonly usability: Usability;
  /** The static allocations that are blocks of the division: all of them, unless it was inferred. */
  readonly statics: readonly StaticBlock[];
  /** What the spec sets aside, blocks of the division or not: no other block with an address of it is dealt. */
  readonly aside: readonly Range[];
  readonly staticByNode: ReadonlyMap<string, StaticBlock>;
  readonly staticByFirst: ReadonlyMap<bigint, StaticBlock>;
}

const termsBySpec = new WeakMap<AppliedSpec, Terms>();
const textBySpec = new WeakMap<AppliedSpec, string>();

/** The terms of a valid spec; remembered for as long as the spec object lives. */
export function termsOf(spec: AppliedSpec): Terms | undefined {
  const known = termsBySpec.get(spec);
  if (known !== undefined) return known;
  const division = divisionOf(spec);
  if (division === undefined) return undefined;
  const terms = makeTerms(spec, division, false);
  termsBySpec.set(spec, terms);
  return terms;
}

/** The same spec's terms under a division that was inferred from entries. */
export function inferredTerms(spec: AppliedSpec, division: Division): Terms {
  return makeTerms(spec, division, true);
}

function makeTerms(spec: AppliedSpec, division: Division, inferred: boolean): Terms {
  const written = staticBlocksOf(spec);
  // By an inferred division the spec itself is not accepted: a prefix dealt by it would be lost with its next edit (R5).
  const statics = inferred ? written.filter(({ block }) => indexOf(division, block) !== undefined) : written;
  return {
    inferred,
    spec,
    division,
    usability: new Usability(spec, division),
    statics,
    aside: written.map(({ block }) => block).filter(({ family }) => family === division.family),
    staticByNode: new Map(statics.filter(({ nodeName }) => nodeName !== "").map((item) => [item.nodeName, item])),
    staticByFirst: new Map(statics.map((item) => [item.block.first, item])),
  };
}

/** A holder, its entry with the gateway, and for a static allocation the wording, that the terms say now. */
export function presentHolder({ inferred, spec, staticByNode }: Terms, held: Held): Held {
  if (inferred || !("cidr" in spec)) return held;
  const item = staticByNode.get(held.nodeName);
  const isStatic = item !== undefined && item.block.first === held.block.first;
  const entry = isStatic ? writeStaticEntry(spec, item) : withPresentGateway(spec, held);
  return sameEntry(entry, held.entry) ? held : { ...held, entry };
}

/** Whether two specs as parsed say the same, nodeSelector aside. */
export function sameSpec(a: AppliedSpec, b: AppliedSpec): boolean {
  return a === b || textOf(a) === textOf(b);
}

/** Whether two specs as parsed say the same. */
export function sameWholeSpec(a: AppliedSpec, b: AppliedSpec): boolean {
  return sameSpec(a, b) && JSON.stringify(selectorOf(a)) === JSON.stringify(selectorOf(b));
}

function selectorOf(spec: PoolSpec | AppliedSpec): NodeSelector | undefined {
  return "nodeSelector" in spec ? spec.nodeSelector : undefined;
}

/** About the bytes of a spec as JSON; 0 where there is none. */
export function specBytes(spec: AppliedSpec | undefined): number {
  return spec === undefined ? 0 : textOf(spec).length;
}

/** Parsed specs have their members in one order, so equal ones have equal texts. */
function textOf(spec: AppliedSpec): string {
  const known = textBySpec.get(spec) ?? JSON.stringify(toAppliedSpec(spec));
  textBySpec.set(spec, known);
  return known;
}
