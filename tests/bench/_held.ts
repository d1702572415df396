/** Holds a process at its last write, when everything it ever loads is there, and looks at its memory. */
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../../src/lib/disk/has_code.ts";
import { privateMegabytes } from "./_process.ts";

const LIMIT_MILLISECONDS = 10_000;

/**
 * Private megabytes of the process when it writes its answer: into a pipe that is full.
 *
 * @throws when it ends without having written, or is not seen to write.
 */
export async function privateMegabytesAtAnswer(
  program: string,
  env: Readonly<Record<string, string>>,
  input: string,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-held-"));
  const pipe = join(directory, "stdout");
  execFileSync("mkfifo", [pipe]);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(pipe, constants.O_WRONLY);
  const stdin = openSync(input, "r");
  try {
    whilePossible(() => writeSync(reader, Buffer.alloc(4096)));
    const child = spawn(program, [], { env: { ...env }, stdio: [stdin, writer, "ignore"] });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const { pid = 0 } = child;
    try {
      await writes(pid);
      return privateMegabytes(pid);
    } finally {
      whilePossible(() => readSync(reader, Buffer.alloc(65_536)));
      await ended;
    }
  } finally {
    for (const descriptor of [reader, writer, stdin]) closeSync(descriptor);
    rmSync(directory, { recursive: true });
  }
}

async function writes(pid: number): Promise<void> {
  for (let waited = 0; waited < LIMIT_MILLISECONDS; waited += 2) {
    if (readFileSync(`/proc/${pid}/wchan`, "utf8").endsWith("pipe_write")) return;
    await delay(2);
  }
  throw new Error(`process ${pid} was not seen to write its answer`);
}

/** Repeats it until the pipe is full or empty. */
function whilePossible(step: () => number): void {
  try {
    while (step() > 0);
  } catch (error) {
    if (!hasCode(error, "EAGAIN")) throw error;
  }
}
