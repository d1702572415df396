/** Entries of status.allocations and what they say: whose block from which address to which. */
import { type Division, gatewayOf, parsePrefix } from "../api/division.ts";
import type { Allocation, AppliedSpec, CIDRPoolAllocation } from "../api/types.ts";
import { type Address, formatAddress, formatCidr, parseAddress, type Range } from "../ip/address.ts";

/** A block that a node holds, or held. */
export interface Held<A extends Allocation = Allocation> {
  readonly nodeName: string;
  readonly block: Range;
  readonly entry: A;
}

/** A prefix that the spec sets aside, for a node or for none. */
export interface StaticBlock {
  /** "" when the prefix is for no node. */
  readonly nodeName: string;
  readonly block: Range;
  /** As the spec writes it, which is how the entry writes it too. */
  readonly prefix: string;
  readonly gateway?: Address;
  /** As the spec writes it; "" when the gateway follows from gatewayIndex. */
  readonly gatewayText: string;
}

/** Reads entries, leaving out those that say no block. */
export function readEntries<A extends Allocation>(entries: readonly A[]): Held<A>[] {
  const held: Held<A>[] = [];
  for (const entry of entries) {
    const block = readBlock(entry);
    if (block !== undefined) held.push({ nodeName: entry.nodeName, block, entry });
  }
  return held;
}

function readBlock(entry: Allocation): Range | undefined {
  if ("prefix" in entry) {
    const prefix = parsePrefix(entry.prefix);
    return prefix && { family: prefix.family, first: prefix.first, last: prefix.last };
  }
  const start = parseAddress(entry.startIP);
  const end = parseAddress(entry.endIP);
  if (start === undefined || end === undefined || start.family !== end.family || start.value > end.value)
    return undefined;
  return { family: start.family, first: start.value, last: end.value };
}

/** The entry that gives the node a block of the division. */
export function writeEntry(spec: AppliedSpec, division: Division, nodeName: string, block: Range): Allocation {
  const { family } = block;
  const { nodePrefixLength: prefixLength } = division;
  if (prefixLength === undefined) {
    return {
      nodeName,
      startIP: formatAddress({ family, value: block.first }),
      endIP: formatAddress({ family, value: block.last }),
    };
  }
  const prefix = formatCidr({ family, first: block.first, prefixLength });
  return withGateway({ nodeName, prefix }, gatewayTextOf(spec, block));
}

/** The entry that gives a node its static allocation. */
export function writeStaticEntry(spec: AppliedSpec, { nodeName, block, prefix, gatewayText }: StaticBlock): Allocation {
  return withGateway({ nodeName, prefix }, gatewayText || gatewayTextOf(spec, block));
}

/** The same entry with the gateway that the spec says now. */
export function withPresentGateway(spec: AppliedSpec, held: Held): Allocation {
  const { entry, block } = held;
  if (!("prefix" in entry)) return entry;
  const gateway = gatewayTextOf(spec, block);
  if ((entry.gateway ?? "") === gateway) return entry;
  return withGateway({ nodeName: entry.nodeName, prefix: entry.prefix }, gateway);
}

function gatewayTextOf(spec: AppliedSpec, block: Range): string {
  const gateway = gatewayOf(spec, block);
  return gateway === undefined ? "" : formatAddress(gateway);
}

function withGateway(entry: CIDRPoolAllocation, gateway: string): CIDRPoolAllocation {
  return gateway === "" ? entry : { ...entry, gateway };
}

/** What a valid spec sets aside. */
export function staticBlocksOf(spec: AppliedSpec): readonly StaticBlock[] {
  if (!("cidr" in spec)) return [];
  return (spec.staticAllocations ?? []).flatMap(({ nodeName = "", prefix, gateway: gatewayText = "" }) => {
    const parsed = parsePrefix(prefix);
    if (parsed === undefined) return [];
    const block = { family: parsed.family, first: parsed.first, last: parsed.last };
    const gateway = gatewayText === "" ? undefined : parseAddress(gatewayText);
    return { nodeName, block, prefix, gatewayText, ...(gateway && { gateway }) };
  });
}

/** Whether two entries say the same. */
export function sameEntry(a: Allocation, b: Allocation): boolean {
  if (a === b) return true;
  if (a.nodeName !== b.nodeName) return false;
  if ("prefix" in a) return "prefix" in b && a.prefix === b.prefix && a.gateway === b.gateway;
  return "startIP" in b && a.startIP === b.startIP && a.endIP === b.endIP;
}

/** Whether two lists of entries say the same in the same order. */
export function sameEntries(a: readonly Allocation[], b: readonly Allocation[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    const one = a[index];
    const other = b[index];
    if (one === undefined || other === undefined || !sameEntry(one, other)) return false;
  }
  return true;
}

/** The entry's block as people write it: `10.10.0.1-10.10.0.8`, `10.10.1.0/24`. */
export function blockText(entry: Allocation): string {
  return "prefix" in entry ? entry.prefix : `${entry.startIP}-${entry.endIP}`;
}

/** Whether two ranges are the same one. */
export function sameRange(a: Range, b: Range): boolean {
  return a.family === b.family && a.first === b.first && a.last === b.last;
}
