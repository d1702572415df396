/** Brings the status of one pool to what the planner says: the controller's one action. */
import type { NodeInfo } from "../api/selector.ts";
import type { Allocation, AnyPoolStatus, PoolKind, PoolObject, Released } from "../api/types.ts";
import { type KubeError, localError } from "../kube/error.ts";
import type { Log } from "../observe/log.ts";
import type { PoolEvent } from "../planner/conditions.ts";
import { PlanMemory } from "../planner/memory.ts";
import { poolKey } from "../planner/overlaps.ts";
import { type Plan, plan } from "../planner/plan.ts";
import { type PodUse, RestClock } from "../planner/rest.ts";
import { tooLarge } from "../planner/too_large.ts";
import { fail, ok, type Result } from "../result.ts";
import type { ClusterView } from "./cluster_view.ts";
import { NodeCheck } from "./node_check.ts";
import { PodCheck } from "./pod_check.ts";
import type { PoolApi } from "./pool_api.ts";
import { StoredStatus } from "./stored_status.ts";

/** What reconciling depends on. */
export interface ReconcilerOptions {
  readonly view: ClusterView;
  readonly api: PoolApi;
  /** Milliseconds that a block rests (R7); 0: not at all. */
  readonly releaseDelayMs: number;
  /** Whether this process is the leader at this very moment: asked right before each write (R14). */
  readonly mayWrite: () => boolean;
  /** Takes Events to be recorded; never waits. */
  readonly record: (pool: PoolObject, event: PoolEvent) => void;
  readonly log: Log;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
}

/** What is to be done next about a pool whose status is right. */
export interface Reconciled {
  /** Milliseconds until a rest may be over and the pool has to be looked at again; undefined: not before something changes. */
  readonly againAfterMs: number | undefined;
  readonly outcome: "written" | "unchanged" | "gone";
  /** Further pools whose plan may come out differently by what was written. */
  readonly concerned: readonly string[];
}

const GONE: Reconciled = { againAfterMs: undefined, outcome: "gone", concerned: [] };

type PodUses = ReadonlyMap<Released<Allocation>, PodUse>;

