/**
 * The daemons' log: one event, one line, as klog and zapr write them in Kubernetes components (docs/flags.md), printed through
 * consola. What is logged at info level is about changes, never about single requests; `-v` opens the rest.
 */
import { type ConsolaReporter, createConsola } from "consola";
import { levelOf, type ModuleLevel } from "../flags/module_levels.ts";
import { type Fields, type LayoutOptions, type LogEvent, layoutOf, type Severity } from "./log_layout.ts";

/** Writes events of one part of the program. */
export interface Log {
  /** An event that an operator wants to see; at verbosity 0 unless `level` says more. */
  info(message: string, fields?: Fields, level?: number): void;
  warning(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** Whether events of this verbosity are written; ask before costly fields are made. */
  enabled(level: number): boolean;
  /** The same log for a part of the program, named in each line; `--vmodule` knows it by that name. */
  named(name: string): Log;
}

/** How lines look, which are written, and where to. */
export interface LogOptions extends LayoutOptions {
  /** Events above this level are left out. */
  readonly verbosity: number;
  /** Parts of the program that log more than that. */
  readonly modules?: readonly ModuleLevel[];
  /** Takes one line without its end. */
  readonly write: (line: string, severity: Severity) => void;
}

/** Makes a log. */
export function createLog(options: LogOptions): Log {
  const layout = layoutOf(options);
  const reporter: ConsolaReporter = {
    log: ({ args }) => {
      const [, event] = args as [string, LogEvent];
      options.write(layout(event), event.severity);
    },
  };
  const printer = createConsola({ level: Number.POSITIVE_INFINITY, reporters: [reporter], throttle: 0 });
  // consola's own line types are not used: severity and verbosity are klog's.
  const emit = (event: LogEvent): void => printer.log(event.message, event);
  const named = (name: string): Log => {
    const verbosity = Math.max(options.verbosity, levelOf(options.modules ?? [], name || (options.role ?? "")));
    return {
      info: (message, fields = {}, level = 0) => {
        if (level <= verbosity) emit({ severity: "info", level, name, message, fields });
      },
      warning: (message, fields = {}) => emit({ severity: "warning", level: 0, name, message, fields }),
      error: (message, fields = {}) => emit({ severity: "error", level: 0, name, message, fields }),
      enabled: (level) => level <= verbosity,
      named: (more) => named(name === "" ? more : `${name}.${more}`),
    };
  };
  return named("");
}
