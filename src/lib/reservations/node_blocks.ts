/** The blocks of all nodes of a pool, for whoever looks at a whole cluster. Pure. */
import { specInForce } from "../api/in_force.ts";
import type { PoolObject } from "../api/types.ts";
import type { Address, Cidr } from "../ip/address.ts";
import type { IntervalSet } from "../ip/intervals.ts";
import { usableAddresses } from "../ip/usable.ts";
import { type Place, placeOf } from "./_place.ts";
import { parseSpec } from "./_spec.ts";
import { type AddressRole, rolesOf } from "./address_role.ts";

/** One node's block, as its daemon serves it. */
export interface NodeBlock extends Omit<Place, "indexed"> {
  readonly nodeName: string;
}

/** A pool's network, and who has which block of it. */
export interface NodeBlocks {
  readonly cidr: Cidr;
  /** Those that lie in the network, in the status' order. */
  readonly blocks: readonly NodeBlock[];
  /** What of a block is handed out dynamically (R8). */
  usable(block: NodeBlock): IntervalSet;
  /** What an address of the network is, in the block that has it. */
  roles(address: Address, block: NodeBlock | undefined): readonly AddressRole[];
}

/** Reads them by the spec in force (R5). @returns undefined for a pool that serves nothing. */
export function nodeBlocks(object: PoolObject): NodeBlocks | undefined {
  const spec = specInForce(object);
  if (spec === undefined) return undefined;
  const parsed = parseSpec(spec);
  const { cidr, exclusions, indexExclusions } = parsed;
  const blocks = (object.status?.allocations ?? []).flatMap((allocation): readonly NodeBlock[] => {
    const place = placeOf(allocation, parsed);
    if (!place.ok) return [];
    const { network, block, gateway } = place.value;
    return [{ nodeName: allocation.nodeName, network, block, gateway }];
  });
  const usable = ({ block, network, gateway }: NodeBlock): IntervalSet =>
    usableAddresses({ block, network, gateway, exclusions, indexExclusions });
  // Outside all blocks of a CIDRPool nobody says which prefix an address is of.
  const whole = object.kind === "IPPool" ? cidr : undefined;
  const roles = (address: Address, block: NodeBlock | undefined): readonly AddressRole[] => {
    const { network, gateway } = block ?? { network: whole, gateway: parsed.gateway };
    return rolesOf({ network, gateway, exclusions, indexExclusions }, address, block?.block.first);
  };
  return { cidr, blocks, usable, roles };
}
