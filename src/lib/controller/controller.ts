/** Follows nodes and pools, and while it leads keeps every pool's status as the planner says. */
import { POOL_KINDS, POOL_RESOURCES } from "../api/resources.ts";
import type { NodeInfo } from "../api/selector.ts";
import type { PoolKind, PoolObject } from "../api/types.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, ObjectMeta } from "../kube/object.ts";
import { type Outcome, WorkQueue } from "../kube/queue.ts";
import { Reflector } from "../kube/reflector.ts";
import type { Stored } from "../kube/store.ts";
import { WatchLog } from "../kube/watch_log.ts";
import type { Log } from "../observe/log.ts";
import type { PoolEvent } from "../planner/conditions.ts";
import { poolKey } from "../planner/overlaps.ts";
import { Burst } from "./burst.ts";
import { ClusterView } from "./cluster_view.ts";
import { KubePoolApi, NODES } from "./kube_pool_api.ts";
import { SHARED_MS } from "./pod_check.ts";
import { Reconciler } from "./reconciler.ts";

/** What a controller is made of. */
export interface ControllerOptions {
  readonly client: KubeClient;
  /** Namespace of the pools. */
  readonly namespace: string;
  /** Milliseconds that a block rests (R7). */
  readonly releaseDelayMs: number;
  /** Records an Event about a pool; never waits. */
  readonly record: (pool: PoolObject, event: PoolEvent) => void;
  readonly log: Log;
  readonly observer?: ControllerObserver;
}

/** Told what a controller does, for metrics. */
export interface ControllerObserver {
  reconciled(key: string, seconds: number, outcome: "written" | "unchanged" | "failed"): void;
  forget(key: string): void;
}

interface NodeEntry extends Stored {
  readonly node: NodeInfo;
}

interface PoolEntry extends Stored {
  /** undefined: an object that is no pool, whatever its path says. */
  readonly pool: PoolObject | undefined;
}

interface Leading {
  readonly queue: WorkQueue;
  readonly nodeBurst: Burst;
  readonly poolBurst: Burst;
  readonly reconciler: Reconciler;
}

/** Many nodes that join together cost one write a pool. */
const NODE_BURST = { quietMs: 100, longestMs: 1000 };
/** A list that is read anew is one change. */
const POOL_BURST = { quietMs: 5, longestMs: 50 };
/** Pools whose requests are under way at once. */
const AT_ONCE = 4;
/** Milliseconds that work in hand may take when the controller stops; then it is given up. */
const STOP_MS = 1000;
/** Timers are not set for longer: looking once more costs nothing. */
const LONGEST_WAIT_MS = 3_600_000;

