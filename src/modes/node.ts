/** `nv-ipam node`: the node daemon of a cluster, whose pools come from the API server. */
import { isNodeName } from "../lib/api/node_name.ts";
import { INSTALL_FLAGS } from "../lib/cni/install_flags.ts";
import { daemonMetrics, openDaemonEndpoints } from "../lib/daemon/endpoints.ts";
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import type { DaemonMetrics } from "../lib/daemon/metrics.ts";
import { type OpenDaemon, openDaemon } from "../lib/daemon/open.ts";
import { PluginInstallation } from "../lib/daemon/plugin_installation.ts";
import { PoolTable } from "../lib/daemon/pool_table.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { NODE_FLAGS } from "../lib/node/flags.ts";
import { podViews } from "../lib/node/pod_view.ts";
import { PodWatch } from "../lib/node/pod_watch.ts";
import { PoolWatch } from "../lib/node/pool_watch.ts";
import { Rebuild } from "../lib/node/rebuild.ts";
import { StaleCleaner, showStaleCleaner } from "../lib/node/stale_cleaner.ts";
import type { Log } from "../lib/observe/log.ts";
import { LOG_FLAGS } from "../lib/observe/log_flags.ts";
import { showWatches } from "../lib/observe/watches.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { BUILD } from "../version.ts";
import { runDaemon } from "./_daemon.ts";

const FLAGS = defineFlags({ ...LOG_FLAGS, ...NODE_FLAGS, ...DAEMON_FLAGS, ...INSTALL_FLAGS });

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "node",
  summary: "Serves the plugin on a node of a cluster: pools come from the API server.",
  flags: FLAGS,
};

type Values = FlagValues<typeof FLAGS>;
type Outcome = Result<undefined, string>;

/** Runs until SIGTERM or SIGINT. @returns 0, 1 when it cannot run, 2 when the flags are wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values) => {
    const node = values["node-name"];
    if (!isNodeName(node)) {
      return { message: `--node-name=${node}: give the name of the Node on which the daemon runs`, isUsage: true };
    }
    return runDaemon("node", values, (log, stop) => serve(values, log, stop));
  });
}

/** @returns why the daemon cannot run. */
async function serve(values: Values, log: Log, stop: AbortSignal): Promise<Outcome> {
  const node = values["node-name"];
  const namespace = values["ippools-namespace"];
  log.info("Starting", { role: "node", version: BUILD.version, node, namespace });

  // The API server is asked first: it has its answer ready when store and socket are open.
  const { connect } = await import("../lib/kube/connect.ts");
  const userAgent = `nv-ipam-node/${BUILD.version}`;
  const client = connect({ path: values.kubeconfig, env: process.env }, userAgent);
  if (!client.ok) return fail(client.error.message);
  const table = new PoolTable(node);
  const pools = new PoolWatch({ client: client.value, namespace, table, log: log.named("pools") });
  const ended = new AbortController();
  const both = AbortSignal.any([stop, ended.signal]);
  const pods = new PodWatch({ client: client.value, nodeName: node, log: log.named("pods") });
  const following = Promise.all([pools.run(both), pods.run(both)]);

  const metrics = await daemonMetrics(values);
  const daemon = await openDaemon({
    values,
    pools: table,
    podViews: () => podViews(pods),
    podOptional: false,
    rebuilds: true,
    log,
    observer: metrics,
  });
  const parts = { values, table, pools, pods, metrics, log };
  const outcome = daemon.ok ? await attend({ ...parts, daemon: daemon.value }, both) : daemon;
  ended.abort();
  await Promise.all([following, client.value.close(), daemon.ok ? daemon.value.close() : undefined]);
  return outcome;
}

interface Parts {
  readonly values: Values;
  readonly table: PoolTable;
  readonly pools: PoolWatch;
  readonly pods: PodWatch;
  readonly daemon: OpenDaemon;
  readonly metrics: DaemonMetrics | undefined;
  readonly log: Log;
}

/** Everything beside requests and pools, until told to stop. @returns why the daemon cannot run. */
async function attend(parts: Parts, stop: AbortSignal): Promise<Outcome> {
  const { values, table, pools, pods, daemon, metrics, log } = parts;
  const { store } = daemon;
  const plugin = new PluginInstallation(values, false, log.named("install"));
  const rebuild = new Rebuild({
    store,
    pools: { known: pools.known(), all: () => table.all() },
    pods,
    cacheDirectories: values["cni-cache-dir"].split(",").filter((directory) => directory !== ""),
    log: log.named("rebuild"),
  });
  const cleaner = new StaleCleaner({ store, pods, log: log.named("cleaner") });
  const cleaning = rebuild.run(stop).then(() => cleaner.run(stop));
  if (metrics !== undefined) {
    showWatches(metrics.exposition, [...pools.watches, pods.watch]);
    showStaleCleaner(metrics.exposition, cleaner);
  }
  const checks = {
    ippools: () => pools.missing("IPPool"),
    cidrpools: () => pools.missing("CIDRPool"),
    rebuild: () => rebuild.missing,
  };
  const endpoints = await openDaemonEndpoints({ values, store, pools: table, plugin, checks, metrics, log });
  if (!endpoints.ok) return endpoints;
  plugin.run(stop);
  await cleaning;
  await endpoints.value();
  return ok(undefined);
}
