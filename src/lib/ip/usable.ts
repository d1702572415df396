/** Which addresses of a node's block may be handed out dynamically. Pure. */
import { type Address, addressBits, type Cidr } from "./address.ts";
import { type Interval, IntervalSet } from "./intervals.ts";

/** A network that addresses are given with: the subnet of an IPPool, a node's own prefix of a CIDRPool. */
export type Network = Pick<Cidr, "family" | "first" | "last" | "prefixLength">;

/** A node's block and everything that takes addresses out of it. */
export interface BlockGeometry {
  /** The node's block or prefix. It need not be aligned to the pool's division. */
  readonly block: Interval;
  readonly network: Network;
  /** The gateway that pods of this node use, wherever it lies. */
  readonly gateway?: Address | undefined;
  /** The pool's exclusions; they may reach beyond the block. */
  readonly exclusions: IntervalSet;
  /** The pool's perNodeExclusions: indexes that count from the block's first address; they may reach beyond the block. */
  readonly indexExclusions: IntervalSet;
}

/**
 * The addresses of a network that no host may have: the network address, and for IPv4 the broadcast address. IPv6 has no
 * broadcast; its first address is the subnet-router anycast address (RFC 4291, 2.6.1). Networks of two addresses or one
 * (/31, /32: RFC 3021; /127, /128: RFC 6164) have none.
 */
export function unassignable(network: Network): readonly Interval[] {
  if (addressBits(network.family) - network.prefixLength <= 1) return [];
  const lowest = { first: network.first, last: network.first };
  return network.family === 4 ? [lowest, { first: network.last, last: network.last }] : [lowest];
}

/** The addresses of the block without network and broadcast address, gateway, exclusions and perNodeExclusions. */
export function usableAddresses(geometry: BlockGeometry): IntervalSet {
  const { block, network, gateway } = geometry;
  const taken: Interval[] = [...unassignable(network), ...geometry.exclusions.clip(block).intervals];
  for (const { first, last } of geometry.indexExclusions.intervals) {
    taken.push({ first: block.first + first, last: block.first + last });
  }
  if (gateway?.family === network.family) taken.push({ first: gateway.value, last: gateway.value });
  return IntervalSet.of(taken).gaps(block);
}

/** How many addresses of the block may be handed out dynamically (R8). Bounded by the number of exclusions. */
export function usableCount(geometry: BlockGeometry): bigint {
  return usableAddresses(geometry).count();
}
