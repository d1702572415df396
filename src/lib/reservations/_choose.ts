/** Which address a pool gives to a request that holds none there yet. */
import { type Address, contains, formatAddress, formatCidr, formatRange, sameAddress } from "../ip/address.ts";
import { nextFree } from "../ip/search.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Occupancy } from "./_occupancy.ts";
import { type AddressRole, describeAddress } from "./address_role.ts";
import type { NodePool } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import type { How, PoolID, Reservation } from "./reservation.ts";

/** How an address is to be chosen: the next free one, the gateway's own, or the one with an index in the node's block. */
export type Choice =
  | { readonly type: "next" }
  | { readonly type: "gateway" }
  | { readonly type: "index"; readonly index: number };

/** An address for the request, and whom it is taken from: an earlier sandbox of the same pod that was never deleted. */
export interface Chosen {
  readonly address: Address;
  readonly how: How;
  readonly takenFrom: Reservation | undefined;
}

/** What choosing needs to know. */
export interface Circumstances {
  readonly pool: NodePool;
  readonly occupancy: Occupancy;
  /** What other containers hold for the same pod's interface, in any pool. */
  readonly abandoned: () => readonly Reservation[];
  readonly allowStaticInOtherBlocks: boolean;
  /** What the request gets from its other pool already: pools may share addresses, but one answer has none twice (R1). */
  readonly sibling: { readonly pool: PoolID; readonly address: Address } | undefined;
}

/** A pool as messages name it. */
export function poolText({ kind, name }: Pick<PoolID, "kind" | "name">): string {
  return `${kind} "${name}"`;
}

/** Chooses by the request's rule, where no address was asked for by name. */
export function choose(choice: Choice, circumstances: Circumstances): Result<Chosen, Refusal> {
  switch (choice.type) {
    case "next":
      return chooseNext(circumstances);
    case "gateway":
      return chooseGateway(circumstances);
    case "index":
      return chooseIndex(choice.index, circumstances);
  }
}

/** The address that was asked for by name (R10). It belongs to the pool's network. */
export function chooseStatic(address: Address, circumstances: Circumstances): Result<Chosen, Refusal> {
  const { pool, allowStaticInOtherBlocks } = circumstances;
  const { otherBlock, roles } = describeAddress(pool, address);
  const unassignable = unassignableRole(roles);
  if (unassignable !== undefined) return fail(unassignableAddress(pool, address, unassignable));
  // The gateway and what is excluded are nobody's to give in turn.
  if (otherBlock !== undefined && roles.length === 0 && !allowStaticInOtherBlocks) {
    return fail({
      status: "InvalidArgument",
      message: `${poolText(pool.id)}: ${formatAddress(address)} lies in the block of another node that begins at ${formatAddress(otherBlock)}; exclude it from the pool, ask for another address, or start the node daemons with --allow-static-ip-in-other-blocks`,
    });
  }
  return take(address, "static", circumstances);
}

function chooseNext(circumstances: Circumstances): Result<Chosen, Refusal> {
  const { pool, occupancy, abandoned } = circumstances;
  const { family } = pool.network;
  const free = nextOther(circumstances);
  if (free !== undefined) return ok({ address: { family, value: free }, how: "dynamic", takenFrom: undefined });
  for (const takenFrom of abandoned()) {
    const address = isOf(pool, takenFrom)
      ? takenFrom.addresses.find(
          (each) => isUsable(pool, each) && !occupancy.isInConflict(each) && !isSiblings(each, circumstances),
        )
      : undefined;
    if (address !== undefined) return ok({ address, how: "dynamic", takenFrom });
  }
  return fail(exhausted(circumstances));
}

/**
 * The next free address in turn that does not rest and that the request does not get from its other pool; where all others
 * rest, the one of them that was released first.
 */
function nextOther(circumstances: Circumstances): bigint | undefined {
  const { pool, occupancy } = circumstances;
  const { family } = pool.network;
  const taken = occupancy.taken(family);
  const resting = occupancy.resting(family);
  const cursor = occupancy.cursor?.family === family ? occupancy.cursor.value : undefined;
  const isOther = (value: bigint): boolean => !isSiblings({ family, value }, circumstances);
  const first = nextFree(pool.usable, taken, cursor);
  let free = first;
  while (free !== undefined) {
    if (!resting.has(free) && isOther(free)) return free;
    free = nextFree(pool.usable, taken, free);
    if (free === first) break;
  }
  return [...resting].find((value) => isUsable(pool, { family, value }) && isOther(value));
}

function isSiblings(address: Address, { sibling }: Circumstances): boolean {
  return sibling !== undefined && sameAddress(sibling.address, address);
}

