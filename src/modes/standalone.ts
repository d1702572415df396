/** `nv-ipam standalone`: the node daemon and the controller's planner over pool manifests in a directory, without Kubernetes. */
import { isNodeName } from "../lib/api/node_name.ts";
import { INSTALL_FLAGS } from "../lib/cni/install_flags.ts";
import { daemonMetrics, openDaemonEndpoints } from "../lib/daemon/endpoints.ts";
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import { openDaemon } from "../lib/daemon/open.ts";
import { PluginInstallation } from "../lib/daemon/plugin_installation.ts";
import { PoolTable } from "../lib/daemon/pool_table.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { endpointFlags } from "../lib/observe/endpoints.ts";
import type { Log } from "../lib/observe/log.ts";
import { LOG_FLAGS } from "../lib/observe/log_flags.ts";
import { ok, type Result } from "../lib/result.ts";
import { PoolSource } from "../lib/standalone/pool_source.ts";
import { BUILD } from "../version.ts";
import { runDaemon } from "./_daemon.ts";

const section = "Standalone";

const FLAGS = defineFlags({
  ...endpointFlags(section, { probes: "0", metrics: "0" }),
  pools: {
    type: "string",
    default: "",
    help: "Directory with IPPool and CIDRPool manifests (.yaml, .yml, .json)",
    section,
  },
  nodes: {
    type: "string",
    default: "",
    help: "File that lists the nodes which the pools are divided among (default: this node alone)",
    section,
  },
  "block-release-delay": {
    type: "duration",
    default: 600_000,
    help: "How long a block that its node gave up rests before another node may have it",
    section,
  },
  ...DAEMON_FLAGS,
  ...INSTALL_FLAGS,
  ...LOG_FLAGS,
});

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "standalone",
  summary: "Serves the plugin on a single host: pools come from manifests in a directory.",
  flags: FLAGS,
};

type Values = FlagValues<typeof FLAGS>;

/** Runs until SIGTERM or SIGINT. @returns 0, 1 when it cannot run, 2 when the flags are wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values) => {
    const wrong = wrongValue(values);
    if (wrong !== undefined) return { message: wrong, isUsage: true };
    return runDaemon("standalone", values, (log, stop) => serve(values, log, stop));
  });
}

function wrongValue(values: Values): string | undefined {
  if (values.pools === "") return "--pools is needed: the directory with the pools' manifests";
  if (!isNodeName(values["node-name"])) {
    return `--node-name=${values["node-name"]}: name this node, in lower case letters, digits, - and .`;
  }
  return values["block-release-delay"] < 0
    ? "--block-release-delay: a rest cannot be negative; 0 means none"
    : undefined;
}

/** @returns why the daemon cannot run. */
async function serve(values: Values, log: Log, stop: AbortSignal): Promise<Result<undefined, string>> {
  log.info("Starting", { role: "standalone", version: BUILD.version, node: values["node-name"] });

  const pools = new PoolTable(values["node-name"]);
  const metrics = await daemonMetrics(values);
  const daemon = await openDaemon({ values, pools, podOptional: true, log, observer: metrics });
  if (!daemon.ok) return daemon;
  const source = await PoolSource.open({
    directory: values.pools,
    nodesFile: values.nodes === "" ? undefined : values.nodes,
    nodeName: values["node-name"],
    stateFile: `${values["store-file"]}.pools`,
    releaseDelayMs: values["block-release-delay"],
    table: pools,
    log: log.named("pools"),
  });
  if (!source.ok) {
    await daemon.value.close();
    return source;
  }
  const plugin = new PluginInstallation(values, true, log.named("install"));
  // Before the directory was read once without a mistake there are none to serve.
  const checks = { pools: () => pools.missing("IPPool") };
  const { store } = daemon.value;
  const endpoints = await openDaemonEndpoints({ values, store, pools, plugin, checks, metrics, log });
  if (!endpoints.ok) {
    await daemon.value.close();
    return endpoints;
  }
  plugin.run(stop);
  await source.value.run(stop);
  await Promise.all([endpoints.value(), daemon.value.close()]);
  return ok(undefined);
}
