/** Programs that run inside a machine. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { until } from "../cluster/_pools.ts";

/** One that was started from here. `nsenter` stands between: its child is the program. */
export class MachineProcess {
  readonly name: string;
  /** Its number outside the machine. */
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<void>;

  private constructor(name: string, pid: number, child: ChildProcess, log: string) {
    this.name = name;
    this.pid = pid;
    this.#child = child;
    this.#log = log;
    this.#ended = hasEnded(child) ? Promise.resolve() : new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** @throws when it ends at once. */
  static async of(name: string, child: ChildProcess, log: string): Promise<MachineProcess> {
    const entering = child.pid;
    let pid: number | undefined;
    await until(
      () => {
        if (entering === undefined || hasEnded(child)) throw new Error(`${name} ended at once: ${tail(log)}`);
        pid = onlyChild(entering);
        return pid !== undefined;
      },
      `${name} runs`,
      () => tail(log),
    );
    return new MachineProcess(name, pid ?? -1, child, log);
  }

  get running(): boolean {
    return !hasEnded(this.#child);
  }

  /** The end of what it said. */
  get log(): string {
    return tail(this.#log);
  }

  /** All that it, and those of its name before it, said. */
  get wholeLog(): string {
    return readFileSync(this.#log, "utf8");
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
    // nsenter stops with its child, and has to go on with it.
    if (signal === "SIGCONT") this.#child.kill(signal);
  }

  /** Sends the signal and waits for the end. @returns its exit status or the signal that ended it. */
  async end(signal: NodeJS.Signals, limitMs = 30_000): Promise<number | string> {
    if (this.running) {
      try {
        this.signal(signal);
      } catch {
        // It has just ended.
      }
      await until(
        () => !this.running,
        `${this.name} ends after ${signal}`,
        () => this.log,
        limitMs,
      );
    }
    return this.#child.exitCode ?? this.#child.signalCode ?? "";
  }

  /** Waits until it ends. */
  ended(): Promise<void> {
    return this.#ended;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function onlyChild(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    return child === undefined || child === "" ? undefined : Number(child);
  } catch {
    return undefined;
  }
}

function tail(log: string): string {
  return existsSync(log) ? readFileSync(log, "utf8").slice(-4000) : "";
}
