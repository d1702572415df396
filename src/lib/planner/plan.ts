/**
 * The planner: which block each node of a pool has from now on, and what the pool's status says. Pure: no clock, no I/O; the
 * same input gives the same plan, in whatever order nodes come. Its cost grows with nodes, entries and exclusions, not with
 * addresses (R9).
 */

import { allowsReallocation, toAppliedSpec, validAppliedSpec } from "../api/in_force.ts";
import { type NodeInfo, nodeMatcher } from "../api/selector.ts";
import type { Allocation, AnyPoolStatus, AppliedSpec, BlockCounts, PoolObject, Released } from "../api/types.ts";
import { isValidSelector, validatePool } from "../api/validate.ts";
import { type Held, readEntries, sameEntry, withPresentGateway, writeStaticEntry } from "./block_entry.ts";
import { conditionsOf, type PoolEvent, sameConditions } from "./conditions.ts";
import { type Dealt, deal } from "./deal.ts";
import { findingsOf, troublesOf } from "./findings.ts";
import { sortOut, type Withdrawn } from "./keep.ts";
import { Occupied } from "./occupied.ts";
import { type RestRules, rest } from "./rest.ts";
import { sameSpec, type Terms, termsOf } from "./terms.ts";
import { judge, type Verdict } from "./verdict.ts";

/** All that a plan depends on. */
export interface PlanInput {
  /** The pool with the status that was read with it. */
  readonly pool: PoolObject;
  /** Every Node object there is, in any order; the plan finds out which ones match. */
  readonly nodes: Iterable<NodeInfo>;
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
  /** Released blocks whose node's pods have to be looked at before a next plan can free them (R7). */
  readonly toLookAt: readonly Released<Allocation>[];
  /** Milliseconds until the next plan may come out differently though nothing changes; undefined: it will not. */
  readonly wakeAfterMs: number | undefined;
  /** Blocks of the pool, for metrics; the status has them too. */
  readonly blocks: BlockCounts;
}

/** Plans one pool. */
export function plan(input: PlanInput): Plan {
  const { pool, now } = input;
  const status = pool.status ?? {};
  const { errors } = validatePool(pool);
  const spec = errors.length === 0 && !("unreadable" in pool) ? pool.spec : undefined;
  const nodes = lookAtNodes(pool, input.nodes);
  const mayMove = spec !== undefined && allowsReallocation(pool.metadata);

  const entries = readEntries(status.allocations ?? []);
  // An invalid spec takes nothing away, not even by its selector: only nodes that are gone lose their block.
  const keeps = spec === undefined ? nodes.present : nodes.matching;
  const staying = entries.filter(({ nodeName }) => keeps.has(nodeName));
  const applied = validAppliedSpec(pool);
  const verdict = judge({ spec, applied, entries, staying, mayMove });
  const sorted = sortOut(staying, verdict, spec && termsOf(spec), mayMove);

  const leaving = entries.filter(({ nodeName }) => !keeps.has(nodeName)).map((held) => leave(held, nodes.present));
  const stamp = { now: timeText(now), generation: pool.metadata.generation };
  const resting = rest(
    status.released ?? [],
    [...leaving, ...sorted.withdrawn],
    new Occupied(sorted.kept.map(({ block }) => block)),
    input.rest,
    (name) => nodes.present.has(name),
    stamp.now,
  );
  const have = new Set(sorted.kept.map(({ nodeName }) => nodeName));
  const without = [...nodes.matching].filter((name) => !have.has(name)).sort();
  const dealt = deal(verdict.terms, sorted.kept, resting.entries, without);

  const holders = inNameOrder(sorted.kept, dealt.entries);
  const allocations = presentEntries(holders, verdict);
  const released = dealt.resting.map(({ entry }) => entry);
  const { conditions, events } = conditionsOf(
    status.conditions ?? [],
    troublesOf(pool.kind, errors, verdict.wouldMove, verdict.terms, dealt),
    findingsOf({
      mayMove,
      overlapsWith: input.overlapsWith ?? [],
      waitingStatics: dealt.waitingStatics,
      terms: verdict.terms,
      unusable: withoutAddresses(holders, verdict.terms),
      podsUnchecked: input.rest.podsForbidden === true && input.rest.delayMs > 0,
      statusBytes: estimateBytes(allocations) + estimateBytes(released),
    }),
    stamp,
  );
  const blocks = countBlocks(verdict.terms, allocations.length, dealt);
  const appliedSpec = verdict.accepted && spec !== undefined ? unlessSame(spec, applied) : applied;
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
    toLookAt: resting.toLookAt,
    wakeAfterMs: resting.wakeAfterMs,
    blocks,
  };
}

