/** One CNI call: from the environment and stdin to what stdout and the exit status say. All effects are passed in. */
import { ok, type Result } from "../result.ts";
import { textFault } from "../rpc/text.ts";
import { boundArguments, readArguments } from "./arguments.ts";
import { add } from "./commands/add.ts";
import { check } from "./commands/check.ts";
import type { AttachmentContext, Done } from "./commands/context.ts";
import { del } from "./commands/del.ts";
import { gc } from "./commands/gc.ts";
import { status } from "./commands/status.ts";
import { type Call, Daemon } from "./daemon.ts";
import { type Environment, readEnvironment } from "./environment.ts";
import { type CniError, formatError, internalError } from "./error.ts";
import { formatLine, isLogged, type Log, type LogFields } from "./log.ts";
import {
  answerVersion,
  checkNetworkConfig,
  type JsonObject,
  type NetworkConfig,
  parseObject,
} from "./network_config.ts";
import { readPoolRequest } from "./pool_request.ts";
import { type ReadFile, readSources, type Settings } from "./settings.ts";
import { NEWEST_VERSION } from "./version.ts";

/** Everything that a call depends on and touches. */
export interface PluginInputs {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gives all of stdin, or why it cannot be had. */
  readonly readStdin: () => Promise<Result<Uint8Array, CniError>>;
  readonly readFile: ReadFile;
  readonly call: Call;
  /** Adds text to the log file; never throws. */
  readonly appendToLog: (path: string, text: string, now: number) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since this process was started. */
  readonly elapsedMs: () => number;
  /** Milliseconds of CPU time that it has used. */
  readonly cpuMs: () => number;
  /** Resolves after so many milliseconds. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Whether the process that started this one is still there, to take the answer. */
  readonly isAwaited: () => boolean;
}

/** What the process ends with. */
export interface PluginOutcome {
  /** 0 or 1. */
  readonly exitCode: number;
  readonly stdout: string;
}

/**
 * Carries out the call that the environment describes, except VERSION, which needs none of this (`versionAnswer`).
 *
 * A bug is answered with error 999; nothing is thrown.
 */
export async function runPlugin(inputs: PluginInputs): Promise<PluginOutcome> {
  let cniVersion = NEWEST_VERSION;
  try {
    const stdin = await inputs.readStdin();
    const members = stdin.ok ? parseObject(stdin.value, "the network config on stdin") : stdin;
    if (members.ok) cniVersion = answerVersion(members.value);
    const done = await carryOut(inputs, members);
    return done.ok ? { exitCode: 0, stdout: done.value } : { exitCode: 1, stdout: formatError(cniVersion, done.error) };
  } catch (bug) {
    return { exitCode: 1, stdout: formatError(cniVersion, internalError(bug)) };
  }
}

async function carryOut(
  inputs: PluginInputs,
  members: Result<JsonObject, CniError>,
): Promise<Result<string, CniError>> {
  const environment = readEnvironment(inputs.env);
  if (!environment.ok) return environment;
  if (!members.ok) return members;
  const config = checkNetworkConfig(members.value, environment.value.command);
  if (!config.ok) return config;
  const context = prepare(inputs, config.value, "args" in environment.value ? environment.value.args : "");
  const { log } = context;
  const { command } = environment.value;
  const subject = describe(context, environment.value);
  const start = inputs.now();
  try {
    const done = await dispatch(environment.value, context);
    const [totalMs, cpuMs] = [Math.round(inputs.elapsedMs()), Math.round(inputs.cpuMs())];
    const spent = { ms: Math.max(0, inputs.now() - start), totalMs, cpuMs };
    if (done.ok) log(isRoutine(command) ? "debug" : "info", command, { ...subject, ...done.value.fields, ...spent });
    else log("error", `${command} failed`, { ...subject, code: done.error.code, error: done.error.message, ...spent });
    return done.ok ? ok(done.value.stdout) : done;
  } catch (bug) {
    log("panic", `${command} failed`, { ...subject, error: internalError(bug).message });
    throw bug;
  }
}

/** All that a command works with but the attachment, which STATUS and GC do not have. */
type Prepared = Omit<AttachmentContext, "attachment">;

function prepare(inputs: PluginInputs, config: NetworkConfig, cniArgs: string): Prepared {
  const sources = readSources(config, inputs.readFile);
  const { settings } = sources;
  const args = boundArguments(readArguments(cniArgs, config.faults), config.faults);
  const request = readPoolRequest(config, sources, args);
  const deviceID = readDeviceID(config);
  const log = openLog(inputs, settings);
  const { daemonSocket, timeoutMs } = settings;
  log("debug", "settings", { network: config.name, cniVersion: config.cniVersion, daemonSocket, timeoutMs });
  const { addresses, allocateIPWithIndex: index, allocateDefaultGateway } = request;
  const gateway = allocateDefaultGateway ? "wanted" : undefined;
  log("verbose", "request", { network: config.name, deviceID, addresses, index, gateway });
  const daemon = new Daemon(inputs, settings, config.name);
  return { config, settings, request, daemon, log, args, deviceID };
}

/** As with the names in CNI_ARGS, one that the daemon would refuse counts as absent. */
function readDeviceID({ members }: NetworkConfig): string {
  const given = members.text("deviceID") ?? "";
  const what = textFault(given);
  if (what === undefined) return given;
  members.fault("deviceID", what);
  return "";
}

async function dispatch(environment: Environment, context: Prepared): Promise<Result<Done, CniError>> {
  switch (environment.command) {
    case "ADD":
      return add({ ...context, attachment: environment.attachment });
    case "DEL":
      return del({ ...context, attachment: environment.attachment });
    case "CHECK":
      return check({ ...context, attachment: environment.attachment });
    case "STATUS":
      return status(context);
    case "GC":
      return gc(context);
  }
}

function describe({ config, request, args }: Prepared, environment: Environment): LogFields {
  const attachment = "attachment" in environment ? environment.attachment : undefined;
  return {
    network: config.name,
    container: attachment?.containerID,
    ifname: attachment?.ifname,
    pod: args.podName === "" ? undefined : `${args.podNamespace}/${args.podName}`,
    poolType: request.poolKind.toLowerCase(),
    pools: request.pools,
  };
}

/** Commands that a runtime repeats again and again. */
function isRoutine(command: Environment["command"]): boolean {
  return command === "CHECK" || command === "STATUS";
}

function openLog({ appendToLog, now }: PluginInputs, settings: Settings): Log {
  const log: Log = (level, event, fields) => {
    if (!isLogged(level, settings.logLevel)) return;
    const time = now();
    appendToLog(settings.logFile, formatLine(time, level, event, fields), time);
  };
  if (settings.unknownLogLevel !== undefined) {
    log("warning", "unknown logLevel, info is used", { logLevel: settings.unknownLogLevel });
  }
  return log;
}
