/** The metrics of a node daemon; docs/metrics.md lists them. */
import type { Counter, Histogram } from "prom-client";
import type { BuildInfo } from "../../version.ts";
import type { StoreHealth, StoreStats } from "../journal/store.ts";
import { Exposition } from "../observe/exposition.ts";
import type { Ledger } from "../reservations/ledger.ts";
import type { NodePool, PoolOnNode } from "../reservations/pool.ts";
import { IPAMServiceDefinition } from "../rpc/generated/node.ts";
import { OUTCOME_STATUSES, type Outcome } from "../rpc/server/unary.ts";
import type { DaemonObserver } from "./open.ts";
import type { PoolTable } from "./pool_table.ts";

/** What is read of an open store: nothing that looks at every reservation. */
export interface ShownStore {
  readonly ledger: Pick<Ledger, "size" | "held" | "usage">;
  state(): StoreHealth;
  stats(): StoreStats;
}

/** What is read of the plugin's installation. */
export interface ShownPlugin {
  /** Why the plugin is not in place, if so. */
  readonly missing: string | undefined;
  readonly failures: number;
}

const CALL_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const COMMIT_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5];
const STORE_STATES: readonly StoreHealth[] = ["ready", "full", "failed", "damaged"];

/** Counters of one method, found without making a key of labels at each call. */
interface MethodCounters {
  readonly durations: { observe(seconds: number): void };
  readonly results: Map<string, { inc(): void }>;
}

/** Counts, and shows what it counted. */
export class DaemonMetrics implements DaemonObserver {
  readonly exposition: Exposition;
  readonly #requests: Counter<"method" | "code">;
  readonly #durations: Histogram<"method">;
  readonly #commits: { observe(seconds: number): void };
  readonly #methods = new Map<string, MethodCounters>();

  constructor(build: BuildInfo) {
    const shown = new Exposition(build);
    this.exposition = shown;
    this.#requests = shown.counter({
      name: "nvipam_requests_total",
      help: "Calls of the daemon that were answered, by the gRPC status of the answer",
      labelNames: ["method", "code"],
    });
    this.#durations = shown.histogram(
      {
        name: "nvipam_request_duration_seconds",
        help: "Time from a call's arrival until its answer was ready; Allocate and Deallocate wait for the disk",
        labelNames: ["method"],
      },
      CALL_BUCKETS,
    );
    // The first failure is to be a step from 0 to 1, not a series that begins with 1.
    for (const code of OUTCOME_STATUSES) this.#requests.inc({ method: "Allocate", code }, 0);
    for (const { name } of Object.values(IPAMServiceDefinition.methods)) {
      this.#requests.inc({ method: name, code: "Internal" }, 0);
    }
    this.#durations.zero({ method: "Allocate" });
    this.#commits = shown.histogram(
      {
        name: "nvipam_journal_sync_duration_seconds",
        help: "Time to write the changes of one or more calls to the journal and to sync it",
      },
      COMMIT_BUCKETS,
    );
  }

  answered({ method, status, seconds }: Outcome): void {
    const counters = this.#ofMethod(method);
    counters.durations.observe(seconds);
    let results = counters.results.get(status);
    if (results === undefined) {
      results = this.#requests.labels(method, status);
      counters.results.set(status, results);
    }
    results.inc();
  }

  committed(seconds: number): void {
    this.#commits.observe(seconds);
  }

  /** Shows an open store, the pools as this node has them, and the plugin. To be called once. */
  show(store: ShownStore, pools: PoolTable, plugin: ShownPlugin): void {
    showPools(this.exposition, store.ledger, pools);
    showStore(this.exposition, store);
    showPlugin(this.exposition, plugin);
  }

  #ofMethod(method: string): MethodCounters {
    let counters = this.#methods.get(method);
    if (counters === undefined) {
      counters = { durations: this.#durations.labels(method), results: new Map() };
      this.#methods.set(method, counters);
    }
    return counters;
  }
}

function showPools(shown: Exposition, ledger: ShownStore["ledger"], pools: PoolTable): void {
  /** @param read undefined: the pool has no such series on this node. */
  const byPool = (name: string, help: string, read: (pool: PoolOnNode) => bigint | number | undefined): void =>
    shown.series({ name, help, labelNames: ["kind", "pool"] }, function* () {
      for (const { onNode } of pools.all()) {
        const { kind, name: pool } = onNode.id;
        const value = read(onNode);
        if (value !== undefined) yield [{ kind, pool }, Number(value)];
      }
    });
  const byBlock = (name: string, help: string, read: (pool: NodePool) => bigint): void =>
    byPool(name, help, (found) => (found.state === "ready" ? read(found.pool) : undefined));
  byBlock("nvipam_block_addresses", "Addresses of this node's block of the pool", sizeOf);
  byBlock(
    "nvipam_block_addresses_excluded",
    "Addresses of the block that are not given in turn: network, broadcast, gateway, exclusions",
    (pool) => sizeOf(pool) - pool.usableCount,
  );
  byBlock(
    "nvipam_block_addresses_free",
    "Addresses of the block that can still be given in turn",
    (pool) => ledger.usage(pool).free,
  );
  byPool(
    "nvipam_block_addresses_used",
    "Addresses of the pool that are reserved on this node, also those outside its block that were asked for by name",
    ({ id, state }) => ledger.held(id) || (state === "ready" ? 0 : undefined),
  );
  shown.gauge(
    {
      name: "nvipam_pools_outdated",
      help: "1 while the pools that are served may not be those that are written now: the API server is away, or a manifest has a mistake",
    },
    () => Math.min(pools.outdated().length, 1),
  );
}

function sizeOf({ block }: NodePool): bigint {
  return block.last - block.first + 1n;
}

function showStore(shown: Exposition, store: ShownStore): void {
  shown.gauge(
    { name: "nvipam_reservations", help: "Reservations that the daemon holds, of all pools" },
    () => store.ledger.size,
  );
  const state = {
    name: "nvipam_store_state",
    help: "1 for the state that the store is in, 0 for the others; only a ready one takes new reservations",
    labelNames: ["state"],
  } as const;
  shown.series(state, () => {
    const current = store.state();
    return STORE_STATES.map((each) => [{ state: each }, each === current ? 1 : 0] as const);
  });
  const gauge = (name: string, help: string, read: (stats: StoreStats) => number): void =>
    shown.gauge({ name, help }, () => read(store.stats()));
  gauge(
    "nvipam_store_journal_bytes",
    "Size of the journals that the last snapshot does not hold",
    ({ journalBytes }) => journalBytes,
  );
  gauge("nvipam_store_snapshot_bytes", "Size of the last snapshot", ({ snapshotBytes }) => snapshotBytes);
  const total = (name: string, help: string, read: (stats: StoreStats) => number): void =>
    shown.total({ name, help }, () => read(store.stats()));
  total("nvipam_store_written_bytes_total", "Bytes written to the store's files", ({ bytesWritten }) => bytesWritten);
  total("nvipam_store_syncs_total", "Syncs of the store's files and their directory", ({ syncs }) => syncs);
  total(
    "nvipam_store_errors_total",
    "Writes, syncs and other changes of the store's files that failed",
    ({ errors }) => errors,
  );
}

function showPlugin(shown: Exposition, plugin: ShownPlugin): void {
  shown.gauge(
    { name: "nvipam_plugin_installed", help: "1 where the plugin and its nv-ipam.conf are in place, 0 before that" },
    () => (plugin.missing === undefined ? 1 : 0),
  );
  shown.total(
    { name: "nvipam_plugin_install_errors_total", help: "Attempts to put the plugin in place that failed" },
    () => plugin.failures,
  );
}
