import { fail, ok, type Result } from "../result.ts";
import { LineStream } from "./line_stream.ts";
import { createLog, type Log } from "./log.ts";
import { type LogFlagValues, refuseLogFlags } from "./log_flags.ts";
import { type LayoutOptions, layoutOf } from "./log_layout.ts";

/** Milliseconds that the end of a process waits for the reader of its log. */
const END_MS = 1000;
/** The largest buffer, as in the original. */
const MAX_BUFFER = 2 ** 31;

/** The log of a process. */
export interface OpenLog {
  readonly log: Log;
  /** Writes what is still held. @returns false when nobody read it in time: the process has to be ended by force. */
  close(): Promise<boolean>;
}

/**
 * The log of this process as its flags say. All goes to stderr, unless streams are split: then info events go to stdout.
 *
 * @param role what the process does
 * @returns why these flags cannot be had together
 */
export function openLog(values: LogFlagValues, role: string): Result<OpenLog, string> {
  const wrong = refuseLogFlags(values);
  if (wrong !== undefined) return fail(wrong);
  const format = values["logging-format"] === "json" ? "json" : "text";
  const layout = { format, role, now: Date.now, pid: process.pid } as const;
  const errors = new LineStream(process.stderr, notice(layout));
  const infos = values[`log-${format}-split-stream`]
    ? new LineStream(process.stdout, notice(layout), Math.min(values[`log-${format}-info-buffer-size`], MAX_BUFFER))
    : errors;
  const flushing = setInterval(() => infos.flush(), Math.min(values["log-flush-frequency"], 2 ** 31 - 1)).unref();
  const flush = (): void => infos.flush();
  process.once("exit", flush);
  const log = createLog({
    ...layout,
    verbosity: values.v,
    modules: values.vmodule,
    write: (line, severity) => {
      // zapr knows no warnings: they are info there. klog's text has them beside errors.
      const isInfo = severity === "info" || (severity === "warning" && format === "json");
      if (isInfo) return infos.write(line);
      infos.flush();
      errors.write(line);
    },
  });
  return ok({
    log,
    close: async () => {
      clearInterval(flushing);
      process.off("exit", flush);
      const ended = await Promise.all([infos.end(END_MS), errors.end(END_MS)]);
      return ended.every((isWritten) => isWritten);
    },
  });
}

/** A log without flags: text on stderr. */
export function stderrLog(role: string): Log {
  const layout = { format: "text", role, now: Date.now, pid: process.pid } as const;
  const stream = new LineStream(process.stderr, notice(layout));
  return createLog({ ...layout, verbosity: 0, write: (line) => stream.write(line) });
}

function notice(options: LayoutOptions): (lost: number) => string {
  const layout = layoutOf(options);
  const message = "Log lines were lost: they were not read in time";
  return (lines) => layout({ severity: "warning", level: 0, name: "", message, fields: { lines } });
}
