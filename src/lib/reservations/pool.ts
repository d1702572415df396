/**
 * A pool made ready for one node: everything that a request needs of it is computed once, when the pool changes, and never
 * per request. Pure.
 */
import { formatFieldErrors } from "../api/field_error.ts";
import { specInForce, toAppliedSpec } from "../api/in_force.ts";
import { readAllocations } from "../api/parse.ts";
import type { Allocation, PoolObject } from "../api/types.ts";
import { validateSpec } from "../api/validate.ts";
import { type Address, type Cidr, type Family, formatAddress, formatCidr, type Range } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { usableAddresses } from "../ip/usable.ts";
import { type Place, parseBlock, placeOf } from "./_place.ts";
import { cidrText, type ParsedSpec, parseSpec, writtenCidr } from "./_spec.ts";
import { BlockTable } from "./blocks.ts";
import type { PoolID } from "./reservation.ts";

/** A pool that has a block for this node, ready to be reserved from. */
export interface NodePool {
  readonly id: PoolID;
  /**
   * The network that addresses are given with: the subnet of an IPPool, the node's own prefix of a CIDRPool. Its
   * prefixLength belongs into the answer, and any address of it may be asked for by name (but see R10).
   */
  readonly network: Cidr;
  /** This node's block or prefix. */
  readonly block: Range;
  readonly gateway: Address | undefined;
  /** The pool's exclusions, and its perNodeExclusions as indexes that count from the first address of a node's block. */
  readonly exclusions: IntervalSet;
  readonly indexExclusions: IntervalSet;
  /** What of the block is handed out dynamically, and how many addresses that is (R8). */
  readonly usable: IntervalSet;
  readonly usableCount: bigint;
  /** What an index of a request counts: the block of an IPPool, the prefix of a CIDRPool without its network and broadcast address. */
  readonly indexed: Interval;
  /** Destinations of the answer's routes, in canonical text and in order; none when there is no gateway. */
  readonly routes: readonly string[];
  /** Other nodes' blocks (R10); empty for a CIDRPool, where only the node's own prefix may be asked from. */
  readonly others: BlockTable;
  /** The configuration as the original's store keeps it: JSON text. */
  readonly config: string;
}

/** What a pool is on this node: ready, without a block for the node, or not to be served at all. */
export type PoolOnNode = {
  readonly id: PoolID;
  /** The pool's whole network as its spec in force writes it. */
  readonly cidr: string;
  /** Equal texts mean an equal share: what concerns this node has not changed. */
  readonly share: string;
} & (
  | { readonly state: "ready"; readonly pool: NodePool }
  /** `reason` is a sentence for people. */
  | { readonly state: "no-block"; readonly reason: string }
  | { readonly state: "invalid"; readonly reason: string }
);

/**
 * Makes a pool ready for the node. The spec in force is status.appliedSpec, or spec where there is none (R5).
 *
 * @param previous what this function gave for the pool before. When nothing that concerns this node has changed since,
 *   all of it is used again; only the table of other nodes' blocks is made anew.
 * @param written all of status.allocations as JSON text, for an object that has only this node's entries.
 */
export function poolOnNode(object: PoolObject, nodeName: string, previous?: PoolOnNode, written?: string): PoolOnNode {
  const spec = specInForce(object);
  const allocations: readonly Allocation[] = object.status?.allocations ?? [];
  const own = allocations.find((allocation) => allocation.nodeName === nodeName);
  const id: PoolID = { kind: object.kind, name: object.metadata.name, uid: object.metadata.uid ?? "" };
  if (spec === undefined) {
    const errors = "unreadable" in object ? object.unreadable : validateSpec(object.spec).errors;
    const reason = `the spec is invalid: ${formatFieldErrors(errors)}`;
    return { state: "invalid", id, cidr: writtenCidr(object), share: reason, reason };
  }
  const share = JSON.stringify([id, toAppliedSpec(spec), own]);
  const others = (family: Family): BlockTable => {
    if (object.kind === "CIDRPool") return BlockTable.none;
    const text = written ?? JSON.stringify(allocations);
    return BlockTable.lazy(family, () => readOthers(text, nodeName, family));
  };
  if (previous?.share === share) return withOthers(previous, others);
  const base = { id, cidr: cidrText(spec), share };
  if (own === undefined) return { ...base, state: "no-block", reason: `the pool has no block for node "${nodeName}"` };
  const parsed = parseSpec(spec);
  const place = placeOf(own, parsed);
  if (!place.ok) return { ...base, state: "invalid", reason: place.error };
  return { ...base, state: "ready", pool: nodePool(id, parsed, place.value, others(parsed.cidr.family)) };
}

/** The same as before but for other nodes' blocks. */
function withOthers(previous: PoolOnNode, others: (family: Family) => BlockTable): PoolOnNode {
  if (previous.state !== "ready" || previous.id.kind === "CIDRPool") return previous;
  const { pool } = previous;
  return { ...previous, pool: { ...pool, others: others(pool.network.family) } };
}

function nodePool(id: PoolID, spec: ParsedSpec, place: Place, others: BlockTable): NodePool {
  const { network, block, gateway, indexed } = place;
  const { exclusions, indexExclusions } = spec;
  const usable = usableAddresses({ block, network, gateway, exclusions, indexExclusions });
  return {
    id,
    network,
    block,
    gateway,
    exclusions,
    indexExclusions,
    usable,
    usableCount: usable.count(),
    indexed,
    routes: gateway === undefined ? [] : spec.routes,
    others,
    config: storedConfig(spec, place),
  };
}

/** The members and their order are the original's. */
function storedConfig(spec: ParsedSpec, { network, block, gateway, indexed }: Place): string {
  const text = (value: bigint): string => formatAddress({ family: network.family, value });
  const byIndex = spec.indexExclusions.clip({ first: 0n, last: block.last - block.first }).intervals;
  const excluded = IntervalSet.of([
    ...spec.exclusions.clip(network).intervals,
    ...byIndex.map(({ first, last }) => ({ first: block.first + first, last: block.first + last })),
  ]);
  return JSON.stringify({
    subnet: formatCidr(network),
    startIP: text(indexed.first),
    endIP: text(indexed.last),
    gateway: gateway === undefined ? "" : formatAddress(gateway),
    exclusions: excluded.intervals.map(({ first, last }) => ({ startIP: text(first), endIP: text(last) })),
    routes: spec.writtenRoutes.map((dst) => ({ dst })),
    defaultGateway: spec.defaultGateway,
  });
}

/**
 * The text is kept until a request asks for it: to take in a change of other nodes' blocks costs next to nothing. Entries that
 * cannot be read protect nothing: the controller repairs them (R5).
 */
function readOthers(written: string, nodeName: string, family: Family): readonly Interval[] {
  const blocks: Interval[] = [];
  for (const entry of readAllocations("IPPool", written)) {
    const block = entry.nodeName === nodeName || "prefix" in entry ? undefined : parseBlock(entry);
    if (block?.family === family) blocks.push(block);
  }
  return blocks;
}
