/** Divides the pools of a directory among the nodes, as the controller does in a cluster. Pure. */
import { type NodeInfo, nodeMatcher } from "../api/selector.ts";
import type { Allocation, Pool } from "../api/types.ts";
import type { PoolEvent } from "../planner/conditions.ts";
import { PlanMemory } from "../planner/memory.ts";
import { overlapsByPool, poolKey } from "../planner/overlaps.ts";
import { type PlanInput, plan } from "../planner/plan.ts";
import type { RestClock } from "../planner/rest.ts";

/** What dealing depends on. */
export interface DealInput {
  /** The pools that there shall be, as their manifests say. */
  readonly wanted: readonly Pool[];
  /** The pools as they were dealt last, with uid and status. */
  readonly before: readonly Pool[];
  /** In the order in which nodes without a block get theirs. */
  readonly nodes: readonly NodeInfo[];
  readonly now: Date;
  readonly clock: RestClock;
  /** Milliseconds that a block rests before another node may have it (R7). */
  readonly releaseDelayMs: number;
  /** Makes the uid of a pool that is new. */
  readonly newUID: () => string;
}

/** The outcome of dealing. */
export interface DealtPools {
  /** Every wanted pool with its uid and status. */
  readonly pools: readonly Pool[];
  /** Whether they differ from those before, and so have to be kept before they are served. */
  readonly changed: boolean;
  readonly events: readonly (PoolEvent & { readonly pool: string })[];
  /** Pools that are gone and had blocks: their record of who had which block is given up (R2). */
  readonly forgotten: readonly { readonly pool: string; readonly blocks: number }[];
  /** Milliseconds until a rest is over and the pools have to be dealt again. */
  readonly wakeAfterMs: number | undefined;
}

/** Deals all pools. What exists stays with its node (R5); a pool of a former uid is another pool (R2). */
export function dealPools(input: DealInput): DealtPools {
  const before = new Map(input.before.map((pool) => [poolKey(pool), pool]));
  const identified = input.wanted.map((pool) => identify(pool, before.get(poolKey(pool)), input.newUID));
  const overlapping = overlapsByPool(identified);
  const events: (PoolEvent & { pool: string })[] = [];
  let wakeAfterMs = Number.POSITIVE_INFINITY;
  let changed = false;
  const pools = identified.map((pool): Pool => {
    const key = poolKey(pool);
    const uid = pool.metadata.uid ?? "";
    input.clock.observe(uid, pool.status?.released ?? []);
    const { nodes, now } = input;
    const rest = input.clock.rules(uid, input.releaseDelayMs);
    const circumstances = { nodes, now, rest, overlapsWith: overlapping.get(key) ?? [] };
    const served = dealInTurn({ ...circumstances, pool });
    const planned = plan({ ...circumstances, pool: served });
    input.clock.observe(uid, planned.status.released ?? []);
    events.push(...planned.events.map((event) => ({ ...event, pool: key })));
    wakeAfterMs = Math.min(wakeAfterMs, planned.wakeAfterMs ?? Number.POSITIVE_INFINITY);
    if (!planned.changed && served === before.get(key)) return served;
    changed = true;
    // The planner gives the status of the kind that it was given.
    return { ...pool, status: planned.status } as Pool;
  });
  const forgotten = forget(input.before, pools);
  return {
    pools,
    changed: changed || pools.length !== input.before.length || forgotten.length > 0,
    events,
    forgotten,
    wakeAfterMs: Number.isFinite(wakeAfterMs) ? wakeAfterMs : undefined,
  };
}

/**
 * The pool with blocks dealt one node after the other, in the order of the list. The planner, given them together, goes by
 * their names; so, hosts that read the same list deal the same blocks even if it had grown before some of them began.
 */
function dealInTurn(input: Omit<PlanInput, "pool"> & { readonly pool: Pool }): Pool {
  const { nodes } = input;
  let { pool } = input;
  const matches = nodeMatcher(pool.spec.nodeSelector);
  const holders = nodesOf(pool);
  const without = nodes.filter((node) => !holders.has(node.name) && matches(node));
  const memory = new PlanMemory();
  // The last one's turn is the plan of all.
  for (const next of without.slice(0, -1)) {
    holders.add(next.name);
    const planned = plan({ ...input, pool, nodes: nodes.filter(({ name }) => holders.has(name)) }, memory);
    // Events and conditions are for the plan of all to tell.
    const { conditions: _, ...status } = planned.status;
    const { conditions } = pool.status ?? {};
    // The planner gives the status of the kind that it was given.
    const after = { ...pool, status: { ...status, ...(conditions && { conditions }) } } as Pool;
    if (!nodesOf(after).has(next.name)) break;
    pool = after;
  }
  return pool;
}

function nodesOf({ status }: Pool): Set<string> {
  const entries: readonly Allocation[] = status?.allocations ?? [];
  return new Set(entries.map(({ nodeName }) => nodeName));
}

/** The wanted pool as the object that it is: the one from before with a new spec perhaps, or a new one. */
function identify(wanted: Pool, before: Pool | undefined, newUID: () => string): Pool {
  if (before === undefined || before.kind !== wanted.kind) {
    // A manifest that was taken from a cluster brings the blocks that were dealt there; its uid would come again with each pool
    // that is made from it (R2).
    return { ...wanted, metadata: { ...wanted.metadata, uid: newUID(), generation: 1 } };
  }
  const sameAnnotations = equal(wanted.metadata.annotations ?? {}, before.metadata.annotations ?? {});
  const sameSpec = equal(wanted.spec, before.spec);
  if (sameSpec && sameAnnotations) return before;
  const { uid = newUID(), generation = 0 } = before.metadata;
  const metadata = { ...wanted.metadata, uid, generation: sameSpec ? generation : generation + 1 };
  return { ...wanted, metadata, ...(before.status && { status: before.status }) } as Pool;
}

function equal(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function forget(before: readonly Pool[], pools: readonly Pool[]): DealtPools["forgotten"] {
  const keys = new Set(pools.map(poolKey));
  return before
    .filter((pool) => !keys.has(poolKey(pool)))
    .map((pool) => ({ pool: poolKey(pool), blocks: pool.status?.allocations?.length ?? 0 }));
}
