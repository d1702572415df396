/** An API server of pools in memory: what the controller asks of it, and what a watch would tell. */
import type { NodeInfo } from "../../src/lib/api/selector.ts";
import type { AnyPoolStatus, PoolKind, PoolObject } from "../../src/lib/api/types.ts";
import { ClusterView } from "../../src/lib/controller/cluster_view.ts";
import type { PodObject } from "../../src/lib/controller/pod_use.ts";
import type { PoolApi, StoredStatus } from "../../src/lib/controller/pool_api.ts";
import { type Reconciled, Reconciler } from "../../src/lib/controller/reconciler.ts";
import { type KubeError, type KubeErrorCode, localError } from "../../src/lib/kube/error.ts";
import { createLog } from "../../src/lib/observe/log.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";

export type Json = Readonly<Record<string, unknown>>;

interface StoredPool {
  readonly kind: PoolKind;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  spec: Json;
  generation: number;
  version: number;
  status?: AnyPoolStatus;
}

export class FakeCluster implements PoolApi {
  readonly view = new ClusterView();
  readonly nodes = new Map<string, NodeInfo>();
  readonly pods = new Map<string, readonly PodObject[]>();
  readonly events: string[] = [];
  readonly requests: string[] = [];
  readonly log: string[] = [];
  /** Milliseconds. */
  time = 0;
  isLeader = true;
  /** The CRD's schema keeps allocations only. */
  prunes = false;
  podsForbidden = false;
  /** Characters of a status that are stored. */
  sizeLimit = Number.POSITIVE_INFINITY;
  /** Requests that fail, by their beginning. */
  readonly failing = new Map<string, KubeErrorCode>();
  /** Writes are carried out, and their answers do not come. */
  losesAnswers = false;
  readonly #pools = new Map<string, StoredPool>();
  #version = 100;
  #reconciler: Reconciler | undefined;
  readonly #delayMs: number;

  constructor(delayMs = 0) {
    this.#delayMs = delayMs;
  }

