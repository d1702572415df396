/**
 * Plans one pool in a thread of its own, whose code nobody has warmed up: so does a controller that has just started. Takes
 * an {@link Assignment} as workerData and posts what it {@link Took}.
 */
import { parentPort, workerData } from "node:worker_threads";
import { readPool } from "../../src/lib/api/parse.ts";
import type { NodeInfo } from "../../src/lib/api/selector.ts";
import type { AnyPoolStatus, PoolKind, PoolObject } from "../../src/lib/api/types.ts";
import { PlanMemory } from "../../src/lib/planner/memory.ts";
import { type Plan, plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { median } from "./_statistics.ts";

/** What to plan. */
export interface Assignment {
  readonly kind: PoolKind;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly nodes: number;
}

/** In milliseconds. */
export interface Took {
  /** The pool's first plan. */
  readonly first: number;
  /** The median of further ones, each with one node more, read with the status that the last one wrote. */
  readonly oneMore: number;
}

const JOINING = 25;
const LABEL = "node-role.kubernetes.io/worker";
const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: LABEL, operator: "Exists" }] }] };

function node(name: string): NodeInfo {
  return { name, labels: { [LABEL]: "", "kubernetes.io/hostname": name } };
}

function measure({ kind, spec, nodes: count }: Assignment): Took {
  const memory = new PlanMemory();
  const rest = new RestClock(() => 0).rules("uid", 600_000);
  // In name order, as the controller has them.
  const names = Array.from({ length: count }, (_, i) => `worker-${String(i).padStart(6, "0")}`);
  let nodes = names.map(node);
  const timed = (status?: AnyPoolStatus): { readonly planned: Plan; readonly ms: number } => {
    const pool = asRead(kind, { ...spec, nodeSelector }, status);
    const began = performance.now();
    const planned = plan({ pool, nodes, now: new Date(0), rest }, memory);
    const ms = performance.now() - began;
    if (planned.status.allocations.length !== nodes.length) throw new Error("a node is without block");
    return { planned, ms };
  };
  const { planned, ms: first } = timed();
  let { status } = planned;
  const more = Array.from({ length: JOINING }, (_, i) => {
    names.push(`worker-${String((i * 7919) % count).padStart(6, "0")}-later`);
    nodes = names.sort().map(node);
    const next = timed(status);
    status = next.planned.status;
    return next.ms;
  });
  return { first, oneMore: median(more) };
}

/** As it comes from the API server: new objects each time. */
function asRead(kind: PoolKind, spec: unknown, status: AnyPoolStatus | undefined): PoolObject {
  const metadata = { name: "pool", uid: "uid", generation: 1 };
  const text = JSON.stringify({ apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind, metadata, spec, status });
  const pool = readPool(JSON.parse(text));
  if (!pool.ok) throw new Error(JSON.stringify(pool.error));
  return pool.value;
}

parentPort?.postMessage(measure(workerData));
