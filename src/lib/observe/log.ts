/**
 * The daemons' log: one event, one line, in klog's text layout or its JSON keys, printed through consola. What is logged at
 * info level is about changes, never about single requests; `-v` opens the rest.
 */
import { type ConsolaReporter, createConsola } from "consola";

/** What is known about an event besides its message; written as key="value". */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes events of one part of the program. */
export interface Log {
  /** An event that an operator wants to see; at verbosity 0 unless `level` says more. */
  info(message: string, fields?: Fields, level?: number): void;
  warning(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** Whether events of this verbosity are written; ask before costly fields are made. */
  enabled(level: number): boolean;
  /** The same log for a part of the program, named in each line. */
  named(name: string): Log;
}

/** How lines look and which are written. */
export interface LogOptions {
  readonly format: "text" | "json";
  /** Events above this level are left out. */
  readonly verbosity: number;
  /** Takes one line without its end. */
  readonly write: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly pid: number;
}

type Severity = "info" | "warning" | "error";

interface Event {
  readonly severity: Severity;
  readonly level: number;
  readonly name: string;
  readonly message: string;
  readonly fields: Fields;
}

/** Makes a log. */
export function createLog(options: LogOptions): Log {
  const layout = options.format === "json" ? jsonLine : textLine;
  const reporter: ConsolaReporter = {
    log: ({ args }) => {
      const [, event] = args as [string, Event];
      options.write(layout(event, options));
    },
  };
  const printer = createConsola({ level: Number.POSITIVE_INFINITY, reporters: [reporter], throttle: 0 });
  // consola's own line types are not used: severity and verbosity are klog's.
  const emit = (event: Event): void => {
    if (event.level <= options.verbosity) printer.log(event.message, event);
  };
  const named = (name: string): Log => ({
    info: (message, fields = {}, level = 0) => emit({ severity: "info", level, name, message, fields }),
    warning: (message, fields = {}) => emit({ severity: "warning", level: 0, name, message, fields }),
    error: (message, fields = {}) => emit({ severity: "error", level: 0, name, message, fields }),
    enabled: (level) => level <= options.verbosity,
    named,
  });
  return named("nv-ipam");
}

/** A log that goes to stderr, with the process's clock. A reader that has gone does not end the process. */
export function stderrLog(format: "text" | "json", verbosity: number): Log {
  process.stderr.on("error", () => undefined);
  return createLog({
    format,
    verbosity,
    write: (line) => process.stderr.write(`${line}\n`),
    now: Date.now,
    pid: process.pid,
  });
}

/** klog's header: severity, month, day, time, process, place; then the quoted message and fields. */
function textLine(event: Event, { now, pid }: LogOptions): string {
  const at = new Date(now()).toISOString();
  const stamp = `${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)}000`;
  const fields = Object.entries(event.fields).map(([key, value]) => ` ${key}=${textValue(value)}`);
  const letter = event.severity[0]?.toUpperCase() ?? "I";
  return `${letter}${stamp} ${String(pid).padStart(7)} ${event.name}] ${JSON.stringify(event.message)}${fields.join("")}`;
}

function textValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return JSON.stringify(plain(value));
}

/** The JSON keys of the Kubernetes component logs: ts (milliseconds), logger, msg, v for info, err for errors. */
function jsonLine(event: Event, { now }: LogOptions): string {
  const { err, ...fields } = event.fields;
  return JSON.stringify({
    ts: now(),
    logger: event.name,
    msg: event.message,
    ...(event.severity === "info" ? { v: event.level } : {}),
    ...(event.severity === "warning" ? { severity: "warning" } : {}),
    ...(err === undefined ? {} : { err: plain(err) }),
    ...Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, plain(value)])),
  });
}

/** What JSON can say of a value: an error is its message, a big number its digits. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? value.toString() : value;
}
