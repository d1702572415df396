/**
 * The custom resources nv-ipam.nvidia.com/v1alpha1 IPPool and CIDRPool as they come from the API server or a manifest,
 * after their shape (not yet their meaning) has been checked. Member names are the wire's.
 */

import type { FieldError } from "./field_error.ts";

/** The API group and version of both kinds. */
export const API_VERSION = "nv-ipam.nvidia.com/v1alpha1";

/** The two kinds of pool. */
export type PoolKind = "IPPool" | "CIDRPool";

/** Annotation that lets an edit of the division move blocks that nodes already have (R5). */
export const ALLOW_REALLOCATION_ANNOTATION = "nv-ipam.nvidia.com/allow-reallocation";

/** What both kinds of pool object need of Kubernetes' ObjectMeta. */
export interface PoolMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Addresses never handed out dynamically, both ends inclusive. */
export interface ExcludeRange {
  readonly startIP: string;
  readonly endIP: string;
}

/** Indexes within each node's own block or prefix that are never handed out dynamically, both ends inclusive. */
export interface ExcludeIndexRange {
  readonly startIndex: number;
  readonly endIndex: number;
}

/** A route that the pod gets through the pool's gateway. */
export interface Route {
  readonly dst: string;
}

/** One requirement of core/v1 NodeSelectorRequirement. */
export interface NodeSelectorRequirement {
  readonly key: string;
  /** In, NotIn, Exists, DoesNotExist, Gt or Lt; anything else is a broken rule, not a wrong shape. */
  readonly operator: string;
  readonly values?: readonly string[];
}

/** One term of core/v1 NodeSelector: its requirements are ANDed. */
export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[];
  readonly matchFields?: readonly NodeSelectorRequirement[];
}

/** core/v1 NodeSelector: its terms are ORed. */
export interface NodeSelector {
  readonly nodeSelectorTerms: readonly NodeSelectorTerm[];
}

interface CommonSpec {
  readonly exclusions?: readonly ExcludeRange[];
  readonly perNodeExclusions?: readonly ExcludeIndexRange[];
  readonly nodeSelector?: NodeSelector;
  readonly defaultGateway?: boolean;
  /** Deprecated: the original README's misspelling of defaultGateway. */
  readonly defautGateway?: boolean;
  readonly routes?: readonly Route[];
}

/** spec of an IPPool. */
export interface IPPoolSpec extends CommonSpec {
  readonly subnet: string;
  readonly perNodeBlockSize: number;
  readonly gateway?: string;
}

/** One entry of CIDRPool.spec.staticAllocations. */
export interface StaticAllocation {
  readonly nodeName?: string;
  readonly gateway?: string;
  readonly prefix: string;
}

/** spec of a CIDRPool. */
export interface CIDRPoolSpec extends CommonSpec {
  readonly cidr: string;
  readonly gatewayIndex?: number;
  readonly perNodeNetworkPrefix: number;
  readonly staticAllocations?: readonly StaticAllocation[];
}

/** One entry of IPPool.status.allocations: a node's block, both ends inclusive. */
export interface IPPoolAllocation {
  readonly nodeName: string;
  readonly startIP: string;
  readonly endIP: string;
}

/** One entry of CIDRPool.status.allocations: a node's prefix and its gateway. */
export interface CIDRPoolAllocation {
  readonly nodeName: string;
  readonly prefix: string;
  readonly gateway?: string;
}

/** A block that rests after its node gave it up (R7). */
export type Released<A> = A & { readonly releasedAt: string; readonly reason: string };

/** metav1.Condition. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

/** How many blocks a pool has and what has become of them. Each count is at most 2^53 - 1. */
export interface BlockCounts {
  readonly total: number;
  readonly allocated: number;
  /** Blocks that the next new nodes could have. */
  readonly free: number;
  /** Entries of status.released (R7). */
  readonly resting: number;
}

/** A spec without its nodeSelector, member by member of a union. */
export type Applied<S> = S extends unknown ? Omit<S, "nodeSelector"> : never;

/** status of both kinds; A is the kind's allocation entry, S its spec. */
export interface PoolStatus<A, S> {
  readonly allocations?: readonly A[];
  readonly released?: readonly Released<A>[];
  /** The spec in force, without its nodeSelector: the last one that was accepted (R5). */
  readonly appliedSpec?: Applied<S>;
  readonly observedGeneration?: number;
  readonly blocks?: BlockCounts;
  readonly conditions?: readonly Condition[];
}

/** An IPPool object. */
export interface IPPool {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "IPPool";
  readonly metadata: PoolMetadata;
  readonly spec: IPPoolSpec;
  readonly status?: PoolStatus<IPPoolAllocation, IPPoolSpec>;
}

/** A CIDRPool object. */
export interface CIDRPool {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "CIDRPool";
  readonly metadata: PoolMetadata;
  readonly spec: CIDRPoolSpec;
  readonly status?: PoolStatus<CIDRPoolAllocation, CIDRPoolSpec>;
}

/** Either kind. */
export type Pool = IPPool | CIDRPool;

/** The spec of either kind; `"cidr" in spec` tells a CIDRPool's. */
export type PoolSpec = IPPoolSpec | CIDRPoolSpec;

/** The spec of either kind as status.appliedSpec keeps it. */
export type AppliedSpec = Applied<PoolSpec>;

/** An entry of status.allocations of either kind; `"prefix" in entry` tells a CIDRPool's. */
export type Allocation = IPPoolAllocation | CIDRPoolAllocation;

/** The status of either kind. */
export type AnyPoolStatus = PoolStatus<Allocation, PoolSpec>;

/**
 * A pool object whose spec has wrong JSON types. It can only be stored under a CRD without a schema, but what its status
 * holds is still in force (R5).
 */
export interface UnreadablePool {
  readonly kind: PoolKind;
  readonly metadata: PoolMetadata;
  /** What is wrong with the spec; never empty. */
  readonly unreadable: readonly FieldError[];
  readonly status?: AnyPoolStatus;
}

/** Whatever an API server can hold under the two kinds; `"unreadable" in pool` tells them apart. */
export type PoolObject = Pool | UnreadablePool;
