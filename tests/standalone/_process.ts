/** The executable as a process whose log is read; it need not come up. */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { EXECUTABLE } from "../plugin.ts";

/** What a process left behind. */
export interface Ended {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  /** @param enter a command in front of the executable. */
  constructor(args: readonly string[], { env = {}, enter = [] }: { env?: NodeJS.ProcessEnv; enter?: string[] } = {}) {
    const [program = EXECUTABLE, ...before] = [...enter, EXECUTABLE];
    const child = spawn(program, [...before, ...args], { env: { PATH: process.env.PATH, ...env } });
    this.child = child;
    child.stdout.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exit) => resolve({ exit, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  /** Waits until the log holds the text. @throws when the process ends without it. */
  async logged(text: string): Promise<void> {
    while (!this.stderr.includes(text)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`it ended without "${text}":\n${this.stderr}`);
      }
      await delay(10);
    }
  }
}

/** Runs the executable to its end. */
export function run(...args: readonly string[]): Promise<Ended> {
  return new Process(args).ended;
}
