/** The log flags of Kubernetes components, for every long-running role. */
import { describeFeatureGates, isEnabled } from "../flags/feature_gates.ts";
import { defineFlags, type FlagValues } from "../flags/flags.ts";

const section = "Logging";

const BUFFER_SIZES =
  "as a number of bytes (512), multiples of 1000 (1K) or 1024 (2Ki), or powers of those (3M, 4G, 5Mi, 6Gi)";
const GATED = "Needs the feature gate LoggingAlphaOptions.";

function bufferSize(format: string) {
  return {
    type: "quantity",
    default: 0,
    help:
      `[Alpha] In ${format} format with split output streams, info messages are gathered up to this size before they are ` +
      `written, ${BUFFER_SIZES}. 0 gathers none. ${GATED}`,
    section,
    refuse: (size: number) => (size < 0 ? "use 0 or more" : undefined),
  } as const;
}

function splitStream(format: string) {
  return {
    type: "bool",
    default: false,
    help:
      `[Alpha] In ${format} format, write errors to stderr and info messages to stdout. Otherwise all goes to stderr. ` +
      GATED,
    section,
  } as const;
}

/** Flags of every long-running role's log. */
export const LOG_FLAGS = defineFlags({
  "log-flush-frequency": {
    type: "duration",
    default: 5000,
    help: "Longest time between log flushes",
    section,
    refuse: (milliseconds) => (milliseconds > 0 ? undefined : "use more than zero"),
  },
  "log-json-info-buffer-size": bufferSize("JSON"),
  "log-json-split-stream": splitStream("JSON"),
  "log-text-info-buffer-size": bufferSize("text"),
  "log-text-split-stream": splitStream("text"),
  "logging-format": {
    type: "string",
    default: "text",
    help: 'Sets the log format. Permitted formats: "json" (gated by LoggingBetaOptions), "text".',
    section,
    refuse: (format) =>
      format === "text" || format === "json" ? undefined : "unsupported log format; use text or json",
  },
  v: { type: "level", default: 0, help: "number for the log level verbosity", section, short: "v" },
  vmodule: {
    type: "modules",
    default: [],
    help:
      "comma-separated list of pattern=N settings for logging of single parts of the program, by the name that their lines " +
      "have (only works for text log format)",
    section,
  },
  "feature-gates": {
    type: "gates",
    default: new Map(),
    help:
      "A set of key=value pairs that describe feature gates for alpha/experimental features. Options are:\n" +
      describeFeatureGates(),
    section: "Common",
  },
});

/** What the log flags were given. */
export type LogFlagValues = FlagValues<typeof LOG_FLAGS>;

const ALPHA = [
  "log-json-info-buffer-size",
  "log-json-split-stream",
  "log-text-info-buffer-size",
  "log-text-split-stream",
] as const satisfies readonly (keyof LogFlagValues)[];

/** What the flags ask for that does not go together. @returns undefined when all does. */
export function refuseLogFlags(values: LogFlagValues): string | undefined {
  const gates = values["feature-gates"];
  if (values["logging-format"] === "json") {
    if (!isEnabled(gates, "LoggingBetaOptions")) {
      return "--logging-format=json: log format json is disabled, see feature gate LoggingBetaOptions";
    }
    if (values.vmodule.length > 0) return "--vmodule: only supported for text log format";
  }
  const asked = isEnabled(gates, "LoggingAlphaOptions") ? undefined : ALPHA.find((flag) => values[flag]);
  if (asked === undefined) return undefined;
  return `--${asked}: feature LoggingAlphaOptions is disabled; --feature-gates=LoggingAlphaOptions=true enables it`;
}
