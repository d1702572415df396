/** Our node daemon in a machine, with its own defaults for where things are. */
import type { PoolItem, ReservationItem } from "../../src/lib/inspect/report.ts";
import { need } from "../_need.ts";
import { until } from "../cluster/_pools.ts";
import { DaemonClient } from "../daemon_client.ts";
import { type Account, startAs } from "./_account.ts";
import type { Machine } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";
import type { Program } from "./_manifests.ts";

need("dist/nv-ipam");

/** Where the executable is inside a machine. */
export const EXECUTABLE = "/nv-ipam";
const SOCKET = "/var/lib/cni/nv-ipam/daemon.sock";

export interface IpamSettings {
  /** How the manifests start it. */
  readonly program: Program;
  readonly account: Account;
  /** More flags. */
  readonly flags: readonly string[];
}

export class IpamDaemon {
  readonly #machine: Machine;
  readonly #settings: IpamSettings;
  #process: MachineProcess | undefined;

  constructor(machine: Machine, settings: IpamSettings) {
    this.#machine = machine;
    this.#settings = settings;
  }

  get process(): MachineProcess {
    if (this.#process === undefined) throw new Error(`the daemon was not started on ${this.#machine.name}`);
    return this.#process;
  }

  /** Starts it and waits until it is ready. @param executable path inside the machine, when it is not the usual one. */
  async start(executable?: string, ...flags: readonly string[]): Promise<void> {
    await this.spawn(executable, ...flags);
    await this.untilReady();
  }

  /** Starts it without waiting for anything. */
  async spawn(executable?: string, ...flags: readonly string[]): Promise<void> {
    const { account, program } = this.#settings;
    const command = executable === undefined ? program.command : [executable, "node"];
    const all = [...this.#settings.flags, ...flags];
    this.#process = await startAs(this.#machine, "ipam-node", account, program, command, all);
  }

  async untilReady(): Promise<void> {
    const { process } = this;
    let last = "";
    await until(
      async () => {
        if (!process.running) throw new Error(`${process.name} ended: ${process.log}`);
        const { exit, stdout, stderr } = await this.#machine.try(
          "busybox",
          "wget",
          "-qO-",
          "http://127.0.0.1:8081/readyz",
        );
        last = `${stdout}${stderr}`;
        return exit === 0;
      },
      `${process.name} is ready`,
      () => `${last}\n${process.log}`,
      // After an upgrade it copies its executable first.
      60_000,
    );
  }

  /** What `nv-ipam inspect` says, as JSON items; from the store's file while the daemon is down. */
  async inspect<Item>(what: string): Promise<readonly Item[]> {
    const { stdout, stderr } = await this.#machine.try(EXECUTABLE, "inspect", what, "-o", "json");
    if (stdout === "") throw new Error(`nv-ipam inspect ${what} on ${this.#machine.name}: ${stderr}`);
    return (JSON.parse(stdout) as { readonly items: readonly Item[] }).items;
  }

  pools(): Promise<readonly PoolItem[]> {
    return this.inspect<PoolItem>("pools");
  }

  reservations(): Promise<readonly ReservationItem[]> {
    return this.inspect<ReservationItem>("reservations");
  }

  /** A client of the daemon's socket, for as long as the machine runs. */
  client(): DaemonClient {
    return new DaemonClient(`unix://${this.#machine.path(SOCKET)}`);
  }
}
