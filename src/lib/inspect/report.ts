/** The documents that `nv-ipam inspect` prints, whatever they were read from. docs/inspect.schema.json says the same as a schema. */
import type { PoolView, ReservationView } from "../rpc/generated/daemon.ts";
import type { Finding } from "./finding.ts";

/** Group and version of the documents. */
export const INSPECT_API_VERSION = "inspect.nv-ipam.nvidia.com/v1";

/** What was read. */
export interface Source {
  readonly type: "daemon" | "store" | "cluster";
  /** The daemon's socket, the store file, or the API server's URL. */
  readonly place: string;
  /** The node whose state it is; "" for a cluster, and where a store does not say. */
  readonly node: string;
}

/** What every document has. */
export interface Document<K extends string> {
  readonly apiVersion: typeof INSPECT_API_VERSION;
  readonly kind: K;
  readonly source: Source;
  /** What could not be read, or is to be known of what was; a sentence each. */
  readonly notes: readonly string[];
}

/** A list as Kubernetes writes lists. */
export interface List<K extends string, T> extends Document<K> {
  readonly items: readonly T[];
}

/** First and last address, both inclusive. */
export interface BlockText {
  readonly startIP: string;
  readonly endIP: string;
}

/** Decimal texts: a block may hold more than 2^53 addresses. "" where it is not known. */
export interface AddressCounts {
  readonly total: string;
  readonly excluded: string;
  readonly used: string;
  readonly free: string;
}

/** A pool as a node serves it; from an API server, as the whole cluster does. */
export interface PoolItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly uid: string;
  readonly subnet: string;
  readonly gateway: string;
  /** The node's block; null when it has none, and in a list of a cluster's pools. */
  readonly block: BlockText | null;
  /** Of the node's block; in a list of a cluster's pools, of all blocks that nodes have. */
  readonly addresses: AddressCounts;
  /** Address given last, or "". */
  readonly lastAddress: string;
  /** How many blocks there are, and what has become of them; null for a node. */
  readonly blocks: {
    readonly total: string;
    readonly allocated: string;
    readonly free: string;
    readonly resting: string;
  } | null;
  /** Why the pool is not served as its spec says, or "". */
  readonly problem: string;
}

/** One attachment's addresses in one pool. */
export interface ReservationItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly poolUID: string;
  readonly addresses: readonly string[];
  /** The node that it is on; "" where that is not known. */
  readonly node: string;
  /** "" where it is not known: rebuilt, or read from what a pod shows. */
  readonly containerID: string;
  readonly ifname: string;
  /** null for an attachment that belongs to no pod. */
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string } | null;
  readonly network: string;
  readonly deviceID: string;
  /** dynamic, static, index, gateway, adopted; `shown`: a pod's network-status annotation has it. */
  readonly how: string;
  readonly createdAt: string;
}

/** A block that rests. */
export interface RestingItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly block: BlockText;
  readonly releasedAt: string;
  readonly reason: string;
}

/** What one node has. */
export interface NodeReport extends Document<"NodeReport"> {
  readonly node: string;
  readonly pools: readonly PoolItem[];
  readonly resting: readonly RestingItem[];
  readonly findings: readonly Finding[];
}

/** One pool that an interface of a pod has, or wants, an address of. */
export interface PodPool {
  readonly pool: string;
  readonly poolKind: string;
  readonly addresses: readonly string[];
  /** The block of the pod's node, and how full it is. */
  readonly block: BlockText | null;
  readonly counts: AddressCounts;
  /** Whether the node's daemon has it reserved: not known from an API server. */
  readonly reserved: "yes" | "no" | "unknown";
  readonly containerID: string;
  readonly how: string;
  readonly createdAt: string;
  /** Why there is no address, or what is wrong with it; "" when all is well. */
  readonly problem: string;
}

/** One interface that a pod has or asks for. */
export interface PodInterface {
  readonly ifname: string;
  /** Mostly namespace/name. */
  readonly network: string;
  /** Which plugin gives its addresses; "" where that is not known. */
  readonly ipam: string;
  /** Addresses asked for by name. */
  readonly requested: readonly string[];
  readonly pools: readonly PodPool[];
  readonly problem: string;
}

/** An Event about a pod. */
export interface EventItem {
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly lastSeen: string;
}

/** A pod's interfaces, and why it does not start. */
export interface PodReport extends Document<"PodReport"> {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  /** Of the pod's status; "" where it is not known. */
  readonly phase: string;
  readonly interfaces: readonly PodInterface[];
  /** The newest warnings about it. */
  readonly events: readonly EventItem[];
  /** What keeps it from starting beside what its interfaces say. */
  readonly problems: readonly string[];
}

/** What an address is in one pool. */
export interface PlaceItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly network: string;
  /** Whose block has it: `allocated` is a node's, `resting` was one's, `none` is nobody's, `unknown` not this node's. */
  readonly state: "allocated" | "resting" | "none" | "unknown";
  /** The node whose block it is or was; "" where that is not known. */
  readonly node: string;
  readonly block: BlockText | null;
  /** What keeps it from being given in turn: network, broadcast, gateway, excluded, excludedByIndex. */
  readonly roles: readonly string[];
}

/** What an address is. */
export interface AddressReport extends Document<"AddressReport"> {
  readonly address: string;
  /** The same in words. */
  readonly summary: string;
  readonly places: readonly PlaceItem[];
  readonly holders: readonly ReservationItem[];
}

/** How a store file is. */
export interface StoreReport extends Document<"StoreReport"> {
  readonly state: "whole" | "damaged";
  /** `journal`: our files; `original`: the original's file, that a start would take over. */
  readonly content: "journal" | "original";
  readonly generation: number;
  readonly reservations: number;
  readonly pools: number;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly modifiedAt: string }[];
  readonly problems: readonly string[];
}

/** Any document that inspect prints. */
export type Report =
  | List<"PoolList", PoolItem>
  | List<"ReservationList", ReservationItem>
  | List<"FindingList", Finding>
  | NodeReport
  | PodReport
  | AddressReport
  | StoreReport;

/** What stands at the head of a document. */
export function head<K extends string>(
  kind: K,
  { source, notes }: { readonly source: Source; readonly notes: readonly string[] },
): Document<K> {
  return { apiVersion: INSPECT_API_VERSION, kind, source, notes };
}

/** Counts of what is not known. */
export const NO_COUNTS: AddressCounts = { total: "", excluded: "", used: "", free: "" };

/** A pool as the daemon tells it. */
export function poolItem(view: PoolView): PoolItem {
  return {
    pool: view.name,
    poolKind: view.kind,
    uid: view.uid,
    subnet: view.subnet,
    gateway: view.gateway,
    block: view.startIp === "" ? null : { startIP: view.startIp, endIP: view.endIp },
    addresses: { total: view.total, excluded: view.excluded, used: view.used, free: view.free },
    lastAddress: view.cursor,
    blocks: null,
    problem: view.problem,
  };
}

/** A reservation as the daemon tells it. */
export function reservationItem(view: ReservationView, node: string): ReservationItem {
  const pod = { namespace: view.podNamespace, name: view.podName, uid: view.podUid };
  return {
    pool: view.pool,
    poolKind: view.poolKind,
    poolUID: view.poolUid,
    addresses: view.addresses,
    node,
    containerID: view.containerId,
    ifname: view.ifname,
    pod: view.podName === "" ? null : pod,
    network: view.network,
    deviceID: view.deviceId,
    how: view.how,
    createdAt: view.createdAt,
  };
}
