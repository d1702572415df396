/** The documents that `nv-ipam inspect` prints: what a node serves and holds, whatever they were read from. */
import type { PoolView, ReservationView } from "../rpc/generated/daemon.ts";

/** Group and version of the documents. */
export const INSPECT_API_VERSION = "inspect.nv-ipam.nvidia.com/v1";

/** A pool as a node serves it. Counts are decimal texts: a block may hold more than 2^53 addresses. */
export interface PoolItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly uid: string;
  readonly subnet: string;
  readonly gateway: string;
  /** First and last address of the node's block; null when it has none. */
  readonly block: { readonly startIP: string; readonly endIP: string } | null;
  readonly addresses: {
    readonly total: string;
    readonly excluded: string;
    readonly used: string;
    readonly free: string;
  };
  /** Address given last, or "". */
  readonly lastAddress: string;
  /** Why the pool is not served as its spec says, or "". */
  readonly problem: string;
}

/** One attachment's addresses in one pool. */
export interface ReservationItem {
  readonly pool: string;
  readonly poolKind: string;
  readonly poolUID: string;
  readonly addresses: readonly string[];
  readonly containerID: string;
  readonly ifname: string;
  /** null for an attachment that belongs to no pod. */
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string } | null;
  readonly network: string;
  readonly deviceID: string;
  readonly how: string;
  readonly createdAt: string;
}

/** A list as Kubernetes writes lists. */
export interface List<K extends string, T> {
  readonly apiVersion: typeof INSPECT_API_VERSION;
  readonly kind: K;
  readonly items: readonly T[];
}

/** Wraps items into a list document. */
export function list<K extends string, T>(kind: K, items: readonly T[]): List<K, T> {
  return { apiVersion: INSPECT_API_VERSION, kind, items };
}

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
    problem: view.problem,
  };
}

/** A reservation as the daemon tells it. */
export function reservationItem(view: ReservationView): ReservationItem {
  const pod = { namespace: view.podNamespace, name: view.podName, uid: view.podUid };
  return {
    pool: view.pool,
    poolKind: view.poolKind,
    poolUID: view.poolUid,
    addresses: view.addresses,
    containerID: view.containerId,
    ifname: view.ifname,
    pod: view.podName === "" ? null : pod,
    network: view.network,
    deviceID: view.deviceId,
    how: view.how,
    createdAt: view.createdAt,
  };
}
