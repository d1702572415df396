/** Where a node's addresses of a pool lie, from its entry in status.allocations. */
import { assignable } from "../api/division.ts";
import type { Allocation, CIDRPoolAllocation, IPPoolAllocation } from "../api/types.ts";
import { type Address, type Cidr, formatCidr, parseAddress, parseCidr, type Range } from "../ip/address.ts";
import type { Interval } from "../ip/intervals.ts";
import { fail, ok, type Result } from "../result.ts";
import type { ParsedSpec } from "./_spec.ts";

/** Where this node's addresses lie. */
export interface Place {
  /** See NodePool.network. */
  readonly network: Cidr;
  readonly block: Range;
  readonly gateway: Address | undefined;
  /** See NodePool.indexed; the original's store writes it as the block. */
  readonly indexed: Interval;
}

/** Reads the node's entry. It need not be aligned to the pool's division. The error is a sentence. */
export function placeOf(own: Allocation, spec: ParsedSpec): Result<Place, string> {
  return "prefix" in own ? placeOfPrefix(own, spec) : placeOfBlock(own, spec);
}

/** Reads the block of an IPPool's entry; undefined when it is none. */
export function parseBlock({ startIP, endIP }: Omit<IPPoolAllocation, "nodeName">): Range | undefined {
  const first = parseAddress(startIP);
  const last = parseAddress(endIP);
  if (first === undefined || last?.family !== first.family || first.value > last.value) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

function placeOfBlock(own: IPPoolAllocation, { cidr, gateway }: ParsedSpec): Result<Place, string> {
  const block = parseBlock(own);
  if (!isWithin(block, cidr)) return unfit(own.nodeName, `${own.startIP}-${own.endIP}`, cidr);
  return ok({ network: cidr, block, gateway, indexed: block });
}

function placeOfPrefix(own: CIDRPoolAllocation, { cidr }: ParsedSpec): Result<Place, string> {
  const prefix = parseCidr(own.prefix);
  if (!isWithin(prefix, cidr)) return unfit(own.nodeName, own.prefix, cidr);
  const gateway = parseAddress(own.gateway ?? "");
  if (own.gateway && gateway?.family !== prefix.family) {
    return fail(
      `the gateway "${own.gateway}" of node "${own.nodeName}" in status.allocations is no IPv${prefix.family} address`,
    );
  }
  return ok({ network: prefix, block: prefix, gateway, indexed: assignable(prefix) });
}

function isWithin<R extends Range>(block: R | undefined, cidr: Cidr): block is R {
  return block?.family === cidr.family && cidr.first <= block.first && block.last <= cidr.last;
}

function unfit(nodeName: string, text: string, cidr: Cidr): Result<never, string> {
  return fail(
    `the block "${text}" of node "${nodeName}" in status.allocations does not lie in ${formatCidr(cidr)}; the controller has to deal it anew`,
  );
}