  get reconciler(): Reconciler {
    this.#reconciler ??= new Reconciler({
      view: this.view,
      api: this,
      releaseDelayMs: this.#delayMs,
      mayWrite: () => this.isLeader,
      record: ({ kind, metadata }, { reason }) => this.events.push(`${kind}/${metadata.name} ${reason}`),
      log: createLog({ format: "text", verbosity: 0, write: (line) => this.log.push(line), now: () => 0, pid: 1 }),
      now: () => new Date(this.time),
      monotonicMs: () => this.time,
    });
    return this.#reconciler;
  }

  /** A new process leads: what the one before had in memory is gone. */
  failOver(): void {
    this.#reconciler = undefined;
  }

  reconcile(key: string): Promise<Result<Reconciled, KubeError>> {
    return this.reconciler.reconcile(key, new AbortController().signal);
  }

  addNode(name: string, labels: Readonly<Record<string, string>> = {}): readonly string[] {
    this.nodes.set(name, { name, labels });
    return this.tellNode(name);
  }

  removeNode(name: string): readonly string[] {
    this.nodes.delete(name);
    return this.tellNode(name);
  }

  /** The watch tells what has become of a node. */
  tellNode(name: string): readonly string[] {
    this.reconciler.nodeChanged(name);
    const node = this.nodes.get(name);
    return node === undefined ? this.view.deleteNode(name) : this.view.setNode(node);
  }

  putPool(kind: PoolKind, name: string, spec: Json, annotations?: Readonly<Record<string, string>>): readonly string[] {
    const before = this.#pools.get(`${kind}/${name}`);
    const uid = before?.metadata.uid ?? `uid-${++this.#version}`;
    this.#pools.set(`${kind}/${name}`, {
      kind,
      metadata: { name, uid, ...(annotations && { annotations }) },
      spec,
      generation: (before?.generation ?? 0) + 1,
      version: ++this.#version,
      ...(before?.status && { status: before.status }),
    });
    return this.tellPool(kind, name);
  }

  /** Somebody else writes the pool's status, or takes it away. */
  overwriteStatus(key: string, status: AnyPoolStatus | undefined): void {
    const pool = this.#pools.get(key);
    if (pool === undefined) throw new Error(`the test has no pool ${key}`);
    if (status === undefined) delete pool.status;
    else pool.status = status;
    pool.version = ++this.#version;
    this.tellPool(pool.kind, pool.metadata.name);
  }

  removePool(kind: PoolKind, name: string): readonly string[] {
    this.#pools.delete(`${kind}/${name}`);
    return this.view.deletePool(kind, name);
  }

  /** The object as the API server has it. */
  object(key: string) {
    const pool = this.#pools.get(key);
    if (pool === undefined) throw new Error(`the test has no pool ${key}`);
    const { kind, metadata, generation, version, spec, status } = pool;
    const resourceVersion = String(version);
    return { kind, metadata: { ...metadata, generation, resourceVersion }, spec, ...(status && { status }) };
  }

  /** The watch tells what has become of a pool. */
  tellPool(kind: PoolKind, name: string): readonly string[] {
    const pool = this.view.read(kind, structuredClone(this.object(`${kind}/${name}`)));
    return pool === undefined ? [] : this.view.setPool(pool);
  }

  /** Blocks as `node start-end` or `node prefix`. */
  blocks(key: string): readonly string[] {
    return (this.object(key).status?.allocations ?? []).map((entry) =>
      "prefix" in entry ? `${entry.nodeName} ${entry.prefix}` : `${entry.nodeName} ${entry.startIP}-${entry.endIP}`,
    );
  }

  async node(name: string): Promise<Result<NodeInfo | undefined, KubeError>> {
    const failure = this.#asked(`node ${name}`);
    return failure ?? ok(this.nodes.get(name));
  }

  async podsOn(nodeName: string): Promise<Result<readonly PodObject[], KubeError>> {
    const failure = this.#asked(`pods ${nodeName}`);
    if (this.podsForbidden) return fail({ ...localError("unreachable", "pods is forbidden"), code: "forbidden" });
    return failure ?? ok(this.pods.get(nodeName) ?? []);
  }

  async putStatus({ kind, metadata }: PoolObject, status: AnyPoolStatus): Promise<Result<StoredStatus, KubeError>> {
    const failure = this.#asked(`put ${kind}/${metadata.name}`);
    if (failure !== undefined) return failure;
    const pool = this.#pools.get(`${kind}/${metadata.name}`);
    const error = (code: KubeErrorCode) => fail({ ...localError("unreachable", code), code });
    if (pool === undefined) return error("notFound");
    if (pool.metadata.uid !== metadata.uid || String(pool.version) !== metadata.resourceVersion)
      return error("conflict");
    if (JSON.stringify(status).length > this.sizeLimit) return error("tooLarge");
    const stored = this.prunes ? { allocations: status.allocations ?? [] } : status;
    const isSame = JSON.stringify(stored) === JSON.stringify(pool.status);
    pool.status = structuredClone(stored) as AnyPoolStatus;
    // The API server makes no new version of what has not changed.
    if (!isSame) pool.version = ++this.#version;
    if (this.losesAnswers) return error("unreachable");
    return ok({ resourceVersion: String(pool.version), isPruned: this.prunes });
  }

  #asked(request: string): Result<never, KubeError> | undefined {
    this.requests.push(request);
    for (const [beginning, code] of this.failing) {
      if (request.startsWith(beginning)) return fail({ ...localError("unreachable", `${request}: ${code}`), code });
    }
    return undefined;
  }
}

/** The key of the pool of clusterOf. */
export const KEY = "IPPool/pool1";
/** Its spec: three blocks of four addresses. */
export const SPEC = { subnet: "10.0.0.0/28", perNodeBlockSize: 4 };

/** A cluster with nodes and one pool, before the first look at it. */
export function clusterOf(nodes: readonly string[], delayMs = 0): FakeCluster {
  const cluster = new FakeCluster(delayMs);
  for (const node of nodes) cluster.addNode(node);
  cluster.putPool("IPPool", "pool1", SPEC);
  return cluster;
}

/** How many statuses were written, or tried to. */
export function puts({ requests }: FakeCluster): number {
  return requests.filter((request) => request.startsWith("put")).length;
}
