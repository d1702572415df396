/** The controller's metrics; docs/controller.md lists them. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { BuildInfo } from "../../version.ts";
import type { ClusterView } from "./cluster_view.ts";

/** What metrics are read from when they are asked for. */
export interface MetricSources {
  readonly view: ClusterView;
  readonly queueDepth: () => number;
  readonly isLeader: () => boolean;
  readonly build: BuildInfo;
}

const POOL = ["kind", "pool"] as const;
const KIND = ["kind"] as const;

/** Counts, and shows what it counted. */
export class ControllerMetrics {
  readonly registry = new Registry();
  readonly #durations: Histogram<"kind">;
  readonly #errors: Counter<"kind">;
  readonly #writes: Counter<"kind" | "pool">;
  readonly #restarts: Counter<"resource">;

  constructor({ view, queueDepth, isLeader, build }: MetricSources) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#durations = new Histogram({
      name: "nvipam_reconcile_duration_seconds",
      help: "Time that one look at a pool took, with the write of its status if there was one",
      labelNames: KIND,
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
      registers,
    });
    this.#errors = new Counter({
      name: "nvipam_reconcile_errors_total",
      help: "Looks at a pool that failed and were tried again",
      labelNames: KIND,
      registers,
    });
    this.#writes = new Counter({
      name: "nvipam_pool_status_writes_total",
      help: "Writes of the pool's status",
      labelNames: POOL,
      registers,
    });
    this.#restarts = new Counter({
      name: "nvipam_watch_restarts_total",
      help: "Lists and watches of the API server that failed and were begun anew",
      labelNames: ["resource"],
      registers,
    });
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({ name, help, registers, collect: ownGauge((self) => self.set(value())) });
    gauge("nvipam_queue_depth", "Pools that wait to be looked at", queueDepth);
    gauge("nvipam_leader", "1 where this process deals blocks, 0 where it stands by", () => (isLeader() ? 1 : 0));
    gauge("nvipam_nodes", "Node objects that are known", () => view.nodes().length);
    new Gauge({
      name: "nvipam_build_info",
      help: "Always 1; the labels say which build this is",
      labelNames: ["version", "commit"],
      registers,
    }).set({ version: build.version, commit: build.commit }, 1);
    this.#poolGauges(view);
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

  /** A list or watch failed. */
  watchFailed(resource: string): void {
    this.#restarts.inc({ resource });
  }

  #poolGauges(view: ClusterView): void {
    const registers = [this.registry];
    const counts = [
      ["nvipam_pool_blocks", "Blocks or prefixes that the pool has", "total"],
      ["nvipam_pool_blocks_allocated", "Blocks or prefixes that nodes have", "allocated"],
      ["nvipam_pool_blocks_free", "Blocks or prefixes that the next new nodes could have", "free"],
      ["nvipam_pool_blocks_resting", "Blocks or prefixes that rest before another node may have them", "resting"],
    ] as const;
    for (const [name, help, count] of counts) {
      const collect = ownGauge((self) => {
        self.reset();
        for (const { kind, metadata, status } of view.pools()) {
          self.set({ kind, pool: metadata.name }, status?.blocks?.[count] ?? 0);
        }
      });
      new Gauge({ name, help, labelNames: POOL, registers, collect });
    }
    new Gauge({
      name: "nvipam_pool_ready",
      help: "1 where every matching node has its block, else 0; the label reason says why",
      labelNames: [...POOL, "reason"],
      registers,
      collect: ownGauge((self) => {
        self.reset();
        for (const { kind, metadata, status } of view.pools()) {
          const ready = status?.conditions?.find(({ type }) => type === "Ready");
          const labels = { kind, pool: metadata.name, reason: ready?.reason ?? "Unknown" };
          self.set(labels, ready?.status === "True" ? 1 : 0);
        }
      }),
    });
    new Gauge({
      name: "nvipam_pool_overlaps",
      help: "Other pools that share addresses with the pool",
      labelNames: POOL,
      registers,
      collect: ownGauge((self) => {
        self.reset();
        for (const { kind, metadata } of view.pools()) {
          self.set({ kind, pool: metadata.name }, view.overlapsOf(`${kind}/${metadata.name}`).length);
        }
      }),
    });
  }
}

/** prom-client hands a gauge to its collect function as `this`. */
function ownGauge(collect: (self: Gauge<string>) => void): (this: Gauge<string>) => void {
  return function (this: Gauge<string>): void {
    collect(this);
  };
}

function labelsOf(key: string): { kind: string; pool: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash), pool: key.slice(slash + 1) };
}
