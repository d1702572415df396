import type { Pool, PoolKind, PoolObject } from "../api/types.ts";
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
  /** The node that they are made ready for. */
  readonly nodeName: string;
  readonly #pools: Readonly<Record<PoolKind, Map<string, TabledPool>>> = { IPPool: new Map(), CIDRPool: new Map() };
  readonly #known = new Set<PoolKind>();
  #troubles: (kind: PoolKind) => readonly string[] = () => [];

  constructor(nodeName: string) {
    this.nodeName = nodeName;
  }

  /**
   * Makes a pool ready, with what of it has not changed since the table has it. The table stays as it is.
   *
   * @param written all of status.allocations as JSON text, for an object that has only this node's entries.
   */
  read(pool: PoolObject, written?: string): TabledPool {
    const onNode = poolOnNode(pool, this.nodeName, this.#pools[pool.kind].get(pool.metadata.name)?.onNode, written);
    return { onNode, trouble: troubleOf(pool, onNode) };
  }

  /** Adds what {@link read} gave, or puts it in the place of the pool of its kind and name. */
  put(pool: TabledPool): void {
    const { kind, name } = pool.onNode.id;
    this.#pools[kind].set(name, pool);
  }

  /** Adds a pool or replaces the one of its kind and name. */
  set(pool: PoolObject): void {
    this.put(this.read(pool));
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
    this.markKnown(kind);
  }

  /** Says that the table has all pools of the kind. */
  markKnown(kind: PoolKind): void {
    this.#known.add(kind);
  }

  /** Whether the pools of the kind have been read once (R11). */
  known(kind: PoolKind): boolean {
    return this.#known.has(kind);
  }

  /** Lets whoever knows the pools say what keeps those that are written now from being in the table, a sentence each. */
  explain(troubles: (kind: PoolKind) => readonly string[]): void {
    this.#troubles = troubles;
  }

  /** Why no pool of the kind is served, a sentence; undefined when they have been read once. */
  missing(kind: PoolKind): string | undefined {
    if (this.known(kind)) return undefined;
    const [first, ...more] = this.#troubles(kind);
    const why = first === undefined ? "" : `: ${first}`;
    return `the ${kind}s are not known yet${why}${more.length === 0 ? "" : ` (and ${more.length} more)`}`;
  }

  /** Why the pools that are known may not be those that are written now, a sentence each. */
  outdated(): readonly string[] {
    return [...new Set([...this.#known].flatMap((kind) => this.#troubles(kind)))];
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

function troubleOf({ status }: PoolObject, { state }: PoolOnNode): string {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "False") return "";
  return state === "no-block" || SPEC_REASONS.includes(ready.reason) ? ready.message : "";
}
