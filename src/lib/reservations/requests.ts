/** What a ledger is asked. */
import type { Address } from "../ip/address.ts";
import type { Choice } from "./_choose.ts";
import type { PoolName } from "./_state.ts";
import type { NodePool } from "./pool.ts";
import type { Attachment, Owner } from "./reservation.ts";

/** An ADD for one interface of one container. */
export interface AllocateRequest {
  /** One or two different pools, in the order of the answer. */
  readonly pools: readonly NodePool[];
  readonly attachment: Attachment;
  readonly owner: Owner;
  /** Name of the CNI network; "" when the caller did not tell. */
  readonly network: string;
  /** PCI address of the SR-IOV device, or "". */
  readonly deviceID: string;
  /** Addresses asked for by name: at most one for each pool. A pool without one gives its next free address. */
  readonly requested: readonly Address[];
  /** How the address is chosen where none is asked for by name. Another choice than "next" excludes `requested`. */
  readonly choice: Choice;
  /** Whether an address of another node's block may be asked for by name, as in the original (R10). */
  readonly allowStaticInOtherBlocks: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A CHECK. */
export interface IsAllocatedRequest {
  readonly pools: readonly PoolName[];
  readonly attachment: Attachment;
  readonly owner: Owner;
}

/** A DEL. */
export interface DeallocateRequest {
  readonly pools: readonly PoolName[];
  readonly attachment: Attachment;
  /** Name of the CNI network; "" when the caller did not tell. */
  readonly network: string;
}

/** A CNI GC. */
export interface CollectGarbageRequest {
  readonly network: string;
  /** The attachments that the runtime still knows. */
  readonly valid: Iterable<Attachment>;
}

/** Which part of the reservations to list. */
export interface ListRequest {
  /** `next` of the page before; the first page without it. */
  readonly from?: number | undefined;
  /** Largest number of reservations in the page; above 0. A container's own are never cut. */
  readonly limit: number;
  /** Only this container's, and only this interface's, where given. */
  readonly containerID?: string | undefined;
  readonly ifname?: string | undefined;
}
