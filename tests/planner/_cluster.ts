/** A cluster in memory for the planner: Node objects, pools with their status, and a clock that the test moves. */

import { parsePool } from "../../src/lib/api/parse.ts";
import type { NodeInfo } from "../../src/lib/api/selector.ts";
import type { AnyPoolStatus, Condition, Pool, PoolKind } from "../../src/lib/api/types.ts";
import { blockText } from "../../src/lib/planner/block_entry.ts";
import { overlapsByPool, poolKey } from "../../src/lib/planner/overlaps.ts";
import { type Plan, plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";

export type Json = Readonly<Record<string, unknown>>;

/** A pool object as an API server keeps it. */
export interface StoredPool {
  readonly apiVersion: "nv-ipam.nvidia.com/v1alpha1";
  readonly kind: PoolKind;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    generation: number;
    annotations: Record<string, string>;
  };
  spec: Json;
  status?: AnyPoolStatus;
}

export class Cluster {
  readonly nodes = new Map<string, NodeInfo>();
  readonly pools = new Map<string, StoredPool>();
  readonly events: string[] = [];
  /** Milliseconds; both clocks run alike. */
  time = 0;
  delayMs = 0;
  #clock = new RestClock(() => this.time);
  #uids = 0;

  addNode(name: string, labels: Record<string, string> = {}): void {
    this.nodes.set(name, { name, labels });
  }

  addPool(kind: PoolKind, name: string, spec: Json, annotations: Record<string, string> = {}): StoredPool {
    const metadata = { name, uid: `uid-${++this.#uids}`, generation: 1, annotations };
    const pool: StoredPool = { apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind, metadata, spec };
    this.pools.set(`${kind}/${name}`, pool);
    return pool;
  }

  pool(key: string): StoredPool {
    const pool = this.pools.get(key);
    if (pool === undefined) throw new Error(`the test has no pool ${key}`);
    return pool;
  }

  edit(key: string, spec: Json): void {
    const pool = this.pool(key);
    pool.spec = spec;
    pool.metadata.generation++;
  }

  /** The pool as everything but the API server sees it. */
  read(key: string): Pool {
    const parsed = parsePool(this.pool(key));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
    return parsed.value;
  }

  /** A new controller process: what the old one had in memory is gone. */
  restart(): void {
    this.#clock = new RestClock(() => this.time);
  }

  /** What a reconcile of the pool would write. */
  look(key: string): Plan {
    const pool = this.read(key);
    const uid = this.pool(key).metadata.uid;
    const others = overlapsByPool([...this.pools.keys()].map((other) => this.read(other)));
    this.#clock.observe(uid, pool.status?.released ?? []);
    return plan({
      pool,
      nodes: [...this.nodes.values()],
      now: new Date(this.time),
      rest: this.#clock.rules(uid, this.delayMs),
      overlapsWith: others.get(poolKey(pool)) ?? [],
    });
  }

  /** One reconcile of the pool. */
  reconcile(key: string): Plan {
    const result = this.look(key);
    const pool = this.pool(key);
    if (result.changed) pool.status = JSON.parse(JSON.stringify(result.status));
    this.#clock.observe(pool.metadata.uid, result.status.released ?? []);
    this.events.push(...result.events.map(({ type, reason }) => `${key} ${type} ${reason}`));
    return result;
  }

  /** Reconciles every pool; a second round must find nothing to do. */
  settle(): void {
    for (const key of this.pools.keys()) this.reconcile(key);
    for (const key of this.pools.keys()) {
      if (this.look(key).changed) throw new Error(`${key} does not settle: ${JSON.stringify(this.look(key).status)}`);
    }
  }
}

/** The pool's allocations as `node 10.0.0.1-10.0.0.8` or `node 10.0.0.0/24 via 10.0.0.1`, in their order. */
export function allocationsOf(cluster: Cluster, key: string): readonly string[] {
  return (cluster.pool(key).status?.allocations ?? []).map((entry) => {
    const gateway = "prefix" in entry && entry.gateway !== undefined ? ` via ${entry.gateway}` : "";
    return `${entry.nodeName} ${blockText(entry)}${gateway}`;
  });
}

/** What rests, as `node 10.0.0.1-10.0.0.8 reason`. */
export function restingOf(cluster: Cluster, key: string): readonly string[] {
  return (cluster.pool(key).status?.released ?? []).map(
    (entry) => `${entry.nodeName} ${blockText(entry)} ${entry.reason}`,
  );
}

/** The pool's condition of this type. */
export function conditionOf(cluster: Cluster, key: string, type: string): Condition | undefined {
  return cluster.pool(key).status?.conditions?.find((condition) => condition.type === type);
}
