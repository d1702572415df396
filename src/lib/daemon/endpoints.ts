/** A daemon's probes and metrics, whatever the source of its pools. */
import { BUILD } from "../../version.ts";
import type { FlagValues } from "../flags/flags.ts";
import type { Store } from "../journal/store.ts";
import { type endpointFlags, isOn, openEndpoints } from "../observe/endpoints.ts";
import type { Log } from "../observe/log.ts";
import type { ReadinessChecks } from "../observe/readiness.ts";
import type { Ledger } from "../reservations/ledger.ts";
import type { Result } from "../result.ts";
import type { DaemonMetrics, ShownPlugin, ShownStore } from "./metrics.ts";
import type { PoolTable } from "./pool_table.ts";

type ReadyStore = ShownStore & Pick<Store<Ledger>, "problems" | "admitsReservations">;

/** What a daemon's endpoints are about. */
export interface DaemonEndpointOptions {
  readonly values: FlagValues<ReturnType<typeof endpointFlags>>;
  readonly store: ReadyStore;
  readonly pools: PoolTable;
  readonly plugin: ShownPlugin;
  /** What has to be true for a daemon to be ready besides its store and the plugin. */
  readonly checks: ReadinessChecks;
  /** What {@link daemonMetrics} gave before the daemon was opened. */
  readonly metrics: DaemonMetrics | undefined;
  readonly log: Log;
}

/** The metrics of a daemon that is about to be opened; undefined, and no code loaded for them, where they are turned off. */
export async function daemonMetrics(
  values: Pick<DaemonEndpointOptions["values"], "metrics-bind-address">,
): Promise<DaemonMetrics | undefined> {
  if (!isOn(values["metrics-bind-address"])) return undefined;
  const { DaemonMetrics } = await import("./metrics.ts");
  return new DaemonMetrics(BUILD);
}

/** Opens them, as far as they are on. @returns how they are closed, or which could not be opened and why. */
export function openDaemonEndpoints(options: DaemonEndpointOptions): Promise<Result<() => Promise<void>, string>> {
  const { values, store, pools, plugin, checks, metrics, log } = options;
  metrics?.show(store, pools, plugin);
  return openEndpoints({
    healthProbeAddress: values["health-probe-bind-address"],
    checks: { ...checks, store: () => storeFault(store), plugin: () => plugin.missing },
    metricsAddress: values["metrics-bind-address"],
    metrics: metrics?.exposition.routes() ?? {},
    log,
  });
}

/** Why the store is not ready. Asking makes it try again: where no ADD comes, nothing else would find that the disk has space. */
function storeFault(store: ReadyStore): string | undefined {
  store.admitsReservations();
  return store.problems()[0]?.message;
}
