/** `nv-ipam standalone` as a process over a directory of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EXECUTABLE, runPlugin } from "./plugin.ts";
import { type Outcome, runProgram } from "./program.ts";

/** How the process is started. */
export interface StandaloneOptions {
  readonly flags?: readonly string[];
  /** Manifest files by name. */
  readonly manifests: Readonly<Record<string, unknown>>;
  /** A command in front of the executable, for example `ip netns exec NAME`. */
  readonly enter?: readonly string[];
  /** An open file that takes the log, which is not read then. */
  readonly stderr?: number;
}

/** One CNI call. */
export interface Call {
  readonly command: string;
  readonly container: string;
  readonly ifname?: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly args?: string;
}

/** An IPPool manifest. */
export function ipPool(name: string, spec: Readonly<Record<string, unknown>>): unknown {
  return { apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind: "IPPool", metadata: { name }, spec };
}

const START_LIMIT_MS = 60_000;

export class StandaloneDaemon {
  readonly directory = mkdtempSync(join(tmpdir(), "nv-ipam-standalone-"));
  readonly socket = join(this.directory, "run", "daemon.sock");
  readonly store = join(this.directory, "state", "store");
  readonly conf = join(this.directory, "conf");
  readonly bin = join(this.directory, "bin");
  readonly pools = join(this.directory, "pools");
  readonly #options: StandaloneOptions;
  #child: ChildProcess | undefined;
  /** Everything that the daemon logged. */
  log = "";

  constructor(options: StandaloneOptions) {
    this.#options = options;
    for (const directory of [this.conf, this.bin, this.pools]) mkdirSync(directory);
    for (const [name, manifest] of Object.entries(options.manifests)) this.writeManifest(name, manifest);
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the daemon does not run");
    return this.#child.pid;
  }

  writeManifest(name: string, manifest: unknown): void {
    const text = typeof manifest === "string" ? manifest : JSON.stringify(manifest);
    writeFileSync(join(this.pools, name), text);
  }

  /** Starts the process and waits until its socket answers and the plugin is installed. @throws what it logged, if it ends. */
  async start(): Promise<void> {
    const [program = EXECUTABLE, ...before] = [...(this.#options.enter ?? []), EXECUTABLE];
    const flags = [
      "standalone",
      `--pools=${this.pools}`,
      "--node-name=node-1",
      `--store-file=${this.store}`,
      `--bind-address=unix://${this.socket}`,
      `--cni-daemon-socket=unix://${this.socket}`,
      `--cni-bin-dir=${this.bin}`,
      `--cni-conf-dir=${this.conf}`,
      `--cni-log-file=${join(this.directory, "cni.log")}`,
      ...(this.#options.flags ?? []),
    ];
    const child = spawn(program, [...before, ...flags], {
      stdio: ["ignore", "ignore", this.#options.stderr ?? "pipe"],
    });
    this.#child = child;
    child.stderr?.on("data", (chunk: Buffer) => {
      this.log += chunk.toString();
    });
    const limit = Date.now() + START_LIMIT_MS;
    while (!(await this.#ready())) {
      if (Date.now() > limit) throw new Error(`the daemon was not ready after ${START_LIMIT_MS} ms\n${this.log}`);
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the daemon ended (${child.exitCode ?? child.signalCode})\n${this.log}`);
      }
      await delay(10);
    }
  }

  async #ready(): Promise<boolean> {
    if (!existsSync(join(this.bin, "nv-ipam")) || !existsSync(join(this.conf, "nv-ipam.conf"))) return false;
    return new Promise((resolve) => {
      const probe = connect({ path: this.socket });
      probe.once("connect", () => {
        probe.destroy();
        resolve(true);
      });
      probe.once("error", () => resolve(false));
    });
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Sends the signal and waits for the end. @returns the exit code, or null after a signal. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  /** Waits until the log holds the text. */
  async logged(text: string): Promise<void> {
    for (let waited = 0; !this.log.includes(text); waited += 20) {
      if (waited > 20_000) throw new Error(`"${text}" was not logged:\n${this.log}`);
      await delay(20);
    }
  }

  /** One CNI call by the installed plugin. */
  cni(call: Call): Promise<Outcome> {
    const ipam = { type: "nv-ipam", confDir: this.conf, ...(call.config.ipam as Record<string, unknown> | undefined) };
    return runPlugin({
      binary: join(this.bin, "nv-ipam"),
      env: {
        CNI_COMMAND: call.command,
        CNI_CONTAINERID: call.container,
        CNI_IFNAME: call.ifname ?? "net1",
        CNI_NETNS: "/run/netns/there-is-none",
        CNI_PATH: this.bin,
        ...(call.args === undefined ? {} : { CNI_ARGS: call.args }),
      },
      stdin: JSON.stringify({ cniVersion: "1.1.0", name: "net-a", type: "test", ...call.config, ipam }),
    });
  }

  /** What `nv-ipam inspect` says, as JSON items. */
  async inspect(what: string): Promise<readonly Record<string, unknown>[]> {
    const args = ["inspect", what, "-o", "json", `--daemon-socket=unix://${this.socket}`, `--store-file=${this.store}`];
    const { stdout, stderr } = await runProgram(EXECUTABLE, args);
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout).items;
  }

  /** Ends the process and removes its directory. */
  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}
