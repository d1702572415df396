/** A node of the cluster: a machine with containerd, kubelet, Multus and our daemon. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PEERS_BIN } from "../_need.ts";
import { EXECUTABLE as BUILT } from "../plugin.ts";
import { Containerd } from "./_containerd.ts";
import { EXECUTABLE, IpamDaemon } from "./_ipam.ts";
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
  /** Namespace of the pools. */
  readonly namespace: string;
  /** Texts of kubeconfig files: kubelet's and Multus', the daemon's. */
  readonly kubeconfigs: { readonly node: string; readonly ipam: string };
  /** More flags of the daemon. */
  readonly ipamFlags: readonly string[];
}

/** What every machine has of this one's, by its path inside. */
export const BINDS = { "/opt/peers": PEERS_BIN, [EXECUTABLE]: BUILT } as const;

const NODE_KUBECONFIG = "/etc/kubernetes/kubelet.conf";
const IPAM_KUBECONFIG = "/etc/kubernetes/ipam-node.conf";

export class ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly machine: Machine;
  readonly containerd: Containerd;
  readonly kubelet: Kubelet;
  readonly ipam: IpamDaemon;

  private constructor(settings: NodeSettings, address: string, machine: Machine, containerd: Containerd) {
    const { name, cgroup, namespace, ipamFlags } = settings;
    this.name = name;
    this.address = address;
    this.machine = machine;
    this.containerd = containerd;
    this.kubelet = new Kubelet(machine, { nodeName: name, address, kubeconfig: NODE_KUBECONFIG, cgroup });
    this.ipam = new IpamDaemon(machine, { nodeName: name, namespace, kubeconfig: IPAM_KUBECONFIG, flags: ipamFlags });
  }

  /** Boots the machine, also again over the same root, and starts containerd and kubelet; the daemon is not started yet. */
  static async start(settings: NodeSettings, address?: string): Promise<ClusterNode> {
    const { name, root, reaper, image, kubeconfigs } = settings;
    const directory = join(root, "etc/kubernetes");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(root, NODE_KUBECONFIG), kubeconfigs.node, { mode: 0o600 });
    writeFileSync(join(root, IPAM_KUBECONFIG), kubeconfigs.ipam, { mode: 0o600 });
    const machine = await Machine.start({ name, root, binds: { ...BINDS, "/image.tar": image } }, reaper);
    const given = await settings.switch.join(machine, address);
    configureMultus(machine, NODE_KUBECONFIG);
    const node = new ClusterNode(settings, given, machine, await Containerd.start(machine, "/image.tar"));
    await node.kubelet.start();
    return node;
  }
}