interface Nodes {
  readonly present: ReadonlySet<string>;
  readonly matching: ReadonlySet<string>;
}

function lookAtNodes(pool: PoolObject, nodes: Iterable<NodeInfo>): Nodes {
  const selector = "unreadable" in pool ? undefined : pool.spec.nodeSelector;
  const canTell = !("unreadable" in pool) && isValidSelector(selector);
  const matches = canTell ? nodeMatcher(selector) : () => false;
  const present = new Set<string>();
  const matching = new Set<string>();
  for (const node of nodes) {
    present.add(node.name);
    if (matches(node)) matching.add(node.name);
  }
  return { present, matching };
}

function leave(held: Held, present: ReadonlySet<string>): Withdrawn {
  return { ...held, reason: present.has(held.nodeName) ? "NodeNotMatching" : "NodeDeleted" };
}

function inNameOrder(kept: readonly Held[], dealt: readonly Held[]): readonly Held[] {
  return [...kept, ...dealt].sort((a, b) => (a.nodeName < b.nodeName ? -1 : a.nodeName > b.nodeName ? 1 : 0));
}

/** The entries with gateways, and the wording of static allocations, as the terms in force say them. */
function presentEntries(holders: readonly Held[], { terms, inferred }: Verdict): readonly Allocation[] {
  if (terms === undefined || inferred || !("cidr" in terms.spec)) return holders.map(({ entry }) => entry);
  const { spec, staticByNode } = terms;
  return holders.map((held) => {
    const item = staticByNode.get(held.nodeName);
    if (item === undefined || item.block.first !== held.block.first) return withPresentGateway(spec, held);
    const entry = writeStaticEntry(spec, item);
    return sameEntry(entry, held.entry) ? held.entry : entry;
  });
}

function withoutAddresses(holders: readonly Held[], terms: Terms | undefined): readonly string[] {
  if (terms === undefined) return [];
  const { usability, staticByNode, division } = terms;
  return holders.flatMap(({ nodeName, block }) => {
    if (block.family !== division.family) return [];
    const item = staticByNode.get(nodeName);
    const gateway = item?.block.first === block.first ? item.gateway : undefined;
    return usability.hasUsableAddress(block, gateway) ? [] : nodeName;
  });
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

function sameEntries(before: readonly Allocation[], after: readonly Allocation[]): boolean {
  return (
    before.length === after.length &&
    before.every((entry, index) => {
      const other = after[index];
      return other !== undefined && sameEntry(entry, other);
    })
  );
}

function sameCounts(a: BlockCounts | undefined, b: BlockCounts | undefined): boolean {
  return a?.total === b?.total && a?.allocated === b?.allocated && a?.free === b?.free && a?.resting === b?.resting;
}

/** About the bytes of the entries as JSON. */
function estimateBytes(entries: readonly Allocation[]): number {
  let bytes = 0;
  for (const entry of entries) {
    const texts =
      "prefix" in entry
        ? entry.prefix.length + (entry.gateway?.length ?? 0)
        : entry.startIP.length + entry.endIP.length;
    bytes += 45 + entry.nodeName.length + texts + ("releasedAt" in entry ? 70 : 0);
  }
  return bytes;
}

/** RFC 3339 in whole seconds, as Kubernetes writes times. */
function timeText(now: Date): string {
  return `${now.toISOString().slice(0, 19)}Z`;
}