/** Reconciles pools. One key at a time may be under way any number of times after each other, never twice at once. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #clock: RestClock;
  readonly #nodes: NodeCheck;
  readonly #pods: PodCheck;
  readonly #stored = new StoredStatus();
  readonly #memories = new Map<string, PlanMemory>();
  #toldPruned = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#clock = new RestClock(options.monotonicMs);
    this.#nodes = new NodeCheck(options.api, options.monotonicMs);
    this.#pods = new PodCheck(options.api, options.log, options.monotonicMs);
  }

  /** A node changed: it is to be asked for again before a block is taken from it. */
  nodeChanged(name: string): void {
    this.#nodes.forget(name);
  }

  /** The schema of a kind may be another now. @returns the pools whose status lost members: they are to be tried again. */
  schemaMayHaveChanged(kind: PoolKind): readonly string[] {
    const pools = this.#options.view.pools().filter((pool) => pool.kind === kind && this.#stored.tryAgain(idOf(pool)));
    return pools.map(poolKey);
  }

  /**
   * Plans the pool and writes its status if and only if it changes, or has to be tried again.
   *
   * @param key `kind/name`
   * @returns an error when the pool has to be tried again: code `conflict` when it was changed meanwhile, `notFound`
   *   when it has gone.
   */
  async reconcile(key: string, signal: AbortSignal): Promise<Result<Reconciled, KubeError>> {
    const { view } = this.#options;
    const read = view.pool(key);
    if (read === undefined) {
      this.#forget(key);
      return ok(GONE);
    }
    const { pool, lost } = this.#stored.restore(read);
    const waitMs = lost === 0 ? 0 : this.#stored.untilPutBack(idOf(pool), this.#options.monotonicMs());
    if (waitMs > 0) return ok({ againAfterMs: waitMs, outcome: "unchanged", concerned: [] });
    this.#clock.observe(idOf(pool), pool.status?.released ?? []);
    const planned = await this.#plan(pool, signal);
    if (!planned.ok) return planned;
    const { changed, status, blocks, events, wakeAfterMs: againAfterMs } = planned.value;
    if (!changed && lost === 0 && !this.#stored.isDue(idOf(pool))) {
      this.#stored.keep(idOf(pool), pool.status ?? status);
      return ok({ againAfterMs, outcome: "unchanged", concerned: [] });
    }

    const written = await this.#write(pool, status, signal);
    if (!written.ok) {
      if (written.error.code === "tooLarge") await this.#tellTooLarge(pool, signal);
      return written;
    }
    // Only now is it sure that they were missing: the version that was planned from was the last one.
    if (lost > 0) {
      this.#stored.putBack(idOf(pool), this.#options.monotonicMs());
      this.#tellLost(pool, lost);
    }
    const { allocated, free, resting } = blocks;
    this.#options.log.info("Wrote a pool's status", { pool: key, allocated, free, resting });
    for (const event of events) this.#options.record(pool, event);
    return ok({ againAfterMs, outcome: "written", concerned: written.value.filter((other) => other !== key) });
  }

  /** A plan of which the API server has confirmed who is gone, and whose rests pods were looked at for. */
  async #plan(pool: PoolObject, signal: AbortSignal): Promise<Result<Plan, KubeError>> {
    let nodes = this.#options.view.nodes();
    let uses: PodUses = new Map();
    const confirmed = new Set<string>();
    for (;;) {
      const planned = this.#planOnce(pool, nodes, uses);
      if (planned.toLookAt.length > 0) {
        uses = new Map([...uses, ...(await this.#look(pool, planned.toLookAt, signal))]);
        continue;
      }
      const open = [...planned.withdrawn, ...planned.gone].filter((name) => !confirmed.has(name));
      if (open.length === 0) return ok(planned);
      const found = await this.#nodes.look([...new Set(open)], signal);
      if (!found.ok) return found;
      for (const name of open) confirmed.add(name);
      const corrected = correct(nodes, found.value);
      if (corrected === nodes) return ok(planned);
      nodes = corrected;
    }
  }

  #look(pool: PoolObject, toLookAt: readonly Released<Allocation>[], signal: AbortSignal): Promise<PodUses> {
    const { releaseDelayMs } = this.#options;
    const overdueMs = (entry: Released<Allocation>) => this.#clock.elapsedMs(idOf(pool), entry) - releaseDelayMs;
    return this.#pods.look(toLookAt, overdueMs, signal);
  }

  #planOnce(pool: PoolObject, nodes: readonly NodeInfo[], uses: PodUses): Plan {
    const { view, releaseDelayMs, now } = this.#options;
    const id = idOf(pool);
    // Where nobody has tried yet, what the leader before found out holds.
    const podsForbidden =
      this.#pods.forbidden ?? pool.status?.conditions?.some(({ type }) => type === "PodsUnchecked") ?? false;
    const podUse = (entry: Released<Allocation>): PodUse => uses.get(entry) ?? "unknown";
    return plan(
      {
        pool,
        nodes,
        now: now(),
        rest: { ...this.#clock.rules(id, releaseDelayMs, podUse), podsForbidden },
        overlapsWith: view.overlapsOf(poolKey(pool)),
      },
      this.#memory(poolKey(pool)),
    );
  }

  async #write(
    pool: PoolObject,
    status: AnyPoolStatus,
    signal: AbortSignal,
  ): Promise<Result<readonly string[], KubeError>> {
    const { view, api, log, mayWrite } = this.#options;
    if (!mayWrite()) return fail(localError("aborted", "this process is not the leader any more"));
    const stored = await api.putStatus(pool, status, signal);
    const id = idOf(pool);
    if (!stored.ok) {
      // A conflict may come of the write before, whose answer was lost.
      if (stored.error.code !== "conflict" && stored.error.code !== "tooLarge") this.#stored.sent(id, status);
      return stored;
    }
    const { resourceVersion, isPruned } = stored.value;
    // The planner gives the status of the pool's kind.
    const concerned = view.setWritten({
      ...pool,
      metadata: { ...pool.metadata, resourceVersion },
      status,
    } as PoolObject);
    this.#clock.observe(id, status.released ?? []);
    this.#stored.written(id, status, isPruned);
    if (isPruned && !this.#toldPruned) {
      log.warning(
        "The cluster's CRD keeps status.allocations only: which blocks rest and which spec is in force is known to this process alone; apply the CRDs of this version",
        { pool: poolKey(pool) },
      );
    }
    this.#toldPruned ||= isPruned;
    return ok(concerned);
  }

  /** The pool is tried again; meanwhile its users are to know. */
  async #tellTooLarge(pool: PoolObject, signal: AbortSignal): Promise<void> {
    const { status, events } = tooLarge(pool, this.#options.now());
    for (const event of events) this.#options.record(pool, event);
    if (events.length > 0) await this.#write(pool, status, signal);
  }

  #tellLost(pool: PoolObject, count: number): void {
    const message = "others took blocks or rests out of the status; they are put back: nodes may use their addresses";
    this.#options.log.warning("A pool's status lost entries; they are put back", { pool: poolKey(pool), count });
    this.#options.record(pool, { type: "Warning", reason: "BlocksPutBack", message });
  }

  #memory(key: string): PlanMemory {
    const memory = this.#memories.get(key) ?? new PlanMemory();
    this.#memories.set(key, memory);
    return memory;
  }

  #forget(key: string): void {
    this.#memories.delete(key);
    const present = new Set(this.#options.view.pools().map(idOf));
    this.#stored.retain(present);
    this.#clock.retain(present);
  }
}

/** What tells a pool object from one of the same name before it. */
function idOf({ metadata }: PoolObject): string {
  return metadata.uid ?? metadata.name;
}

/** The list with what the API server says of some nodes; the same list where that is no news. */
function correct(nodes: readonly NodeInfo[], found: ReadonlyMap<string, NodeInfo | undefined>): readonly NodeInfo[] {
  const present = [...found.values()].filter((node) => node !== undefined);
  const others = nodes.filter(({ name }) => !found.has(name));
  if (present.length === 0 && others.length === nodes.length) return nodes;
  return [...others, ...present];
}
