/**
 * The planner: which block each node of a pool has from now on, and what the pool's status says. Pure: no clock, no I/O; the
 * same input gives the same plan, in whatever order nodes come. Its cost grows with nodes, entries and exclusions, not with
 * addresses (R9).
 */

import { allowsReallocation, toAppliedSpec, validAppliedSpec } from "../api/in_force.ts";
import { type NodeInfo, nodeMatcher } from "../api/selector.ts";
import type { Allocation, AnyPoolStatus, AppliedSpec, BlockCounts, PoolObject, Released } from "../api/types.ts";
import { isValidSelector, validatePool } from "../api/validate.ts";
import { type Held, readEntries, sameEntries } from "./block_entry.ts";
import { conditionsOf, type PoolEvent, sameConditions, stampOf } from "./conditions.ts";
import { type Dealt, deal } from "./deal.ts";
import { findingsOf, troublesOf } from "./findings.ts";
import { sortOut, type Withdrawn } from "./keep.ts";
import { PlanMemory } from "./memory.ts";
import { type RestRules, rest } from "./rest.ts";
import { estimateBytes, Standing } from "./standing.ts";
import { sameSpec, specBytes, type Terms, termsOf } from "./terms.ts";
import { judge, moved } from "./verdict.ts";

/** All that a plan depends on. */
export interface PlanInput {
  /** The pool with the status that was read with it. */
  readonly pool: PoolObject;
  /** Every Node object there is, once, in any order, best in that of names; the plan finds out which ones match. */
  readonly nodes: readonly NodeInfo[];
  /** For releasedAt and lastTransitionTime. */
  readonly now: Date;
  readonly rest: RestRules;
  /** Other pools that share addresses with this one, such as "IPPool/pool2" (R6, see overlaps). */
  readonly overlapsWith?: readonly string[];
}

/** What is to be written, and what else is to be done. */
export interface Plan {
  /** The whole status; allocations are there even when empty. */
  readonly status: AnyPoolStatus & { readonly allocations: readonly Allocation[] };
  /** Whether the status differs from the one that the pool has: write it if and only if it does. */
  readonly changed: boolean;
  /** To be recorded once the status is written; a plan that changes nothing has none. */
  readonly events: readonly PoolEvent[];
  /** Nodes that lose their block because they are gone or do not match: look each up before writing (R14). */
  readonly withdrawn: readonly string[];
  /** Nodes whose released blocks are free because they are gone: look each up likewise (R14). */
  readonly gone: readonly string[];
  /** Released blocks whose node's pods have to be looked at before a next plan can free them (R7). */
  readonly toLookAt: readonly Released<Allocation>[];
  /** Milliseconds until the next plan may come out differently though nothing changes; undefined: it will not. */
  readonly wakeAfterMs: number | undefined;
  /** Blocks of the pool, for metrics; the status has them too. */
  readonly blocks: BlockCounts;
}

/**
 * Plans one pool.
 *
 * @param memory of earlier plans of this pool; the plan is the same without, but costs more.
 */
export function plan(input: PlanInput, memory: PlanMemory = new PlanMemory()): Plan {
  const pool = memory.recognise(input.pool);
  const status = pool.status ?? {};
  const { errors } = validatePool(pool);
  const spec = errors.length === 0 && !("unreadable" in pool) ? pool.spec : undefined;
  const matching = matchingNames(pool, input.nodes);
  const present = presentNames(input.nodes);

  const mayMove = spec !== undefined && allowsReallocation(pool.metadata);
  const asked = spec && termsOf(spec);
  const applied = validAppliedSpec(pool);
  const known = memory.known(status.allocations ?? []);
  const entries = known?.holders ?? readEntries(status.allocations ?? []);
  // An invalid spec takes nothing away, not even by its selector: only nodes that are gone lose their block.
  const keeping = spec === undefined ? inOrder(input.nodes.map(({ name }) => name)) : matching;
  const staying = known !== undefined && hasAllOf(keeping, known) ? entries : thoseOf(keeping, entries);
  const verdict = judge({ spec, applied, staying, mayMove });
  const circumstances = { terms: verdict.terms, asked, mayMove };

  const before = memory.standing(staying, circumstances);
  const sorted = before === undefined ? sortOut(staying, verdict, asked, mayMove) : undefined;
  const standing = before ?? Standing.of(sorted?.kept ?? [], verdict.terms);
  const leaving =
    staying.length === entries.length ? [] : without(staying, entries).map((held) => leave(held, present()));
  const stamp = stampOf(input.now, pool.metadata);
  const resting = rest(
    status.released ?? [],
    [...leaving, ...(sorted?.withdrawn ?? [])],
    standing.occupied,
    input.rest,
    (name) => present().has(name),
    stamp.now,
  );

  const waiting = namesWithout(matching, standing);
  const dealt = deal(verdict.terms, standing, resting.entries, waiting);
  const result = standing.with(dealt.regained, verdict.terms).withFresh(dealt.fresh);
  const allocations = result.holders.map(({ entry }) => entry);
  memory.remember(allocations, result, circumstances);

  const refused = verdict.accepted ? undefined : asked;
  const wouldMove = refused && verdict.terms ? moved(result.holders, verdict.terms, refused) : [];
  const released = dealt.resting.map(({ entry }) => entry);
  const appliedSpec = verdict.accepted && spec !== undefined ? unlessSame(spec, applied) : applied;
  const { conditions, events } = conditionsOf(
    status.conditions ?? [],
    troublesOf(pool.kind, errors, wouldMove, verdict.terms, dealt),
    findingsOf({
      mayMove,
      overlapsWith: input.overlapsWith ?? [],
      waitingStatics: dealt.waitingStatics,
      terms: verdict.terms,
      unusable: result.unusable,
      podsUnchecked: input.rest.podsForbidden === true && input.rest.delayMs > 0,
      objectBytes: result.bytes + estimateBytes(released) + specBytes(spec) + specBytes(appliedSpec),
    }),
    stamp,
  );
  const blocks = countBlocks(verdict.terms, allocations.length, dealt);
  const next: Plan["status"] = {
    allocations,
    ...(released.length > 0 && { released }),
    ...(appliedSpec && { appliedSpec }),
    ...(stamp.generation !== undefined && { observedGeneration: stamp.generation }),
    blocks,
    conditions,
  };
  const changed = !sameStatus(status, next);
  return {
    status: next,
    changed,
    events: changed ? events : [],
    withdrawn: leaving.map(({ nodeName }) => nodeName).sort(),
    gone: resting.gone,
    toLookAt: resting.toLookAt,
    wakeAfterMs: resting.wakeAfterMs,
    blocks,
  };
}

