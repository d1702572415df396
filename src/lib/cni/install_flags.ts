/** The `--cni-*` flags of `install`, `node` and `standalone`, as data, and what they ask to install. */
import { existsSync } from "node:fs";
import { isSea } from "node:sea";
import { defineFlags, type FlagValues } from "../flags/flags.ts";
import { parseTarget } from "../rpc/client/target.ts";
import { type InstallOptions, PLUGIN_NAME, type PluginConf } from "./install.ts";
import { DEFAULTS, MAX_TIMEOUT_SECONDS } from "./settings.ts";

/** Where images have the executable. */
const IMAGE_PATH = `/${PLUGIN_NAME}`;
const section = "Shim CNI Configuration";

/** Names, defaults and meaning as the original's; what would make each call of the plugin fail is refused here. */
export const INSTALL_FLAGS = defineFlags({
  "cni-bin-dir": { type: "string", default: "/opt/cni/bin", section, help: "CNI binary directory" },
  "cni-conf-dir": {
    type: "string",
    default: DEFAULTS.confDir,
    section,
    help: "shim CNI config: path with config file",
  },
  "cni-daemon-call-timeout": {
    type: "int",
    default: DEFAULTS.daemonCallTimeoutSeconds,
    section,
    help: "shim CNI config: timeout for IPAM daemon calls, in seconds",
    refuse: (seconds) =>
      seconds >= 0 && seconds <= MAX_TIMEOUT_SECONDS
        ? undefined
        : `use 0 to ${MAX_TIMEOUT_SECONDS} seconds, of which 0 stands for the default, ${DEFAULTS.daemonCallTimeoutSeconds}`,
  },
  "cni-daemon-socket": {
    type: "string",
    default: DEFAULTS.daemonSocket,
    section,
    help: "shim CNI config: IPAM daemon socket path",
    refuse: refuseSocket,
  },
  "cni-force-pool-name": {
    type: "bool",
    default: false,
    section,
    help: "shim CNI config: refuse network configs without a pool name instead of using the network's name",
  },
  "cni-log-file": {
    type: "string",
    default: DEFAULTS.logFile,
    section,
    help: "shim CNI config: path to log file for shim CNI",
  },
  "cni-log-level": {
    type: "string",
    default: DEFAULTS.logLevel,
    section,
    help: "shim CNI config: log level for shim CNI",
  },
  "cni-nv-ipam-bin-file": {
    type: "string",
    default: IMAGE_PATH,
    section,
    help: "nv-ipam binary file path; where the default does not exist, the running executable",
  },
  "cni-skip-nv-ipam-binary-copy": { type: "bool", default: false, section, help: "skip nv-ipam binary file copy" },
  "cni-skip-nv-ipam-config-creation": {
    type: "bool",
    default: false,
    section,
    help: "skip config file creation for nv-ipam CNI",
  },
});

function refuseSocket(text: string): string | undefined {
  const target = parseTarget(text);
  // To the plugin an empty text is absent.
  return text === "" || target.ok ? undefined : target.error;
}

/**
 * What the flags ask to install.
 *
 * @param podOptional whether calls without a pod are served: `standalone` only
 */
export function installOptions(values: FlagValues<typeof INSTALL_FLAGS>, podOptional = false): InstallOptions {
  const given = values["cni-nv-ipam-bin-file"];
  const source = given === IMAGE_PATH && !existsSync(given) && isSea() ? process.execPath : given;
  const content: PluginConf = {
    daemonSocket: values["cni-daemon-socket"],
    daemonCallTimeoutSeconds: values["cni-daemon-call-timeout"],
    logFile: values["cni-log-file"],
    logLevel: values["cni-log-level"],
    forcePoolName: values["cni-force-pool-name"],
    ...(podOptional ? { podOptional } : {}),
  };
  return {
    ...(values["cni-skip-nv-ipam-binary-copy"] ? {} : { executable: { source, binDir: values["cni-bin-dir"] } }),
    ...(values["cni-skip-nv-ipam-config-creation"] ? {} : { conf: { content, confDir: values["cni-conf-dir"] } }),
  };
}
