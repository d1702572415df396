/** Networks as users define them: a main plugin whose addresses come from our pools. */
import type { Cluster } from "./_cluster.ts";
import { BRIDGE, IPVLAN_MASTER, MASTER } from "./_switch.ts";

/** What a main plugin's configuration has beside its name and its `ipam`. */
export interface MainPlugin {
  readonly type: string;
  readonly [member: string]: unknown;
}

export const MACVLAN: MainPlugin = { type: "macvlan", master: MASTER, mode: "bridge" };
export const IPVLAN: MainPlugin = { type: "ipvlan", master: IPVLAN_MASTER, mode: "l2" };
export const BRIDGED: MainPlugin = { type: "bridge", bridge: BRIDGE };

/** Defines a network. @param more members of the network config beside `ipam`. */
export async function defineNetwork(
  cluster: Cluster,
  name: string,
  plugin: MainPlugin,
  ipam: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const config = { cniVersion: "1.0.0", name, ...plugin, ipam: { type: "nv-ipam", ...ipam }, ...more };
  await cluster.defineNetwork(name, config);
}

/** The names that Multus gives to interfaces. */
export function interfaceNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `net${index + 1}`);
}
