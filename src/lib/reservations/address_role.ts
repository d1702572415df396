/** What one address is in a pool, as this node serves it. Pure. */
import { type Address, contains } from "../ip/address.ts";
import { unassignable } from "../ip/usable.ts";
import type { NodePool } from "./pool.ts";

/** What keeps an address from being given in turn. */
export type AddressRole = "network" | "broadcast" | "gateway" | "excluded" | "excludedByIndex";

/** Where an address lies, and what it is there. */
export interface AddressPlace {
  readonly inBlock: boolean;
  /** First address of the other node's block that it lies in. */
  readonly otherBlock: Address | undefined;
  readonly roles: readonly AddressRole[];
}

/** Looks at an address of the pool's network. O(log n) in the number of blocks and exclusions. */
export function describeAddress(pool: NodePool, { family, value }: Address): AddressPlace {
  const inBlock = contains(pool.block, { family, value });
  const other = inBlock ? undefined : pool.others.firstOfBlockWith(value);
  const blockFirst = inBlock ? pool.block.first : other;
  const roles: AddressRole[] = [];
  if (unassignable(pool.network).some(({ first }) => first === value))
    roles.push(value === pool.network.first ? "network" : "broadcast");
  if (pool.gateway?.family === family && pool.gateway.value === value) roles.push("gateway");
  if (pool.exclusions.contains(value)) roles.push("excluded");
  if (blockFirst !== undefined && pool.indexExclusions.contains(value - blockFirst)) roles.push("excludedByIndex");
  return { inBlock, otherBlock: other === undefined ? undefined : { family, value: other }, roles };
}
