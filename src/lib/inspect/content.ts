/** What inspect has read, before anything is made of it. */
import type { NetworkSelection } from "../api/network_selection.ts";
import type { NetworkStatus } from "../api/network_status.ts";
import type { NodeInfo } from "../api/selector.ts";
import type { PoolObject } from "../api/types.ts";
import type { Address } from "../ip/address.ts";
import type { PodView } from "../rpc/generated/daemon.ts";
import type { EventItem, PoolItem, ReservationItem, Source } from "./report.ts";

/** What one node serves and holds. */
export interface NodeContent {
  readonly type: "node";
  readonly source: Source;
  readonly notes: readonly string[];
  readonly pools: readonly PoolItem[];
  /** Whether a daemon told the pools; else they are what its store remembers of them. */
  readonly isRunning: boolean;
  readonly reservations: readonly ReservationItem[];
  /** The unfinished pods on the node; undefined where they are not known. */
  readonly pods: readonly PodView[] | undefined;
  /** What keeps ADD from being served, a sentence each. */
  readonly problems: readonly string[];
  /** Why the pools that it serves may not be those that are written now, a sentence each. */
  readonly outdated: readonly string[];
}

/** A pod as the API server has it, as far as it matters here. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** "" while it is not scheduled. */
  readonly node: string;
  readonly phase: string;
  readonly isTerminating: boolean;
  /** The interfaces that its status shows, the cluster's own network left out. */
  readonly interfaces: readonly NetworkStatus[];
  /** Addresses that it asks for by name. */
  readonly asked: readonly Address[];
}

/** What a NetworkAttachmentDefinition says of addresses. */
export interface NetworkIpam {
  /** Which plugin gives them; "" where the definition does not say. */
  readonly type: string;
  /** Names of pools, and of which kind; where the plugin is ours. */
  readonly poolKind: "IPPool" | "CIDRPool";
  readonly pools: readonly string[];
}

/** A whole cluster. What may not be read is undefined, and a note says so. */
export interface ClusterContent {
  readonly type: "cluster";
  readonly source: Source;
  readonly notes: readonly string[];
  readonly pools: readonly PoolObject[];
  readonly nodes: readonly NodeInfo[] | undefined;
  /** Unfinished ones: of all nodes, or of those that were asked for. */
  readonly pods: readonly Pod[] | undefined;
  /** By namespace/name. */
  readonly networks: ReadonlyMap<string, NetworkIpam> | undefined;
}

/** One interface that a pod asks for, and what its NetworkAttachmentDefinition says. */
export interface AskedNetwork {
  readonly selection: NetworkSelection;
  /** undefined where there is no definition, or none that can be read; then `problem` says why. */
  readonly ipam: NetworkIpam | undefined;
  readonly problem: string;
}

/** One pod with what else the API server says of it. */
export interface PodDetails {
  readonly pod: Pod;
  readonly networks: readonly AskedNetwork[];
  /** Why what it asks for cannot be read; undefined when it can. */
  readonly askedFault: string | undefined;
  readonly events: readonly EventItem[];
  /** Whether a node daemon is ready on its node; undefined where that cannot be told. */
  readonly daemonReady: boolean | undefined;
}

/** What of either kind was read. */
export type Content = NodeContent | ClusterContent;

/** Why nothing was read. `isAbsent`: there is nothing at that place; the next one may have it. */
export interface Absence {
  readonly isAbsent: boolean;
  readonly message: string;
}
