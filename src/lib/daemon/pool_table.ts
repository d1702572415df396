import type { Pool, PoolKind } from "../api/types.ts";
import { type NodePool, type PoolOnNode, poolOnNode } from "../reservations/pool.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Refusal } from "../rpc/server/unary.ts";

/** A pool, and what whoever deals its blocks has to say of it. */
export interface TabledPool {
  readonly onNode: PoolOnNode;
  /** Why its spec is not the one in force, or why this node has no block; "" when there is nothing to say. */
  readonly trouble: string;
}

/** The pools as this node serves them, made ready once when they change. Whoever knows the pools puts them here. */
export class PoolTable {
  readonly #nodeName: string;
  readonly #pools: Readonly<Record<PoolKind, Map<string, TabledPool>>> = { IPPool: new Map(), CIDRPool: new Map() };
  readonly #known = new Set<PoolKind>();

  constructor(nodeName: string) {
    this.#nodeName = nodeName;
  }

  /** Adds a pool or replaces the one of its kind and name. */
  set(pool: Pool): void {
    const pools = this.#pools[pool.kind];
    const { name } = pool.metadata;
    const onNode = poolOnNode(pool, this.#nodeName, pools.get(name)?.onNode);
    pools.set(name, { onNode, trouble: troubleOf(pool, onNode) });
  }

  /** Forgets a pool; unknown ones are no error. */
  delete(kind: PoolKind, name: string): void {
    this.#pools[kind].delete(name);
  }

  /** Makes these all the pools of the kind, and the kind known. */
  replace(kind: PoolKind, pools: readonly Pool[]): void {
    const names = new Set(pools.map((pool) => pool.metadata.name));
    for (const name of [...this.#pools[kind].keys()]) if (!names.has(name)) this.delete(kind, name);
    for (const pool of pools) this.set(pool);
    this.#known.add(kind);
  }

  /** Whether the pools of the kind have been read once (R11). */
  known(kind: PoolKind): boolean {
    return this.#known.has(kind);
  }

  /** The ready-made pool, or why this node does not serve it. */
  serve(kind: PoolKind, name: string): Result<NodePool, Refusal> {
    const found = this.#pools[kind].get(name)?.onNode;
    if (found?.state === "ready") return ok(found.pool);
    const reason =
      found?.reason ?? `there is no ${kind} of this name; create it, or correct poolName and poolType in the network`;
    return fail({ status: "NotFound", message: `${kind} "${name}": ${reason}` });
  }

  /** Every pool, whether it is served or not. */
  *all(): Iterable<TabledPool> {
    for (const pools of Object.values(this.#pools)) yield* pools.values();
  }
}

/** Reasons of Ready=False that concern every node. */
const SPEC_REASONS: readonly string[] = ["InvalidSpec", "WouldMoveBlocks"];

function troubleOf({ status }: Pool, { state }: PoolOnNode): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "False") return "";
  return state === "no-block" || SPEC_REASONS.includes(ready.reason) ? ready.message : "";
}
