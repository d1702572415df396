/** The controller's metrics; docs/metrics.md lists them. */
import type { Counter, Histogram } from "prom-client";
import type { BuildInfo } from "../../version.ts";
import type { PoolObject } from "../api/types.ts";
import { Exposition, type MetricText, type Series } from "../observe/exposition.ts";
import { type ShownWatch, showWatches } from "../observe/watches.ts";
import type { ClusterView } from "./cluster_view.ts";

/** What metrics are read from when they are asked for. */
export interface MetricSources {
  readonly view: ClusterView;
  readonly watches: readonly ShownWatch[];
  readonly queueDepth: () => number;
  readonly isLeader: () => boolean;
  readonly build: BuildInfo;
}

const POOL = ["kind", "pool"] as const;
const KIND = ["kind"] as const;
const LOOK_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** Counts, and shows what it counted. */
export class ControllerMetrics {
  readonly exposition: Exposition;
  readonly #durations: Histogram<"kind">;
  readonly #errors: Counter<"kind">;
  readonly #writes: Counter<"kind" | "pool">;

  constructor({ view, watches, queueDepth, isLeader, build }: MetricSources) {
    const shown = new Exposition(build);
    this.exposition = shown;
    this.#durations = shown.histogram(
      {
        name: "nvipam_reconcile_duration_seconds",
        help: "Time that one look at a pool took, with the write of its status if there was one",
        labelNames: KIND,
      },
      LOOK_BUCKETS,
    );
    this.#errors = shown.counter({
      name: "nvipam_reconcile_errors_total",
      help: "Looks at a pool that failed and were tried again",
      labelNames: KIND,
    });
    this.#writes = shown.counter({
      name: "nvipam_pool_status_writes_total",
      help: "Writes of the pool's status",
      labelNames: POOL,
    });
    for (const kind of ["IPPool", "CIDRPool"]) this.#errors.inc({ kind }, 0);
    shown.gauge({ name: "nvipam_queue_depth", help: "Pools that wait to be looked at" }, queueDepth);
    shown.gauge({ name: "nvipam_leader", help: "1 where this process deals blocks, 0 where it stands by" }, () =>
      isLeader() ? 1 : 0,
    );
    shown.gauge({ name: "nvipam_nodes", help: "Node objects that are known" }, () => view.nodes().length);
    showWatches(shown, watches);
    showPools(shown, view);
  }

  /** Shows the webhook of this process. To be called once, where there is one. */
  showWebhook(webhook: { readonly certificateExpires: Date | undefined }): void {
    this.exposition.gauge(
      {
        name: "nvipam_webhook_certificate_expiration_timestamp_seconds",
        help: "When the webhook's certificate expires, in seconds since the epoch",
      },
      () => (webhook.certificateExpires?.getTime() ?? 0) / 1000,
    );
  }

  /** One look at a pool is over. */
  reconciled(key: string, seconds: number, outcome: "written" | "unchanged" | "failed"): void {
    const { kind, pool } = labelsOf(key);
    this.#durations.observe({ kind }, seconds);
    if (outcome === "failed") this.#errors.inc({ kind });
    if (outcome === "written") this.#writes.inc({ kind, pool });
  }

  /** A pool is gone: so are its series. */
  forget(key: string): void {
    this.#writes.remove(labelsOf(key));
  }
}

/** One series a pool. */
function showPools(shown: Exposition, view: ClusterView): void {
  const byPool = (name: string, help: string, read: (pool: PoolObject) => number): void => {
    const series = (pool: PoolObject): Series<"kind" | "pool"> => [poolLabels(pool), read(pool)];
    shown.series({ name, help, labelNames: POOL }, () => view.pools().map(series));
  };
  const blocks = (name: string, help: string, count: "total" | "allocated" | "free" | "resting"): void =>
    byPool(name, help, ({ status }) => status?.blocks?.[count] ?? 0);
  blocks("nvipam_pool_blocks", "Blocks or prefixes that the pool has", "total");
  blocks("nvipam_pool_blocks_allocated", "Blocks or prefixes that nodes have", "allocated");
  blocks("nvipam_pool_blocks_free", "Blocks or prefixes that the next new nodes could have", "free");
  blocks("nvipam_pool_blocks_resting", "Blocks or prefixes that rest before another node may have them", "resting");
  byPool(
    "nvipam_pool_overlaps",
    "Other pools that share addresses with the pool",
    ({ kind, metadata }) => view.overlapsOf(`${kind}/${metadata.name}`).length,
  );
  const ready: MetricText<"kind" | "pool" | "reason"> = {
    name: "nvipam_pool_ready",
    help: "1 where every matching node has its block, else 0; the label reason says why",
    labelNames: [...POOL, "reason"],
  };
  shown.series(ready, () =>
    view.pools().map((pool) => {
      const found = pool.status?.conditions?.find(({ type }) => type === "Ready");
      return [{ ...poolLabels(pool), reason: found?.reason ?? "Unknown" }, found?.status === "True" ? 1 : 0];
    }),
  );
  const conditions: MetricText<"kind" | "pool" | "type"> = {
    name: "nvipam_pool_condition",
    help: "1 for each condition beside Ready that the pool has",
    labelNames: [...POOL, "type"],
  };
  shown.series(conditions, function* () {
    for (const pool of view.pools()) {
      for (const { type, status } of pool.status?.conditions ?? []) {
        if (type !== "Ready" && status === "True") yield [{ ...poolLabels(pool), type }, 1];
      }
    }
  });
}

function poolLabels({ kind, metadata }: PoolObject): { kind: string; pool: string } {
  return { kind, pool: metadata.name };
}

function labelsOf(key: string): { kind: string; pool: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash), pool: key.slice(slash + 1) };
}
