/** Which pools an address in use belongs to, and how it was chosen. Pure. */
import type { CachedAttachment } from "../cni/cached_attachment.ts";
import { type Address, contains, parseAddress, parseCidr, sameAddress } from "../ip/address.ts";
import type { NodePool, PoolOnNode } from "../reservations/pool.ts";
import type { How, PoolID } from "../reservations/reservation.ts";

/** A pool that an address is taken from. */
export interface Claim {
  /** Without a UID: the pool may have been made anew since. */
  readonly pool: PoolID;
  readonly how: How;
}

/**
 * The pools of an address of an attachment whose config is known: of those that it names the one whose block has the address,
 * else the one whose network has it. Where none has, all whose block has it; where there are none either, each pool that it
 * names and that is gone, as nobody knows which of them it was: the address is not given again should the pool come back.
 */
export function claimsOfAttachment(
  { request }: Pick<CachedAttachment, "request">,
  address: Address,
  pools: readonly PoolOnNode[],
): readonly Claim[] {
  const { poolKind: kind, pools: names } = request;
  const named = names.flatMap((name) => pools.find(({ id }) => id.kind === kind && id.name === name) ?? []);
  const pool = named.find((each) => blockHas(each, address)) ?? named.find((each) => networkHas(each, address));
  const how = howAsked(request, address);
  if (pool !== undefined) return [claimOf(pool, how)];
  const others = pools.filter((each) => holds(each, address));
  if (others.length > 0) return others.map((each) => claimOf(each, how));
  const gone = names.filter((name) => named.every(({ id }) => id.name !== name));
  return gone.map((name) => ({ pool: { kind, name, uid: "" }, how }));
}

/** The pools of an address that a pod says it has: those whose block has it, or that exclude it. */
export function claimsOfPod(address: Address, pools: readonly PoolOnNode[]): readonly Claim[] {
  return pools.flatMap((each) =>
    each.state === "ready" && holds(each, address) ? [claimOf(each, howLooks(each.pool, address))] : [],
  );
}

function claimOf({ id: { kind, name } }: PoolOnNode, how: How): Claim {
  return { pool: { kind, name, uid: "" }, how };
}

function blockHas(pool: PoolOnNode, address: Address): boolean {
  return pool.state === "ready" && contains(pool.pool.block, address);
}

/** Whether this node may have given the address without its block having it: an excluded one, by name. */
function holds(pool: PoolOnNode, address: Address): boolean {
  if (blockHas(pool, address)) return true;
  if (pool.state !== "ready") return false;
  const { network, exclusions } = pool.pool;
  return contains(network, address) && exclusions.contains(address.value);
}

/** Whether the address is the pool's: also where this node's block was moved or taken since. */
function networkHas({ cidr }: PoolOnNode, address: Address): boolean {
  const network = parseCidr(cidr);
  return network !== undefined && contains(network, address);
}

function howAsked({ addresses, ...request }: CachedAttachment["request"], address: Address): How {
  if (addresses.some((each) => isSame(parseAddress(each), address))) return "static";
  if (request.allocateDefaultGateway) return "gateway";
  return request.allocateIPWithIndex === undefined ? "adopted" : "index";
}

function isSame(a: Address | undefined, b: Address): boolean {
  return a !== undefined && sameAddress(a, b);
}

/** What is not given in turn was asked for. */
function howLooks({ gateway, block, usable }: NodePool, address: Address): How {
  if (isSame(gateway, address)) return "gateway";
  return contains(block, address) && usable.contains(address.value) ? "adopted" : "static";
}
