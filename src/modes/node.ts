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
import { PodWatch } from "../lib/node/pod_watch.ts";
import { PoolWatch } from "../lib/node/pool_watch.ts";
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
async function serve(values: Values, log: Log, stop: AbortSignal): Promise<Result<undefined, string>> {
  log.info("Starting", { role: "node", version: BUILD.version, node: values["node-name"] });
  const pools = new PoolTable(values["node-name"]);
  const metrics = await daemonMetrics(values);
  const daemon = await openDaemon({ values, pools, podOptional: false, log, observer: metrics });
  if (!daemon.ok) return daemon;
  const ended = new AbortController();
  const trouble = await follow(values, pools, daemon.value, metrics, log, AbortSignal.any([stop, ended.signal]));
  ended.abort();
  await daemon.value.close();
  return trouble === undefined ? ok(undefined) : fail(trouble);
}

/** Everything beside requests. Returns when told to stop. @returns why the daemon cannot run. */
async function follow(
  values: Values,
  table: PoolTable,
  { store }: OpenDaemon,
  metrics: DaemonMetrics | undefined,
  log: Log,
  stop: AbortSignal,
): Promise<string | undefined> {
  const plugin = new PluginInstallation(values, false, log.named("install"));
  plugin.run(stop);
  // Requests are answered by now: what the client of the API server is made of takes its time to load.
  const { connect } = await import("../lib/kube/connect.ts");
  const userAgent = `nv-ipam-node/${BUILD.version}`;
  const client = connect({ path: values.kubeconfig, env: process.env }, userAgent);
  if (!client.ok) return client.error.message;
  const namespace = values["ippools-namespace"];
  log.info("Following the pools", { namespace, server: client.value.server });
  const pools = new PoolWatch({ client: client.value, namespace, table, log: log.named("pools") });

  const pods = new PodWatch({ client: client.value, nodeName: values["node-name"], log: log.named("pods") });
  if (metrics !== undefined) showWatches(metrics.exposition, [...pools.watches, pods.watch]);
  const checks = { ippools: () => pools.missing("IPPool"), cidrpools: () => pools.missing("CIDRPool") };
  const endpoints = await openDaemonEndpoints({ values, store, pools: table, plugin, checks, metrics, log });
  if (!endpoints.ok) return endpoints.error;
  await Promise.all([pools.run(stop), pods.run(stop)]);
  await Promise.all([endpoints.value(), client.value.close()]);
  return undefined;
}
