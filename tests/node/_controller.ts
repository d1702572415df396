/** A controller of the cluster, in a machine of its own as its pods are. */
import { chownSync, copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CertificateFiles } from "../cluster/_certificates.ts";
import { until } from "../cluster/_pools.ts";
import { type Account, startAs, writeAccount } from "./_account.ts";
import { Machine, type Output } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";
import type { Program } from "./_manifests.ts";
import { BINDS } from "./_node.ts";
import type { Reaper } from "./_reaper.ts";
import type { Switch } from "./_switch.ts";

export interface ControllerSettings {
  readonly name: string;
  /** The machine's root directory. */
  readonly root: string;
  readonly switch: Switch;
  readonly reaper: Reaper;
  readonly program: Program;
  readonly account: Account;
  /** Of its webhook. */
  readonly certificate: CertificateFiles;
  readonly flags: readonly string[];
}

export class Controller {
  readonly machine: Machine;
  readonly process: MachineProcess;
  /** Where its webhook is reached. */
  readonly address: string;

  private constructor(machine: Machine, process: MachineProcess, address: string) {
    this.machine = machine;
    this.process = process;
    this.address = address;
  }

  /** Starts one, and waits until it is ready. */
  static async start(settings: ControllerSettings): Promise<Controller> {
    const { name, root, reaper, program, account, certificate, flags } = settings;
    writeAccount(root, account, program);
    placeCertificate(root, certificate, program);
    const machine = await Machine.start({ name, root, binds: BINDS }, reaper);
    const address = await settings.switch.manage(machine);
    const process = await startAs(machine, "controller", account, program, program.command, flags);
    const controller = new Controller(machine, process, address);
    await controller.#untilReady();
    return controller;
  }

  async isLeader(): Promise<boolean> {
    return this.process.running && /^nvipam_leader 1$/m.test((await this.#ask(8080, "metrics")).stdout);
  }

  async #untilReady(): Promise<void> {
    const { process } = this;
    let said = "";
    await until(
      async () => {
        if (!process.running) throw new Error(`${process.name} ended: ${process.log}`);
        const answer = await this.#ask(8081, "readyz");
        said = `${answer.stdout}${answer.stderr}`;
        return answer.exit === 0;
      },
      `${process.name} is ready`,
      () => `${said}\n${process.log}`,
    );
  }

  #ask(port: number, path: string): Promise<Output> {
    return this.machine.try("busybox", "wget", "-qO-", `http://127.0.0.1:${port}/${path}`);
  }
}

function placeCertificate(root: string, { certFile, keyFile }: CertificateFiles, { mounts, user }: Program): void {
  const { cert } = mounts;
  if (cert === undefined) throw new Error("the controller has no volume for the webhook's certificate");
  mkdirSync(join(root, cert), { recursive: true });
  for (const [name, file] of Object.entries({ "tls.crt": certFile, "tls.key": keyFile })) {
    const placed = join(root, cert, name);
    copyFileSync(file, placed);
    chownSync(placed, user, user);
  }
}
