/** `nv-ipam standalone`: the node daemon and the controller's planner over pool manifests in a directory, without Kubernetes. */
import { isNodeName } from "../lib/api/node_name.ts";
import { INSTALL_FLAGS } from "../lib/cni/install_flags.ts";
import { DAEMON_FLAGS, LOG_FLAGS } from "../lib/daemon/flags.ts";
import { openDaemon } from "../lib/daemon/open.ts";
import { PluginInstallation } from "../lib/daemon/plugin_installation.ts";
import { PoolTable } from "../lib/daemon/pool_table.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { type Log, stderrLog } from "../lib/observe/log.ts";
import { PoolSource } from "../lib/standalone/pool_source.ts";
import { BUILD } from "../version.ts";

const section = "Standalone";

const FLAGS = defineFlags({
  ...LOG_FLAGS,
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
});

const COMMAND = {
  name: "standalone",
  summary: "Serves the plugin on a single host: pools come from manifests in a directory.",
  flags: FLAGS,
};

/** Runs until SIGTERM or SIGINT. @returns 0, 1 when it cannot run, 2 when the flags are wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values) => {
    const wrong = wrongValue(values);
    if (wrong !== undefined) return { message: wrong, isUsage: true };
    const log = stderrLog(values["logging-format"] === "json" ? "json" : "text", values.v);
    const outcome = await serve(values, log);
    if (outcome === undefined) return 0;
    log.error("The daemon cannot run", { err: outcome });
    return 1;
  });
}

function wrongValue(values: FlagValues<typeof FLAGS>): string | undefined {
  if (values.pools === "") return "--pools is needed: the directory with the pools' manifests";
  if (!isNodeName(values["node-name"])) {
    return `--node-name=${values["node-name"]}: name this node, in lower case letters, digits, - and .`;
  }
  if (values["block-release-delay"] < 0) return "--block-release-delay: a rest cannot be negative; 0 means none";
  const format = values["logging-format"];
  return format === "text" || format === "json" ? undefined : `--logging-format=${format}: use text or json`;
}

/** @returns why the daemon cannot run, or undefined after a clean stop. */
async function serve(values: FlagValues<typeof FLAGS>, log: Log): Promise<string | undefined> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  log.info("Starting", { role: "standalone", version: BUILD.version, node: values["node-name"] });

  const pools = new PoolTable(values["node-name"]);
  const daemon = await openDaemon({ values, pools, podOptional: true, log });
  if (!daemon.ok) return daemon.error;
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
    return source.error;
  }
  new PluginInstallation(values, true, log.named("install")).run(stop.signal);
  await source.value.run(stop.signal);
  await daemon.value.close();
  log.info("Stopped");
  return undefined;
}
