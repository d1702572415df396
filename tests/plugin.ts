/** Runs the plugin as a runtime does: a process with an environment of its own, a configuration on stdin. */
import { type Outcome, runProgram } from "./program.ts";

/** The executable that the build made. */
export const EXECUTABLE = new URL("../dist/nv-ipam", import.meta.url).pathname;

/** One call of the plugin. */
export interface PluginCall {
  readonly binary?: string;
  /** A plugin has none; other roles have. */
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | Uint8Array;
  /** Milliseconds after which the call counts as hung. */
  readonly limit?: number;
}

/** @throws when the call does not end within its limit. */
export function runPlugin({
  binary = EXECUTABLE,
  args = [],
  env,
  stdin,
  limit = 20_000,
}: PluginCall): Promise<Outcome> {
  return runProgram(binary, args, { env, input: stdin, limit });
}
