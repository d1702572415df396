/** Whether pods still use a released block. Pure. */
import { readNetworkStatus } from "../api/network_status.ts";
import type { Allocation, Released } from "../api/types.ts";
import { contains } from "../ip/address.ts";
import { readEntries } from "../planner/block_entry.ts";

/** The part of a Pod that says whether it still uses an address. */
export interface PodObject {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: { readonly phase?: string };
}

const FINISHED = new Set(["Succeeded", "Failed"]);

/** Whether one of the pods has not finished and shows an address of the released block. */
export function isInUse(entry: Released<Allocation>, pods: readonly PodObject[]): boolean {
  const [held] = readEntries([entry]);
  if (held === undefined) return false;
  return pods
    .filter(({ status }) => !FINISHED.has(status?.phase ?? ""))
    .flatMap(({ metadata }) => readNetworkStatus(metadata.annotations))
    .some(({ addresses }) => addresses.some((address) => contains(held.block, address)));
}
