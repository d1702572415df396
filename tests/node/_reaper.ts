/** Clears away what a cluster was made of, also when the test has been killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "../cluster/_wait.ts";
import { settled } from "./_settled.ts";

/** It waits for one thing after the other, for each as long as it has to. */
const LIMIT_MS = 120_000;
const PROGRAM = join(import.meta.dirname, "_reaper_process.ts");

/**
 * A process that stands aside with a list of what was made. When this process closes its end of the pipe, by `finish` or by
 * ending in whatever way, it clears the list. Name a thing before it is made.
 */
export class Reaper {
  readonly #child: ChildProcess;
  readonly #machines: { end(): Promise<void> }[] = [];
  #said = "";

  constructor() {
    // A session of its own: whoever ends the test's process group does not end it.
    this.#child = spawn(process.execPath, [PROGRAM], { stdio: ["pipe", "ignore", "pipe"], detached: true });
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
    // It must not keep the test from ending.
    this.#child.unref();
  }

  /** A process that ends by itself when this one does, and is waited for. */
  process(pid: number): void {
    this.#write(["process", String(pid)]);
  }

  /** A machine that has started: it is ended before the list is cleared. */
  machine(machine: { end(): Promise<void> }): void {
    this.#machines.push(machine);
  }

  /** A control group, below the root of each hierarchy, with those inside it. */
  cgroup(name: string): void {
    this.#write(["cgroup", name]);
  }

  /** A directory with all that is in it. */
  directory(path: string): void {
    this.#write(["directory", path]);
  }

  /** Makes an empty directory among the temporary files. @returns its path. */
  temporaryDirectory(prefix: string): string {
    const path = join(tmpdir(), `${prefix}${randomBytes(6).toString("hex")}`);
    this.directory(path);
    mkdirSync(path, { mode: 0o700 });
    return path;
  }

  /** Ends the machines and clears the list. @throws with what could not be cleared. */
  async finish(): Promise<void> {
    const machines = settled(this.#machines.map((machine) => machine.end()));
    await machines.catch(() => undefined);
    const ended = new Promise<number | null>((resolve) => this.#child.once("exit", (code) => resolve(code)));
    this.#child.ref();
    this.#child.stdin?.end();
    const code = await within(ended, "everything is cleared away", () => this.#said, LIMIT_MS);
    if (code !== 0) throw new Error(`not everything could be cleared away: ${this.#said}`);
    await machines;
  }

  #write(entry: readonly [kind: string, what: string]): void {
    this.#child.stdin?.write(`${JSON.stringify(entry)}\n`);
  }
}