/** Names of the nodes that the pool's selector chooses, in order; of none where the selector cannot be read. */
function matchingNames(pool: PoolObject, nodes: readonly NodeInfo[]): readonly string[] {
  if ("unreadable" in pool || !isValidSelector(pool.spec.nodeSelector)) return [];
  const matches = nodeMatcher(pool.spec.nodeSelector);
  const matching: string[] = [];
  for (const node of nodes) if (matches(node)) matching.push(node.name);
  return inOrder(matching);
}

/** The names in order: mostly they come so. */
function inOrder(names: string[]): readonly string[] {
  const isInOrder = names.every((name, index) => index === 0 || (names[index - 1] ?? "") < name);
  return isInOrder ? names : names.sort();
}

/** Those of the names, which are in order as holders are, who hold nothing: no set of all names is made for it. */
function namesWithout(names: readonly string[], { holders }: Standing): readonly string[] {
  const without: string[] = [];
  let next = 0;
  for (const name of names) {
    let nodeName = holders[next]?.nodeName;
    while (nodeName !== undefined && nodeName < name) nodeName = holders[++next]?.nodeName;
    if (nodeName !== name) without.push(name);
  }
  return without;
}

/** Whether everybody of the standing is named. */
function hasAllOf(names: readonly string[], standing: Standing): boolean {
  return names.length - namesWithout(names, standing).length === standing.holders.length;
}

function thoseOf(names: readonly string[], entries: readonly Held[]): readonly Held[] {
  const named = new Set(names);
  return entries.filter(({ nodeName }) => named.has(nodeName));
}

function without(some: readonly Held[], all: readonly Held[]): readonly Held[] {
  const left = new Set(some);
  return all.filter((held) => !left.has(held));
}

/** Names of all nodes, looked at only when asked for. */
function presentNames(nodes: readonly NodeInfo[]): () => ReadonlySet<string> {
  let names: ReadonlySet<string> | undefined;
  return () => {
    names ??= new Set(nodes.map(({ name }) => name));
    return names;
  };
}

function leave(held: Held, present: ReadonlySet<string>): Withdrawn {
  return { ...held, reason: present.has(held.nodeName) ? "NodeNotMatching" : "NodeDeleted" };
}

function countBlocks(terms: Terms | undefined, allocated: number, dealt: Dealt): BlockCounts {
  return {
    total: clamp(terms?.division.count ?? 0n),
    allocated,
    free: clamp(dealt.free),
    resting: dealt.resting.length,
  };
}

function clamp(count: bigint): number {
  return count > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(count);
}

function unlessSame(spec: AppliedSpec, applied: AppliedSpec | undefined): AppliedSpec {
  return applied !== undefined && sameSpec(spec, applied) ? applied : toAppliedSpec(spec);
}

function sameStatus(before: AnyPoolStatus, after: AnyPoolStatus): boolean {
  return (
    before.allocations !== undefined &&
    sameEntries(before.allocations, after.allocations ?? []) &&
    sameEntries(before.released ?? [], after.released ?? []) &&
    before.appliedSpec === after.appliedSpec &&
    before.observedGeneration === after.observedGeneration &&
    sameCounts(before.blocks, after.blocks) &&
    sameConditions(before.conditions ?? [], after.conditions ?? [])
  );
}

function sameCounts(a: BlockCounts | undefined, b: BlockCounts | undefined): boolean {
  return a?.total === b?.total && a?.allocated === b?.allocated && a?.free === b?.free && a?.resting === b?.resting;
}
