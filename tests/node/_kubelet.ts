/** kubelet in a machine, with its own defaults for where things are. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { need } from "../_need.ts";
import { SOCKET } from "./_containerd.ts";
import type { Machine } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";

need("kubelet");

export interface KubeletSettings {
  readonly nodeName: string;
  readonly address: string;
  /** Path inside the machine. */
  readonly kubeconfig: string;
  /** The control group that its pods' are made in. */
  readonly cgroup: string;
}

const DIRECTORY = "etc/kubernetes";

function configuration({ cgroup, address }: KubeletSettings): unknown {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    maxPods: 250,
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    resolvConf: "",
    // What a machine of namespaces cannot have, or shares with the others.
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    makeIPTablesUtilChains: false,
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
  };
}

export class Kubelet {
  readonly #machine: Machine;
  readonly #settings: KubeletSettings;
  #process: MachineProcess | undefined;

  constructor(machine: Machine, settings: KubeletSettings) {
    this.#machine = machine;
    this.#settings = settings;
    mkdirSync(join(machine.root, DIRECTORY), { recursive: true });
    writeFileSync(join(machine.root, DIRECTORY, "kubelet.json"), JSON.stringify(configuration(settings)));
  }

  get process(): MachineProcess {
    if (this.#process === undefined) throw new Error(`kubelet was not started on ${this.#machine.name}`);
    return this.#process;
  }

  async start(): Promise<void> {
    const { nodeName, address, kubeconfig } = this.#settings;
    this.#process = await this.#machine.spawn("kubelet", "kubelet", [
      `--config=/${DIRECTORY}/kubelet.json`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${address}`,
      "--v=1",
    ]);
  }
}
