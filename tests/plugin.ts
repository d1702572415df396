/** Runs the plugin as a runtime does: a process with an environment of its own, a configuration on stdin. */
import { spawn } from "node:child_process";

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

/** What the plugin left behind. */
export interface PluginOutcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws when the call does not end within its limit. */
export function runPlugin(call: PluginCall): Promise<PluginOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(call.binary ?? EXECUTABLE, call.args ?? [], {
      env: { PATH: process.env.PATH ?? "", ...call.env },
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A plugin that refuses early does not read all of its input.
    child.stdin.on("error", () => undefined).end(call.stdin);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the plugin did not end: ${Buffer.concat(stderr)}`));
    }, call.limit ?? 20_000);
    child.once("error", reject).once("close", (code) => {
      clearTimeout(timer);
      resolve({ exit: code ?? -1, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}
