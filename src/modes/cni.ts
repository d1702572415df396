/** The role of the CNI plugin: one call, from the environment and stdin to stdout and the exit status. */
import { readFileSync, readSync, writeSync } from "node:fs";
import type { Call } from "../lib/cni/daemon.ts";
import { type CniError, ErrorCode, formatError, internalError } from "../lib/cni/error.ts";
import { NEWEST_VERSION, versionAnswer } from "../lib/cni/version.ts";
import { hasCode } from "../lib/disk/has_code.ts";
import { fail, ok, type Result } from "../lib/result.ts";

/** Largest network config, in bytes; some ten thousand attachments of a GC fit. What fits is less in the daemon's message, which has the same bound. */
const MAX_STDIN = 4 * 1024 * 1024;

/**
 * Carries out the CNI call that the environment describes (CNI specification, section 2).
 *
 * @returns the exit status: 0, or 1 with the error on stdout.
 */
export async function run(): Promise<number> {
  if (process.env.CNI_COMMAND === "VERSION") return write(0, versionAnswer());
  process.once("uncaughtException", (bug) => {
    write(1, formatError(NEWEST_VERSION, internalError(bug))).then((status) => process.exit(status));
  });
  // VERSION is asked often and needs nothing of what is loaded here.
  const [{ runPlugin }, { appendToLog }] = await Promise.all([
    import("../lib/cni/plugin.ts"),
    import("../lib/cni/log_file.ts"),
  ]);
  const { env } = process;
  const outcome = await runPlugin({
    env,
    readStdin,
    readFile,
    call,
    appendToLog,
    now: Date.now,
    elapsedMs,
    cpuMs,
    sleep,
    isAwaited,
  });
  return write(outcome.exitCode, outcome.stdout);
}

const call: Call = async (options) => (await import("../lib/rpc/client/call.ts")).call(options);

const starter = process.ppid;

function isAwaited(): boolean {
  return process.ppid === starter;
}

function elapsedMs(): number {
  return process.uptime() * 1000;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function write(exitCode: number, text: string): Promise<number> {
  let rest: Uint8Array = Buffer.from(text);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
    return exitCode;
  } catch (error) {
    // Whoever gave us a pipe that does not block gets the rest through the event loop; nobody listens to any other error.
    if (!hasCode(error, "EAGAIN")) return 1;
    return new Promise((resolve) => process.stdout.write(rest, (failure) => resolve(failure ? 1 : exitCode)));
  }
}

async function readStdin(): Promise<Result<Uint8Array, CniError>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stdinChunks()) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_STDIN) {
        return fail({
          code: ErrorCode.decoding,
          message: `the network config on stdin is larger than ${MAX_STDIN} bytes`,
        });
      }
    }
  } catch (error) {
    return fail({
      code: ErrorCode.inputOutput,
      message: `cannot read the network config from stdin: ${reason(error)}`,
    });
  }
  return ok(Buffer.concat(chunks, size));
}

async function* stdinChunks(): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafe(64 * 1024);
      const length = readSync(0, buffer);
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } catch (error) {
    // A pipe that does not block has nothing yet: wait for it in the event loop.
    if (!hasCode(error, "EAGAIN")) throw error;
  }
  yield* process.stdin;
}

function readFile(path: string): Result<Uint8Array | undefined, string> {
  try {
    return ok(readFileSync(path));
  } catch (error) {
    return hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR") ? ok(undefined) : fail(reason(error));
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