function chooseGateway(circumstances: Circumstances): Result<Chosen, Refusal> {
  const { pool } = circumstances;
  if (pool.gateway === undefined) {
    return fail({
      status: "InvalidArgument",
      message: `${poolText(pool.id)} has no gateway on this node, so allocateDefaultGateway cannot be used with it; give the pool a gateway or name another pool`,
    });
  }
  return take(pool.gateway, "gateway", circumstances);
}

function chooseIndex(index: number, circumstances: Circumstances): Result<Chosen, Refusal> {
  const { pool } = circumstances;
  const address = addressWithIndex(pool, index);
  if (address === undefined) {
    return fail({
      status: "InvalidArgument",
      message: `${poolText(pool.id)}: index ${index} is outside this node's block ${blockText(pool)}; indexes go from 0 to ${pool.indexed.last - pool.indexed.first}`,
    });
  }
  const { roles } = describeAddress(pool, address);
  const unassignable = unassignableRole(roles);
  if (unassignable !== undefined) return fail(unassignableAddress(pool, address, unassignable));
  if (roles.includes("gateway")) {
    return fail({
      status: "InvalidArgument",
      message: `${poolText(pool.id)}: index ${index} is the gateway ${formatAddress(address)}; use allocateDefaultGateway for it, or another index`,
    });
  }
  return take(address, "index", circumstances);
}

/** The address with the index in the node's block; undefined when it is outside. */
export function addressWithIndex(pool: NodePool, index: number): Address | undefined {
  const value = pool.indexed.first + BigInt(index);
  return index >= 0 && value <= pool.indexed.last ? { family: pool.network.family, value } : undefined;
}

/** One certain address, or the refusal that it is taken. */
function take(address: Address, how: How, circumstances: Circumstances): Result<Chosen, Refusal> {
  const { pool, occupancy, abandoned, sibling } = circumstances;
  if (sibling !== undefined && isSiblings(address, circumstances)) {
    return fail({
      status: "InvalidArgument",
      message: `${formatAddress(address)} would be given twice, by ${poolText(sibling.pool)} and by ${poolText(pool.id)}, whose ranges overlap; name one of them, or pools that share no addresses`,
    });
  }
  if (!occupancy.isTaken(address)) return ok({ address, how, takenFrom: undefined });
  // A single address is exhausted by its one holder; the pod's own earlier sandbox must not keep the pod from coming back.
  const takenFrom = abandoned().find(
    (reservation) => isOf(pool, reservation) && reservation.addresses.some((each) => sameAddress(each, address)),
  );
  if (takenFrom !== undefined && !occupancy.isInConflict(address)) return ok({ address, how, takenFrom });
  return fail({
    status: "ResourceExhausted",
    message: `${poolText(pool.id)}: ${formatAddress(address)} is already reserved on this node; "nv-ipam inspect reservations" shows for whom. Delete that pod or ask for another address`,
  });
}

function exhausted(circumstances: Circumstances): Refusal {
  const { pool, sibling } = circumstances;
  const total = pool.block.last - pool.block.first + 1n;
  const block = `this node's block ${blockText(pool)}`;
  const isShared = sibling !== undefined && isUsable(pool, sibling.address);
  const but = isShared
    ? ` but ${formatAddress(sibling.address)}, which ${poolText(sibling.pool)} gives to the same interface`
    : "";
  const why =
    pool.usableCount === 0n
      ? `${block} has no usable address: ${total === 1n ? "its only one is" : `all ${total} are`} excluded, the gateway, or the network's own; change the pool's exclusions`
      : pool.usableCount === 1n
        ? `no free address in ${block}: its only usable address ${isShared ? `is the one that ${poolText(sibling.pool)} gives to the same interface` : "is reserved"}; delete pods on this node`
        : `no free address in ${block}: all ${pool.usableCount} usable of its ${total} addresses are reserved${but}; delete pods on this node`;
  const wider = pool.id.kind === "IPPool" ? "perNodeBlockSize" : "perNodeNetworkPrefix";
  return {
    status: "ResourceExhausted",
    message: `${poolText(pool.id)}: ${why}, or make a pool with larger blocks (${wider})`,
  };
}

/** What makes an address one that no host may have. */
function unassignableRole(roles: readonly AddressRole[]): AddressRole | undefined {
  return roles.find((role) => role === "network" || role === "broadcast");
}

function unassignableAddress(pool: NodePool, address: Address, role: AddressRole): Refusal {
  return {
    status: "InvalidArgument",
    message: `${poolText(pool.id)}: ${formatAddress(address)} is the ${role} address of ${formatCidr(pool.network)}; ask for another address`,
  };
}

function isUsable(pool: NodePool, address: Address): boolean {
  return contains(pool.block, address) && pool.usable.contains(address.value);
}

function isOf(pool: NodePool, reservation: Reservation): boolean {
  return reservation.pool.kind === pool.id.kind && reservation.pool.name === pool.id.name;
}

/** This node's block as messages show it. */
export function blockText({ block }: NodePool): string {
  return formatRange(block);
}
