/** The node daemon as a process over a directory of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { need } from "../_need.ts";
import { DaemonClient } from "../daemon_client.ts";
import { runPlugin } from "../plugin.ts";
import type { Outcome } from "../program.ts";
import { freePort } from "./_controller.ts";
import { until } from "./_pools.ts";

const PROGRAM = need("dist/nv-ipam");

/** How the process is started. */
export interface NodeSettings {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly nodeName: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One CNI call of a pod, whose names all come from that of the container. */
export interface PodCall {
  readonly command: string;
  readonly container: string;
  readonly ipam: Readonly<Record<string, unknown>>;
}

/** One node's daemon, which can be stopped and started again over the same files; call `remove` at the end. */
export class NodeDaemon {
  readonly directory = mkdtempSync(join(tmpdir(), "nv-ipam-node-"));
  readonly socket = join(this.directory, "run", "daemon.sock");
  readonly store = join(this.directory, "state", "store");
  readonly conf = join(this.directory, "conf");
  readonly bin = join(this.directory, "bin");
  /** Where its runtime's libcni would keep what it knows. */
  readonly cache = join(this.directory, "cni-cache");
  /** Calls of the daemon itself. */
  readonly client = new DaemonClient(`unix://${this.socket}`);
  readonly #settings: NodeSettings;
  #child: ChildProcess | undefined;
  #probePort = 0;
  /** Everything that it logged. */
  log = "";

  constructor(settings: NodeSettings) {
    this.#settings = settings;
    for (const directory of [this.conf, this.bin]) mkdirSync(directory);
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error("the daemon does not run");
    return this.#child.pid;
  }

  /** Starts the process without waiting for anything. */
  async spawn(): Promise<void> {
    const { kubeconfig, namespace, nodeName, flags = [], env = {} } = this.#settings;
    this.#probePort = await freePort();
    const child = spawn(
      PROGRAM,
      [
        "node",
        `--kubeconfig=${kubeconfig}`,
        `--ippools-namespace=${namespace}`,
        `--node-name=${nodeName}`,
        `--store-file=${this.store}`,
        `--bind-address=unix://${this.socket}`,
        `--cni-daemon-socket=unix://${this.socket}`,
        `--cni-bin-dir=${this.bin}`,
        `--cni-conf-dir=${this.conf}`,
        `--cni-log-file=${join(this.directory, "cni.log")}`,
        `--cni-cache-dir=${this.cache}`,
        `--health-probe-bind-address=127.0.0.1:${this.#probePort}`,
        "--metrics-bind-address=0",
        ...flags,
      ],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } },
    );
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log = (this.log + text).slice(-200_000);
    });
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    await this.spawn();
    await this.untilReady();
  }

  async untilReady(): Promise<void> {
    await until(
      async () => (await this.probe("/readyz")).status === 200,
      "the node daemon is ready",
      () => this.log,
    );
  }

  /** Waits until /readyz says this among others. */
  async untilNotReady(words: RegExp): Promise<void> {
    let last = "";
    await until(
      async () => {
        last = (await this.probe("/readyz")).body;
        return words.test(last);
      },
      `/readyz says ${words}`,
      () => `${last}\n${this.log}`,
    );
  }

  /** Waits until the log has a match. */
  async logged(words: RegExp): Promise<void> {
    await until(
      () => words.test(this.log),
      `${words} is logged`,
      () => this.log,
    );
  }

  /** Asks the probe address. Status 0: nobody answers. */
  async probe(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const { exitCode, signalCode } = this.#child ?? {};
    if (exitCode !== null || signalCode !== null) throw new Error(`the node daemon ended:\n${this.log}`);
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#probePort}${path}`);
      return { status: answer.status, body: await answer.text() };
    } catch {
      return { status: 0, body: "" };
    }
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Sends the signal and waits for the end. @returns the exit status, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    const child = this.#child;
    if (child === undefined) return "not started";
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.kill(signal);
      await ended;
    }
    this.#child = undefined;
    return child.exitCode ?? child.signalCode ?? "";
  }

  /** One CNI call by the installed plugin. */
  cni({ command, container, ipam }: PodCall): Promise<Outcome> {
    return runPlugin({
      binary: join(this.bin, "nv-ipam"),
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: container,
        CNI_IFNAME: "net1",
        CNI_NETNS: "/run/netns/there-is-none",
        CNI_PATH: this.bin,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${container};K8S_POD_UID=uid-${container}`,
      },
      stdin: JSON.stringify({
        cniVersion: "1.0.0",
        name: "net-a",
        type: "test",
        ipam: { type: "nv-ipam", confDir: this.conf, ...ipam },
      }),
    });
  }

  /** The addresses that an ADD gives, with prefix lengths. @throws with the plugin's error. */
  async add(container: string, ipam: PodCall["ipam"]): Promise<readonly string[]> {
    const { exit, stdout, stderr } = await this.cni({ command: "ADD", container, ipam });
    if (exit !== 0) throw new Error(`ADD of ${container}: ${stdout}${stderr}\n${this.log}`);
    return (JSON.parse(stdout).ips as readonly { readonly address: string }[]).map(({ address }) => address);
  }

  /** Ends the process and removes its files. */
  async remove(): Promise<void> {
    this.client.close();
    await this.end("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}
