/** Runs one test file in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Ending } from "./_verdict.ts";

/** An ending with all that was printed, stdout and stderr as they came. */
export interface Run extends Ending {
  readonly output: string;
  readonly seconds: number;
}

/** Bytes of output kept of one file: more is cut at the front. */
const OUTPUT_LIMIT = 4 * 1024 * 1024;

/** Process groups of the tests that run, and the directory for temporary files that each has. */
const running = new Map<number, string>();

/** Ends every test process that still runs, with the processes it started, and removes their temporary files. */
export function endAll(): void {
  for (const [group, directory] of running) {
    endGroup(group);
    const left = remove(directory);
    if (left !== undefined) console.log(left);
  }
}

/**
 * Runs a test file with this Node until it ends or its time is over; processes and temporary files that it leaves behind are
 * done away with.
 */
export async function runFile(file: string, limitSeconds: number): Promise<Run> {
  const started = performance.now();
  const { FORCE_COLOR: _, ...env } = process.env;
  // Short: tests put sockets below it, whose paths have 107 characters at most.
  const directory = mkdtempSync(join(tmpdir(), "nv-"));
  const child = spawn(process.execPath, [file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, NO_COLOR: "1", TMPDIR: directory },
    // A process group of its own, so that what it started can be ended with it.
    detached: true,
  });
  const group = child.pid;
  if (group === undefined) throw new Error(`${process.execPath} could not be started`);
  running.set(group, directory);

  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout = (stdout + text).slice(-OUTPUT_LIMIT);
    output = (output + text).slice(-OUTPUT_LIMIT);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-OUTPUT_LIMIT);
  });

  const closed = once(child, "close");
  const exited = once(child, "exit");
  const timedOut = !(await Promise.race([
    exited.then(() => true),
    setTimeout(limitSeconds * 1000, false, { ref: false }),
  ]));
  if (timedOut) endGroup(group);
  const [exitCode] = await exited;
  endGroup(group);
  const left = remove(directory);
  running.delete(group);
  // A process that left the group may hold the pipes open; what it prints is not the test's.
  await Promise.race([closed, setTimeout(2000, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
  return {
    exitCode: exitCode ?? undefined,
    timedOut,
    left,
    stdout,
    output,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Processes that were just ended may still be making files in it. @returns why it could not be removed, if so. */
function remove(directory: string): string | undefined {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    return undefined;
  } catch (error) {
    return `${directory} could not be removed: ${String(error)}`;
  }
}

function endGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // Nobody is left in it.
  }
}
