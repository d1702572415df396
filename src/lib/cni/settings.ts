/** How the plugin works on this node: the network config's `ipam`, then `<confDir>/nv-ipam.conf`, then defaults. Pure. */
import type { Result } from "../result.ts";
import { parseTarget } from "../rpc/client/target.ts";
import { isObject, Section } from "./_section.ts";
import { type CniError, ErrorCode, quote } from "./error.ts";
import { isLogLevel, type LogLevel } from "./log.ts";
import { type NetworkConfig, parseObject } from "./network_config.ts";

/** What holds where neither the network config nor nv-ipam.conf says otherwise. */
export const DEFAULTS = {
  daemonSocket: "unix:///var/lib/cni/nv-ipam/daemon.sock",
  daemonCallTimeoutSeconds: 5,
  confDir: "/etc/cni/net.d/nv-ipam.d",
  logFile: "/var/log/nv-ipam-cni.log",
  logLevel: "info",
} as const;

/** Longest `daemonCallTimeoutSeconds`. */
export const MAX_TIMEOUT_SECONDS = 3600;

/** The settings in force. */
export interface Settings {
  readonly daemonSocket: string;
  /** Limit of each call to the daemon, in milliseconds. */
  readonly timeoutMs: number;
  readonly logFile: string;
  readonly logLevel: LogLevel;
  /** The text that was given instead of a level, if it is none; `logLevel` is then the default. */
  readonly unknownLogLevel?: string;
  /** Whether requests without a pod are served; only nv-ipam.conf can say so. */
  readonly podOptional: boolean;
}

/** The two sources of settings, and what was read of them. */
export interface Sources {
  readonly ipam: Section;
  readonly file: Section;
  readonly settings: Settings;
}

/** Gives a file's content, undefined when there is none, or why it cannot be read. */
export type ReadFile = (path: string) => Result<Uint8Array | undefined, string>;

/** Reads both sources; what is wrong is noted in the config's faults, and the next source is used instead. */
export function readSources(config: NetworkConfig, readFile: ReadFile): Sources {
  const given = config.members.value("ipam");
  if (given === undefined) config.members.fault("ipam", "is missing in the network config");
  const ipam = isObject(given) ? new Section(given, "ipam.", config.faults) : config.members.section("ipam");
  const confFile = `${ipam.text("confDir") ?? DEFAULTS.confDir}/nv-ipam.conf`;
  const file = new Section(readConfFile(confFile, readFile, config.faults), `${confFile}: `, config.faults);
  return { ipam, file, settings: readSettings(ipam, file) };
}

function readConfFile(path: string, readFile: ReadFile, faults: CniError[]): Readonly<Record<string, unknown>> {
  const content = readFile(path);
  if (!content.ok) {
    faults.push({ code: ErrorCode.inputOutput, message: `cannot read ${path}: ${content.error}` });
    return {};
  }
  if (content.value === undefined) return {};
  const members = parseObject(content.value, path);
  if (members.ok) return members.value;
  faults.push(members.error);
  return {};
}

function readSettings(ipam: Section, file: Section): Settings {
  const seconds = timeoutSeconds(ipam) ?? timeoutSeconds(file) ?? DEFAULTS.daemonCallTimeoutSeconds;
  const given = ipam.text("logLevel") ?? file.text("logLevel") ?? DEFAULTS.logLevel;
  const level = given.toLowerCase();
  return {
    daemonSocket: daemonSocket(ipam) ?? daemonSocket(file) ?? DEFAULTS.daemonSocket,
    timeoutMs: seconds * 1000,
    logFile: ipam.text("logFile") ?? file.text("logFile") ?? DEFAULTS.logFile,
    podOptional: file.flag("podOptional") ?? false,
    ...(isLogLevel(level) ? { logLevel: level } : { logLevel: DEFAULTS.logLevel, unknownLogLevel: given }),
  };
}

function daemonSocket(section: Section): string | undefined {
  const text = section.text("daemonSocket");
  if (text === undefined) return undefined;
  const target = parseTarget(text);
  return target.ok ? text : section.fault("daemonSocket", `is ${quote(text)}: ${target.error}`);
}

function timeoutSeconds(section: Section): number | undefined {
  return section.integer("daemonCallTimeoutSeconds", 0, MAX_TIMEOUT_SECONDS) || undefined;
}
