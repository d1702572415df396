/** What the daemon remembers of the addresses in use on its node, and the changes that it makes to it. Pure data. */
import type { PoolKind } from "../api/types.ts";
import type { Address } from "../ip/address.ts";
import type { Entry } from "./entry.ts";

/** Which pool object an address came from. `uid` is "" where it is not known (imported, standalone). */
export interface PoolID {
  readonly kind: PoolKind;
  readonly name: string;
  readonly uid: string;
}

/** The CNI attachment that holds an address (CNI spec: container id + interface name identify it). */
export interface Attachment {
  /** "" for a reservation that was rebuilt and not yet adopted. */
  readonly containerID: string;
  readonly ifname: string;
}

/** The pod that the attachment belongs to. */
export interface PodOwner {
  readonly type: "pod";
  readonly namespace: string;
  readonly name: string;
  /** "" when the runtime did not tell. */
  readonly uid: string;
}

/** Who an address is kept for: a pod, or nobody that we know (plain containers). */
export type Owner = PodOwner | { readonly type: "none" };

/** The ways in which an address is chosen. */
export const HOWS = ["dynamic", "static", "index", "gateway", "adopted"] as const;

/** How the address was chosen. */
export type How = (typeof HOWS)[number];

/** One attachment's addresses in one pool. Immutable: a changed reservation is a new object. */
export interface Reservation extends Attachment {
  readonly pool: PoolID;
  /** At least one; the order is the order of the answer. */
  readonly addresses: readonly Address[];
  readonly owner: Owner;
  /** Name of the CNI network it was made under; "" when unknown (then GC leaves it alone). */
  readonly network: string;
  /** PCI address of the SR-IOV device, or "". */
  readonly deviceID: string;
  readonly how: How;
  /** RFC 3339. */
  readonly createdAt: string;
}

/**
 * One step of a transaction. Applying the steps of all transactions in order gives the state; taking them back in reverse
 * order gives the state before. `before` is what undoing needs. A reservation has a place of its own, a small number, while it
 * lives: whatever stands at a place is released by its number.
 */
export type Change =
  | { readonly type: "reserve"; readonly place: number; readonly entry: Entry }
  | { readonly type: "release"; readonly place: number; readonly before?: Entry }
  /** The pool's round-robin position: the address given last, dynamically. */
  | { readonly type: "cursor"; readonly pool: PoolID; readonly address: Address; readonly before?: Address }
  /** The pool's configuration as the original's store keeps it (JSON text), for export. */
  | { readonly type: "config"; readonly pool: PoolID; readonly config: string; readonly before?: string };

/** What the store keeps of a pool beside its reservations. */
export interface PoolRecord {
  readonly pool: PoolID;
  readonly cursor?: Address;
  readonly config?: string;
}

/** The whole content of a store. */
export interface LedgerSnapshot {
  readonly reservations: readonly Reservation[];
  readonly pools: readonly PoolRecord[];
}

/** The whole content of a store as it is kept: the entries by their places. */
export interface LedgerImage {
  readonly entries: readonly (Entry | undefined)[];
  readonly pools: readonly PoolRecord[];
}
