/** The node daemon over a pool source of the test's own: pools arrive as they would from the API server, blocks dealt. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import type { PoolSpec } from "./vector.ts";

const PROGRAM = new URL("daemon.ts", import.meta.url).pathname;

/** A daemon process that can be stopped, killed and started again over the same files. */
export class TestDaemon {
  readonly #places: Readonly<Record<string, string>>;
  readonly #flags: readonly string[];
  readonly #pools = new Map<string, PoolSpec>();
  #child: ChildProcess | undefined;
  #waiting: (() => void)[] = [];
  /** What the daemon logged, for messages. */
  output = "";

  constructor(places: Readonly<Record<string, string>>, flags: readonly string[]) {
    this.#places = places;
    this.#flags = flags;
    for (const name of ["CONF_DIR", "BIN_DIR"]) mkdirSync(this.#place(name), { recursive: true });
  }

  #place(name: string): string {
    const place = this.#places[name];
    if (place === undefined) throw new Error(`no place ${name}`);
    return place;
  }

  putPool(pool: PoolSpec): void {
    this.#pools.set(`${pool.kind}/${pool.name}`, pool);
    this.#tell({ op: "put", pool });
  }

  deletePool(kind: string, name: string): void {
    this.#pools.delete(`${kind}/${name}`);
    this.#tell({ op: "delete", kind, name });
  }

  /** Starts it and waits until it serves and has installed the plugin. */
  async start(): Promise<void> {
    const flags = [
      "--node-name=node-1",
      `--store-file=${this.#place("STORE")}`,
      `--bind-address=unix://${this.#place("SOCKET")}`,
      `--cni-daemon-socket=unix://${this.#place("SOCKET")}`,
      `--cni-conf-dir=${this.#place("CONF_DIR")}`,
      `--cni-bin-dir=${this.#place("BIN_DIR")}`,
      `--cni-log-file=${this.#place("LOG_FILE")}`,
      ...this.#flags,
    ];
    const child = spawn(process.execPath, [PROGRAM, ...flags], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    const ended = new Promise<never>((_, reject) => {
      child.once("exit", (code, signal) => reject(new Error(`the daemon ended (${code ?? signal})\n${this.output}`)));
    });
    ended.catch(() => undefined);
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", () => this.#waiting.shift()?.());
    for (const pool of this.#pools.values()) this.#tell({ op: "put", pool });
    await Promise.race([this.settled("ready"), ended]);
  }

  /** Waits until everything told so far has arrived. */
  settled(op: "ready" | "settled" = "settled"): Promise<void> {
    const arrived = new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#tell({ op });
    return arrived;
  }

  /** SIGTERM, and waits for the end. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** SIGKILL, and waits for the end. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#waiting = [];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }

  #tell(message: unknown): void {
    this.#child?.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}
