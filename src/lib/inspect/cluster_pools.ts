/** The pools of a cluster made ready for look-ups, and which pool each address that a pod shows belongs to. Pure. */

import type { PoolObject } from "../api/types.ts";
import { PLUGIN_NAME } from "../cni/install.ts";
import { type Address, contains, type Range } from "../ip/address.ts";
import { poolKey } from "../planner/overlaps.ts";
import { type NodeBlock, type NodeBlocks, nodeBlocks } from "../reservations/node_blocks.ts";
import type { ClusterContent, Pod } from "./content.ts";

/** One pool. */
export class ClusterPool {
  readonly object: PoolObject;
  /** `kind/name` */
  readonly key: string;
  /** undefined where the pool serves nothing: its spec was never valid. */
  readonly blocks: NodeBlocks | undefined;
  readonly #byFirst: readonly NodeBlock[];
  readonly #byNode: ReadonlyMap<string, NodeBlock>;

  constructor(object: PoolObject) {
    this.object = object;
    this.key = poolKey(object);
    this.blocks = nodeBlocks(object);
    const blocks = this.blocks?.blocks ?? [];
    this.#byFirst = blocks.toSorted(byFirst);
    this.#byNode = new Map(blocks.map((block) => [block.nodeName, block]));
  }

  /** Blocks in the order of their addresses. */
  get inOrder(): readonly NodeBlock[] {
    return this.#byFirst;
  }

  /** A node's block. */
  ofNode(name: string): NodeBlock | undefined {
    return this.#byNode.get(name);
  }

  /** The block that has the address; where a damaged status has several, one of them. O(log n). */
  withAddress(address: Address): NodeBlock | undefined {
    let low = 0;
    let high = this.#byFirst.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#byFirst[middle]?.block.first;
      if (first !== undefined && first <= address.value) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#byFirst[low - 1];
    return candidate !== undefined && contains(candidate.block, address) ? candidate : undefined;
  }

  /** Whether the pool's network has the address. */
  covers(address: Address): boolean {
    return this.blocks !== undefined && contains(this.blocks.cidr, address);
  }
}

function byFirst({ block: a }: { readonly block: Range }, { block: b }: { readonly block: Range }): number {
  return a.family - b.family || (a.first < b.first ? -1 : a.first > b.first ? 1 : 0);
}

/** An address that a pod shows, and the pool that it is of. */
export interface Claim {
  readonly pod: Pod;
  readonly ifname: string;
  readonly network: string;
  readonly address: Address;
  readonly pool: ClusterPool;
  /** The block that it lies in, whosever. */
  readonly block: NodeBlock | undefined;
}

/** A cluster with its pools ready. */
export interface ReadyCluster {
  readonly content: ClusterContent;
  readonly pools: readonly ClusterPool[];
  /** Addresses that unfinished pods show, of our pools. */
  readonly claims: readonly Claim[];
}

/** Makes a cluster ready. O((pools + addresses shown) log blocks). */
export function readyCluster(content: ClusterContent): ReadyCluster {
  const pools = content.pools.map((pool) => new ClusterPool(pool));
  return { content, pools, claims: claimsOf(content, pools) };
}

function claimsOf({ pods = [], networks }: ClusterContent, pools: readonly ClusterPool[]): readonly Claim[] {
  const byKey = new Map(pools.map((pool) => [pool.key, pool]));
  const claims: Claim[] = [];
  for (const pod of pods) {
    for (const { network, ifname, addresses } of pod.interfaces) {
      const ipam = networks?.get(network.includes("/") ? network : `${pod.namespace}/${network}`);
      const isOthers = ipam !== undefined && ipam.type !== "" && ipam.type !== PLUGIN_NAME;
      if (isOthers) continue;
      const named = ipam?.pools.flatMap((name) => byKey.get(`${ipam.poolKind}/${name}`) ?? []) ?? [];
      for (const address of addresses) {
        // A pod may name other pools in its cni-args than the network does.
        const pool = poolOf(address, pod.node, named) ?? poolOf(address, pod.node, pools);
        if (pool !== undefined) claims.push({ pod, ifname, network, address, pool, block: pool.withAddress(address) });
      }
    }
  }
  return claims;
}

/** Of the pools whose network has the address the one whose block on the node has it, else the first. */
function poolOf(address: Address, node: string, pools: readonly ClusterPool[]): ClusterPool | undefined {
  let found: ClusterPool | undefined;
  for (const pool of pools) {
    if (!pool.covers(address)) continue;
    const own = pool.ofNode(node);
    if (own !== undefined && contains(own.block, address)) return pool;
    found ??= pool;
  }
  return found;
}