/** The controller's watches and work. */
export class Controller {
  readonly view = new ClusterView();
  readonly #options: ControllerOptions;
  readonly #api: KubePoolApi;
  readonly #reflectors: Readonly<Record<string, Pick<Reflector<KubeObject>, "hasSynced" | "synced" | "run">>>;
  readonly #watches: WatchLog[] = [];
  #leading: Leading | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#api = new KubePoolApi(options.client, options.namespace);
    const pools = POOL_KINDS.map((kind) => [POOL_RESOURCES[kind].plural, this.#reflectPools(kind)] as const);
    this.#reflectors = { nodes: this.#reflectNodes(), ...Object.fromEntries(pools) };
  }

  /** How each of the watches is. */
  get watches(): readonly WatchLog[] {
    return this.#watches;
  }

  /** Pools that wait for a look. */
  get queueDepth(): number {
    return this.#leading?.queue.depth ?? 0;
  }

  /** What has not been read yet, by name, and what the API server said against it; undefined when all has. */
  get missing(): string | undefined {
    const missing = Object.keys(this.#reflectors).filter((name) => this.#reflectors[name]?.hasSynced === false);
    if (missing.length === 0) return undefined;
    const troubles = this.#watches
      .filter(({ resource }) => missing.includes(resource))
      .flatMap((each) => each.trouble ?? []);
    return [`${missing.join(", ")} not read yet`, ...troubles].join(": ");
  }

  /** Resolves when everything was read once, or the signal is aborted; never rejects. */
  async synced(signal: AbortSignal): Promise<void> {
    const all = Promise.all(Object.values(this.#reflectors).map(({ synced }) => synced));
    await Promise.race([all, aborted(signal)]);
  }

  /** Follows nodes and pools until the signal is aborted. */
  async watch(signal: AbortSignal): Promise<void> {
    await Promise.all(Object.values(this.#reflectors).map((reflector) => reflector.run(signal)));
  }

  /**
   * Writes statuses until the signal is aborted; then work in hand has two seconds at most. To be called when everything was
   * read once. Begins with nothing remembered, however often it is called: another process may have led meanwhile.
   *
   * @param mayWrite asked before each write: also by work that outlasts its time, whoever leads then.
   */
  async lead(mayWrite: () => boolean, signal: AbortSignal): Promise<void> {
    const { releaseDelayMs, record, log } = this.#options;
    const reconciler = new Reconciler({
      view: this.view,
      api: this.#api,
      releaseDelayMs,
      mayWrite,
      record,
      log,
      now: () => new Date(),
      monotonicMs: () => performance.now(),
    });
    const queue: WorkQueue = new WorkQueue({
      work: (key, workSignal) => this.#work(reconciler, queue, key, workSignal),
      concurrency: AT_ONCE,
      onError: (key, error) => {
        log.error("A pool could not be looked at", { pool: key, err: error });
        this.#options.observer?.reconciled(key, 0, "failed");
      },
    });
    const add = (key: string): void => queue.add(key);
    const nodeBurst = new Burst(NODE_BURST, add);
    const poolBurst = new Burst(POOL_BURST, add);
    this.#leading = { queue, nodeBurst, poolBurst, reconciler };
    for (const pool of this.view.pools()) queue.add(poolKey(pool));
    await aborted(signal);
    this.#leading = undefined;
    nodeBurst.close();
    poolBurst.close();
    await queue.stop(STOP_MS);
  }

  async #work(reconciler: Reconciler, queue: WorkQueue, key: string, signal: AbortSignal): Promise<Outcome> {
    const { log, observer } = this.#options;
    const began = performance.now();
    const done = await reconciler.reconcile(key, signal);
    const seconds = (performance.now() - began) / 1000;
    if (!done.ok) {
      const { code, message } = done.error;
      // The watch brings what has become of the pool.
      const isOvertaken = code === "conflict" || code === "notFound";
      if (isOvertaken) log.info("A pool was changed meanwhile", { pool: key, err: message }, 1);
      else log.error("A pool's status could not be brought up to date", { pool: key, err: message });
      observer?.reconciled(key, seconds, "failed");
      return "retry";
    }
    const { againAfterMs, outcome, concerned } = done.value;
    if (outcome === "gone") observer?.forget(key);
    else observer?.reconciled(key, seconds, outcome);
    for (const other of concerned) queue.add(other);
    return againAfterMs === undefined ? "done" : { againMs: together(Math.min(againAfterMs, LONGEST_WAIT_MS)) };
  }

  #reflectNodes(): Reflector<KubeObject, NodeEntry> {
    const reflector = new Reflector<KubeObject, NodeEntry>({
      client: this.#options.client,
      resource: NODES,
      // Thousands of small objects come twice as fast in pages as one by one, and cost both sides half the CPU.
      streaming: false,
      metadataOnly: true,
      keep: ({ metadata: { name, resourceVersion, labels = {} } }) => ({
        metadata: metadataOf(name, resourceVersion),
        node: this.view.readNode({ name, labels }),
      }),
      observer: this.#observe("nodes"),
    });
    reflector.store.subscribe((change) => {
      this.#leading?.reconciler.nodeChanged(change.key);
      const concerned =
        change.type === "deleted" ? this.view.deleteNode(change.key) : this.view.setNode(change.now.node);
      this.#leading?.nodeBurst.add(concerned);
    });
    return reflector;
  }

  #reflectPools(kind: PoolKind): Reflector<KubeObject, PoolEntry> {
    const { client, namespace } = this.#options;
    const watchLog = this.#observe(POOL_RESOURCES[kind].plural);
    const reflector: Reflector<KubeObject, PoolEntry> = new Reflector<KubeObject, PoolEntry>({
      client,
      resource: POOL_RESOURCES[kind],
      namespace,
      keep: (object) => ({
        metadata: metadataOf(object.metadata.name, object.metadata.resourceVersion),
        pool: this.view.read(kind, object),
      }),
      observer: {
        // The API server ends a watch when the CRD changes, besides every few minutes.
        watching: () => this.#leading?.poolBurst.add(this.#leading.reconciler.schemaMayHaveChanged(kind)),
        failed: (during, error, waitMs) => watchLog.failed(during, error, waitMs),
        recovered: () => watchLog.recovered(),
        listed: (count) => {
          // All of them: the view may be ahead of the store, by a write of this process.
          const pools = [...reflector.store.values()].flatMap(({ pool }) => pool ?? []);
          const concerned = pools.flatMap((pool) => this.view.setListed(pool));
          this.#leading?.poolBurst.add(concerned);
          watchLog.listed(count);
        },
      },
    });
    reflector.store.subscribe((change) => {
      // Where nobody leads, no look at the pool finds out that it is gone.
      if (change.type === "deleted") this.#options.observer?.forget(`${kind}/${change.before.metadata.name}`);
      const concerned =
        change.type === "deleted"
          ? this.view.deletePool(kind, change.before.metadata.name)
          : change.now.pool && this.view.setPool(change.now.pool);
      this.#leading?.poolBurst.add(concerned ?? []);
    });
    return reflector;
  }

  #observe(resource: string): WatchLog {
    const watchLog = new WatchLog(resource, this.#options.log);
    this.#watches.push(watchLog);
    return watchLog;
  }
}

/** A little longer, so that pools whose rests end close to each other are looked at together, with one list of a node's pods. */
function together(ms: number): number {
  const now = performance.now();
  return Math.ceil((now + ms) / SHARED_MS) * SHARED_MS - now;
}

function metadataOf(name: string, resourceVersion: string | undefined): ObjectMeta {
  return { name, ...(resourceVersion !== undefined && { resourceVersion }) };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
