/** What one address is in a pool, as this node serves it. Pure. */
import { type Address, contains } from "../ip/address.ts";
import { unassignable } from "../ip/usable.ts";
import type { NodePool } from "./pool.ts";

/** What keeps an address from being given in turn. */
export type AddressRole = "network" | "broadcast" | "gateway" | "excluded" | "excludedByIndex";

/** What takes addresses out of a block, and the network that it is part of; undefined where nobody's block says which. */
export interface Surroundings extends Pick<NodePool, "gateway" | "exclusions" | "indexExclusions"> {
  readonly network: NodePool["network"] | undefined;
}

/**
 * What an address of the network is there.
 *
 * @param blockFirst first address of the block that has it, whosever that is.
 */
export function rolesOf(
  { network, gateway, exclusions, indexExclusions }: Surroundings,
  { family, value }: Address,
  blockFirst: bigint | undefined,
): readonly AddressRole[] {
  const roles: AddressRole[] = [];
  if (network !== undefined && unassignable(network).some(({ first }) => first === value))
    roles.push(value === network.first ? "network" : "broadcast");
  if (gateway?.family === family && gateway.value === value) roles.push("gateway");
  if (exclusions.contains(value)) roles.push("excluded");
  if (blockFirst !== undefined && indexExclusions.contains(value - blockFirst)) roles.push("excludedByIndex");
  return roles;
}

/** Where an address lies, and what it is there. */
export interface AddressPlace {
  readonly inBlock: boolean;
  /** First address of the other node's block that it lies in. */
  readonly otherBlock: Address | undefined;
  readonly roles: readonly AddressRole[];
}

/** Looks at an address of the pool's network. O(log n) in the number of blocks and exclusions. */
export function describeAddress(pool: NodePool, address: Address): AddressPlace {
  const inBlock = contains(pool.block, address);
  const other = inBlock ? undefined : pool.others.firstOfBlockWith(address.value);
  const roles = rolesOf(pool, address, inBlock ? pool.block.first : other);
  return { inBlock, otherBlock: other === undefined ? undefined : { family: address.family, value: other }, roles };
}
