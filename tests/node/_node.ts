/** A node of the cluster: a machine with containerd, kubelet, Multus and our daemon. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PEERS_BIN } from "../_need.ts";
import { EXECUTABLE as BUILT } from "../plugin.ts";
import { writeAccount } from "./_account.ts";
import { Containerd } from "./_containerd.ts";
import { EXECUTABLE, IpamDaemon, type IpamSettings } from "./_ipam.ts";
import { Kubelet } from "./_kubelet.ts";
import { Machine } from "./_machine.ts";
import { configureMultus } from "./_multus.ts";
import type { Reaper } from "./_reaper.ts";
import type { Switch } from "./_switch.ts";

export interface NodeSettings {
  readonly name: string;
  /** The machine's root directory. */
  readonly root: string;
  readonly switch: Switch;
  readonly reaper: Reaper;
  /** The file with the containers' image. */
  readonly image: string;
  readonly cgroup: string;
  /** Text of kubelet's and Multus' kubeconfig. */
  readonly kubeconfig: string;
  readonly ipam: IpamSettings;
}

/** What every machine has of this one's, by its path inside: our executable has the names as well that our image gives it. */
export const BINDS = {
  "/opt/peers": PEERS_BIN,
  [EXECUTABLE]: BUILT,
  "/ipam-controller": BUILT,
  "/ipam-node": BUILT,
} as const;

const KUBECONFIG = "/etc/kubernetes/kubelet.conf";

export class ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly machine: Machine;
  readonly containerd: Containerd;
  readonly kubelet: Kubelet;
  readonly ipam: IpamDaemon;

  private constructor(settings: NodeSettings, address: string, machine: Machine, containerd: Containerd) {
    const { name, cgroup, ipam } = settings;
    this.name = name;
    this.address = address;
    this.machine = machine;
    this.containerd = containerd;
    this.kubelet = new Kubelet(machine, { nodeName: name, address, kubeconfig: KUBECONFIG, cgroup });
    this.ipam = new IpamDaemon(machine, ipam);
  }

  /** Boots the machine, also again over the same root, and starts containerd and kubelet; the daemon is not started yet. */
  static async start(settings: NodeSettings, address?: string): Promise<ClusterNode> {
    const { name, root, reaper, image, kubeconfig, ipam } = settings;
    mkdirSync(join(root, "etc/kubernetes"), { recursive: true });
    writeFileSync(join(root, KUBECONFIG), kubeconfig, { mode: 0o600 });
    writeAccount(root, ipam.account, ipam.program);
    const machine = await Machine.start({ name, root, binds: { ...BINDS, "/image.tar": image } }, reaper);
    const given = await settings.switch.join(machine, address);
    configureMultus(machine, KUBECONFIG);
    const node = new ClusterNode(settings, given, machine, await Containerd.start(machine, "/image.tar"));
    await node.kubelet.start();
    return node;
  }
}
