/** Which addresses pods say they have, on secondary networks. Pure. */

import type { Allocation, Released } from "../api/types.ts";
import { contains, parseAddress } from "../ip/address.ts";
import { readEntries } from "../planner/block_entry.ts";

/** The part of a Pod that says whether it still uses an address. */
export interface PodObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: { readonly phase?: string };
}

/** Where Multus writes what networks a pod has (Multi-Network Specification 4.1.2). */
const NETWORK_STATUS = "k8s.v1.cni.cncf.io/network-status";
const FINISHED = new Set(["Succeeded", "Failed"]);

/** Whether one of the pods has not finished and shows an address of the released block. */
export function isInUse(entry: Released<Allocation>, pods: readonly PodObject[]): boolean {
  const [held] = readEntries([entry]);
  if (held === undefined) return false;
  return pods.some((pod) =>
    addressesOf(pod).some((text) => {
      const address = parseAddress(text);
      return address !== undefined && contains(held.block, address);
    }),
  );
}

function addressesOf({ metadata, status }: PodObject): readonly string[] {
  if (FINISHED.has(status?.phase ?? "")) return [];
  const networks = parseList(metadata.annotations?.[NETWORK_STATUS]);
  return networks.flatMap((network) => {
    const ips = typeof network === "object" && network !== null && "ips" in network ? network.ips : [];
    return Array.isArray(ips) ? ips.filter((ip) => typeof ip === "string") : [];
  });
}

/** What pods write about themselves may be anything. */
function parseList(text: string | undefined): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
