/** Programs that end by themselves. */
import { spawn } from "node:child_process";

/** What a program left behind. */
export interface Outcome {
  /** -1 when a signal ended it. */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Beside PATH, which is this process's. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Its stdin. */
  readonly input?: string | Uint8Array;
  /** Milliseconds after which it counts as hung. Default 60 s. */
  readonly limit?: number;
}

/** Runs a program to its end, whatever its exit status. @throws when it cannot be started, or does not end within its limit. */
export function runProgram(
  program: string,
  args: readonly string[],
  { env, cwd, input = "", limit = 60_000 }: RunOptions = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH ?? "", ...env } });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    // A program that refuses early does not read all of its input.
    child.stdin.on("error", () => undefined).end(input);
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${[program, ...args].join(" ")} did not end within ${limit} ms: ${Buffer.concat(stderr)}`));
    }, limit);
    child.once("error", reject).once("close", (code) => {
      clearTimeout(timer);
      resolve({ exit: code ?? -1, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}
