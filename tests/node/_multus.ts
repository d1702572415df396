/** Multus as containerd's only network plugin, with a default network that is none of ours. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { need } from "../_need.ts";
import type { Machine } from "./_machine.ts";

for (const tool of ["multus", "bridge", "macvlan", "ipvlan", "host-local", "loopback"] as const) need(tool);

/** The pods' first network: it joins those of one node. */
const DEFAULT_NETWORK = {
  cniVersion: "1.0.0",
  name: "default",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.85.0.0/16" }]] },
    },
  ],
};

/** Writes its configuration into a machine. @param kubeconfig path inside the machine. */
export function configureMultus(machine: Machine, kubeconfig: string): void {
  const directory = join(machine.root, "etc/cni/net.d");
  mkdirSync(directory, { recursive: true });
  const multus = {
    type: "multus",
    name: "multus",
    kubeconfig,
    confDir: "/etc/cni/net.d",
    cniDir: "/var/lib/cni/multus",
    binDir: "/opt/cni/bin",
    logFile: "/var/log/multus.log",
    logLevel: "error",
    // Else it forgets a pod's networks after a DEL that failed.
    retryDeleteOnError: true,
    delegates: [DEFAULT_NETWORK],
  };
  const list = { cniVersion: "1.0.0", name: "multus", plugins: [multus] };
  writeFileSync(join(directory, "00-multus.conflist"), JSON.stringify(list));
}
