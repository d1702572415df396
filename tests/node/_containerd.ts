/** containerd in a machine, with its own defaults for where things are. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { need } from "../_need.ts";
import { until } from "../cluster/_pools.ts";
import { IMAGE } from "./_image.ts";
import type { Machine } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";

for (const tool of ["containerd", "containerd-shim-runc-v2", "ctr", "runc"] as const) need(tool);

/** Where kubelet finds it. */
export const SOCKET = "/run/containerd/containerd.sock";

const CRI = '[plugins."io.containerd.cri.v1';
/**
 * The native snapshotter: overlay file systems cannot be stacked everywhere. Nothing that the kernel of the test's machine
 * may lack.
 */
const CONFIG = `version = 3
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.image-verifier.v1.bindir"]
${CRI}.images"]
  snapshotter = "native"
${CRI}.images".pinned_images]
  sandbox = "${IMAGE}"
${CRI}.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
${CRI}.runtime".cni]
  bin_dirs = ["/opt/cni/bin", "/opt/peers"]
  conf_dir = "/etc/cni/net.d"
${CRI}.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
${CRI}.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
`;

export class Containerd {
  readonly #machine: Machine;
  #process: MachineProcess | undefined;

  private constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Starts it and gives it the image. */
  static async start(machine: Machine, image: string): Promise<Containerd> {
    const directory = join(machine.root, "etc/containerd");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "config.toml"), CONFIG);
    const containerd = new Containerd(machine);
    await containerd.start();
    await containerd.ctr("images", "import", image);
    return containerd;
  }

  get process(): MachineProcess {
    if (this.#process === undefined) throw new Error(`containerd was not started on ${this.#machine.name}`);
    return this.#process;
  }

  /** Starts it, also again over the same containers, and waits until it answers. */
  async start(): Promise<void> {
    this.#process = await this.#machine.spawn("containerd", "containerd", []);
    const { process } = this;
    await until(
      async () => {
        if (!process.running) throw new Error(`${process.name} ended: ${process.log}`);
        return (await this.#machine.try("ctr", "--connect-timeout=1s", "plugins", "ls", "--quiet")).exit === 0;
      },
      `${process.name} answers`,
      () => process.log,
      60_000,
    );
  }

  /** What `ctr` says of the containers of Kubernetes. */
  ctr(...args: readonly string[]): Promise<string> {
    return this.#machine.run("ctr", "--namespace=k8s.io", ...args);
  }

  /** Containers whose first process lives, by the ids that Kubernetes calls them. */
  async tasks(): Promise<readonly string[]> {
    const lines = (await this.ctr("tasks", "ls", "--quiet")).split("\n");
    return lines.filter((line) => line !== "");
  }
}
