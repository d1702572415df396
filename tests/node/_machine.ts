/** Machines for clusters: namespaces for processes, mounts, network and name, over a root directory of their own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { need } from "../_need.ts";
import { until, within } from "../cluster/_wait.ts";
import { MachineProcess } from "./_machine_process.ts";
import type { Reaper } from "./_reaper.ts";

need("root");
need("ip");

const INIT = join(import.meta.dirname, "_machine.sh");
const START_LIMIT_MS = 20_000;

export interface MachineSettings {
  /** Its host name. */
  readonly name: string;
  /** The directory that becomes its root; what is there from an earlier start stays, but for /run. */
  readonly root: string;
  /** Files and directories of this machine that it sees, for reading, by their path inside it. */
  readonly binds?: Readonly<Record<string, string>>;
}

/** What a program has said. */
export interface Output {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A machine that runs. Everything in it ends when its first process does, and that one ends with this process, however that
 * ends: the kernel takes down processes, mounts and links.
 */
export class Machine {
  readonly name: string;
  readonly root: string;
  /** Its first process, as it is known here. */
  readonly pid: number;
  readonly #init: ChildProcess;

  private constructor({ name, root }: MachineSettings, pid: number, init: ChildProcess) {
    this.name = name;
    this.root = root;
    this.pid = pid;
    this.#init = init;
  }

  /** Starts one. @throws with what its first process said. */
  static async start(settings: MachineSettings, reaper: Reaper): Promise<Machine> {
    const { name, root, binds = {} } = settings;
    mkdirSync(join(root, "var/log"), { recursive: true });
    const log = join(root, "var/log/machine.log");
    const file = openSync(log, "a");
    const namespaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"];
    const places = Object.entries(binds).map(([inside, outside]) => `${outside}:${inside}`);
    const init = spawn("unshare", [...namespaces, "bash", INIT, root, name, ...places], {
      stdio: ["pipe", "pipe", file],
    });
    closeSync(file);
    if (init.pid === undefined || init.stdout === null) throw new Error(`machine ${name}: unshare cannot be started`);
    reaper.process(init.pid);
    const lines: string[] = [];
    createInterface({ input: init.stdout }).on("line", (line) => lines.push(line));
    const said = (): string => `${lines.join("\n")}\n${readFileSync(log, "utf8")}`;
    await until(
      () => {
        if (init.exitCode !== null) throw new Error(`machine ${name} ended at its start: ${said()}`);
        return lines[1] === "ready";
      },
      `machine ${name} is ready`,
      said,
      START_LIMIT_MS,
    );
    const machine = new Machine(settings, Number(lines[0]), init);
    reaper.machine(machine);
    return machine;
  }

  /** The path from outside of a file inside, its mounts included. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  /** Runs a program inside to its end. @throws with all it said, unless it exits with 0. */
  async run(program: string, ...args: readonly string[]): Promise<string> {
    const { exit, stdout, stderr } = await this.try(program, ...args);
    if (exit !== 0) throw new Error(`${this.name}: ${program} ${args.join(" ")}: exit ${exit}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a program inside to its end. */
  try(program: string, ...args: readonly string[]): Promise<Output> {
    return new Promise((resolve) => {
      const options = { maxBuffer: 1 << 28, timeout: 60_000, env: ENVIRONMENT };
      execFile("nsenter", [...this.#entrance(), program, ...args], options, (error, stdout, stderr) => {
        const exit = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ exit, stdout, stderr });
      });
    });
  }

  /** Starts a program inside that is to go on; what it says goes to /var/log/NAME.log. */
  spawn(name: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<MachineProcess> {
    const log = join(this.root, "var/log", `${name}.log`);
    const file = openSync(log, "a");
    const child = spawn("nsenter", [...this.#entrance(), program, ...args], {
      stdio: ["ignore", file, file],
      env: { ...ENVIRONMENT, ...env },
    });
    closeSync(file);
    return MachineProcess.of(`${name} on ${this.name}`, child, log);
  }

  /** Ends it as a power cut does. */
  async end(): Promise<void> {
    if (this.#init.exitCode !== null || this.#init.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#init.once("exit", () => resolve()));
    this.#init.stdin?.end();
    await within(ended, `machine ${this.name} ends`);
  }

  #entrance(): readonly string[] {
    return [`--target=${this.pid}`, "--mount", "--pid", "--net", "--uts", "--ipc", "--"];
  }
}

const ENVIRONMENT = { PATH: "/opt/peers:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
