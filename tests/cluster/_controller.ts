/** The controller as a process. */
import { type ChildProcess, spawn } from "node:child_process";
import { type AddressInfo, createServer } from "node:net";
import { need } from "../_need.ts";
import { until } from "./_pools.ts";

const PROGRAM = need("dist/nv-ipam");

export interface ControllerSettings {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly flags?: readonly string[];
}

/** One controller process; call `kill` at the end, whatever happens. */
export class ControllerProcess {
  readonly #child: ChildProcess;
  readonly #probePort: number;
  readonly #metricsPort: number;
  readonly #ended: Promise<number | NodeJS.Signals>;
  /** What it logged. */
  output = "";

  private constructor(child: ChildProcess, probePort: number, metricsPort: number) {
    this.#child = child;
    this.#probePort = probePort;
    this.#metricsPort = metricsPort;
    this.#ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal ?? -1)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output = (this.output + text).slice(-200_000);
      });
    }
  }

  /** Starts one, without waiting for anything. */
  static async spawn({ kubeconfig, namespace, flags = [] }: ControllerSettings): Promise<ControllerProcess> {
    const [probePort, metricsPort] = [await freePort(), await freePort()];
    const child = spawn(PROGRAM, [
      "controller",
      `--kubeconfig=${kubeconfig}`,
      `--ippools-namespace=${namespace}`,
      `--health-probe-bind-address=127.0.0.1:${probePort}`,
      `--metrics-bind-address=127.0.0.1:${metricsPort}`,
      ...flags,
    ]);
    return new ControllerProcess(child, probePort, metricsPort);
  }

  /** Starts one and waits until it is ready. */
  static async start(settings: ControllerSettings): Promise<ControllerProcess> {
    const controller = await ControllerProcess.spawn(settings);
    try {
      await controller.untilReady();
      return controller;
    } catch (error) {
      await controller.kill();
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  async untilReady(): Promise<void> {
    await until(
      async () => {
        if (this.#child.exitCode !== null) throw new Error(`the controller ended:\n${this.output}`);
        return (await this.probe("/readyz")).status === 200;
      },
      "the controller is ready",
      () => this.output,
    );
  }

  /** Asks the probe address. Status 0: nobody answers. */
  async probe(path: string): Promise<{ readonly status: number; readonly body: string }> {
    return ask(`http://127.0.0.1:${this.#probePort}${path}`);
  }

  /** What it shows to Prometheus; nothing when nobody answers. */
  async metrics(): Promise<string> {
    return (await ask(`http://127.0.0.1:${this.#metricsPort}/metrics`)).body;
  }

  /** The value of a metric with these labels (as they are written), or undefined. */
  async metric(name: string, labels = ""): Promise<number | undefined> {
    const line = (await this.metrics())
      .split("\n")
      .find((text) => text.startsWith(`${name}${labels === "" ? " " : `{${labels}} `}`));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
  }

  /** Whether it holds the Lease and works. */
  async leads(): Promise<boolean> {
    return (await this.metric("nvipam_leader")) === 1;
  }

  /** Ends it. @returns its exit status, and the milliseconds that it took. */
  async stop(): Promise<{ readonly status: number | NodeJS.Signals; readonly ms: number }> {
    const began = performance.now();
    this.#child.kill("SIGTERM");
    const status = await this.#ended;
    return { status, ms: performance.now() - began };
  }

  /** Waits for its end. */
  ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }
}

async function ask(url: string): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const answer = await fetch(url);
    return { status: answer.status, body: await answer.text() };
  } catch {
    return { status: 0, body: "" };
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
