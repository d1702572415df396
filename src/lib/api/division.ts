/** How a spec divides its network into blocks of equal size, one for each node. Pure geometry, no loop over blocks (R9). */
import {
  type Address,
  addressBits,
  type Cidr,
  type Family,
  parseAddress,
  parseCidr,
  type Range,
} from "../ip/address.ts";
import type { AppliedSpec } from "./types.ts";

/** A pool's network, cut into blocks. Block i starts at `first + i * blockSize`. */
export interface Division {
  readonly family: Family;
  /** The subnet of an IPPool, the cidr of a CIDRPool. */
  readonly network: Range & { readonly prefixLength: number };
  /** First address of the first block. */
  readonly first: bigint;
  /** Addresses of one block. */
  readonly blockSize: bigint;
  /** Number of blocks; at least 1. */
  readonly count: bigint;
  /** Length of each node's prefix; undefined for an IPPool. */
  readonly nodePrefixLength?: number;
}

/** A network as a spec writes it. */
export interface WrittenNetwork extends Cidr {
  /** Bits that lengths are counted from: 96 where an IPv4 network is written as an IPv4-mapped IPv6 one, else 0. */
  readonly lengthOffset: number;
}

/** Reads a network as net.ParseCIDR does; undefined when the text is none. */
export function parseNetwork(text: string): WrittenNetwork | undefined {
  const cidr = parseCidr(text);
  if (cidr === undefined) return undefined;
  return { ...cidr, lengthOffset: cidr.family === 4 && text.includes(":") ? 96 : 0 };
}

/** The division that a spec says; undefined when the spec is too broken to say one. */
export function divisionOf(spec: AppliedSpec): Division | undefined {
  const network = parseNetwork("cidr" in spec ? spec.cidr : spec.subnet);
  if (network === undefined) return undefined;
  return "cidr" in spec
    ? prefixDivision(network, spec.perNodeNetworkPrefix - network.lengthOffset)
    : blockDivision(network, spec.perNodeBlockSize);
}

function prefixDivision(network: Cidr, nodePrefixLength: number): Division | undefined {
  const { family, first, prefixLength } = network;
  const bits = addressBits(family);
  if (nodePrefixLength < Math.max(1, prefixLength) || nodePrefixLength > bits) return undefined;
  const blockSize = 1n << BigInt(bits - nodePrefixLength);
  return { family, network, first, blockSize, count: 1n << BigInt(nodePrefixLength - prefixLength), nodePrefixLength };
}

function blockDivision(network: Cidr, perNodeBlockSize: number): Division | undefined {
  if (!Number.isSafeInteger(perNodeBlockSize) || perNodeBlockSize < 1) return undefined;
  const { first, last } = assignable(network);
  const blockSize = BigInt(perNodeBlockSize);
  const count = (last - first + 1n) / blockSize;
  return count < 1n ? undefined : { family: network.family, network, first, blockSize, count };
}

/**
 * The addresses of a network that blocks are cut from: all of a network of one or two addresses, else all but the network
 * address and, for IPv4, the broadcast address.
 */
export function assignable(network: Range & { readonly prefixLength: number }): Range {
  const { family, first, last, prefixLength } = network;
  if (addressBits(family) - prefixLength <= 1) return { family, first, last };
  return { family, first: first + 1n, last: family === 4 ? last - 1n : last };
}

/** The block with this index. */
export function blockAt(division: Division, index: bigint): Range {
  const first = division.first + index * division.blockSize;
  return { family: division.family, first, last: first + division.blockSize - 1n };
}

/** The index of this block; undefined when it is not one of the division's blocks. */
export function indexOf(division: Division, block: Range): bigint | undefined {
  if (block.family !== division.family || block.last - block.first + 1n !== division.blockSize) return undefined;
  const offset = block.first - division.first;
  const index = offset / division.blockSize;
  return offset >= 0n && index * division.blockSize === offset && index < division.count ? index : undefined;
}

/**
 * The gateway that pods of a node with this block use by gateway or gatewayIndex. A CIDRPool's index counts from the
 * prefix's network address, which like the IPv4 broadcast address it cannot be, except in prefixes of one or two addresses.
 */
export function gatewayOf(spec: AppliedSpec, block: Range): Address | undefined {
  if (!("cidr" in spec)) return spec.gateway ? parseAddress(spec.gateway) : undefined;
  if (spec.gatewayIndex === undefined) return undefined;
  const value = block.first + BigInt(spec.gatewayIndex);
  const { first, last } = assignable(prefixOf(block));
  return value < first || value > last ? undefined : { family: block.family, value };
}

/** A range that is a whole prefix, with its length. */
export function prefixOf(block: Range): Range & { readonly prefixLength: number } {
  const hostBits = (block.last - block.first + 1n).toString(2).length - 1;
  return { ...block, prefixLength: addressBits(block.family) - hostBits };
}

/** The prefix that a text says, if it is one without host bits. */
export function parsePrefix(text: string): WrittenNetwork | undefined {
  const network = parseNetwork(text);
  return network !== undefined && network.written === network.first ? network : undefined;
}
