/** Where the API server has pools. */
import type { PoolKind } from "./types.ts";

/** Group, version and lower case plural of each kind of pool. */
export const POOL_RESOURCES = {
  IPPool: { group: "nv-ipam.nvidia.com", version: "v1alpha1", plural: "ippools" },
  CIDRPool: { group: "nv-ipam.nvidia.com", version: "v1alpha1", plural: "cidrpools" },
} as const satisfies Readonly<Record<PoolKind, unknown>>;

/** Both kinds of pool. */
export const POOL_KINDS: readonly PoolKind[] = ["IPPool", "CIDRPool"];
