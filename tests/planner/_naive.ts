/** What the planner must come to, found by looking at every address: only for networks of a few dozen addresses. */
import type { Allocation, AppliedSpec } from "../../src/lib/api/types.ts";
import { parseAddress, parseCidr } from "../../src/lib/ip/address.ts";

/** The addresses of an entry as numbers. */
export function addressesOf(entry: Allocation): readonly number[] {
  if ("prefix" in entry) {
    const prefix = parseCidr(entry.prefix);
    return prefix === undefined ? [] : upTo(Number(prefix.first), Number(prefix.last));
  }
  return upTo(number(entry.startIP), number(entry.endIP));
}

/** All blocks of the spec's division, lowest first, each as its addresses. */
export function blocksOf(spec: AppliedSpec): readonly (readonly number[])[] {
  const network = parseCidr("cidr" in spec ? spec.cidr : spec.subnet);
  if (network === undefined) throw new Error("no network");
  let addresses = upTo(Number(network.first), Number(network.last));
  if (!("cidr" in spec) && addresses.length > 2) addresses = addresses.slice(1, -1);
  const size = "cidr" in spec ? 2 ** (32 - spec.perNodeNetworkPrefix) : spec.perNodeBlockSize;
  const blocks: number[][] = [];
  for (let start = 0; start + size <= addresses.length; start += size)
    blocks.push(addresses.slice(start, start + size));
  return blocks;
}

/** Whether an entry's addresses are one of the spec's blocks. */
export function isBlockOf(spec: AppliedSpec, entry: Allocation): boolean {
  const wanted = addressesOf(entry).join();
  return blocksOf(spec).some((block) => block.join() === wanted);
}

/** Whether a block has an address for a pod that asks for none; gateway, network and broadcast address are none. */
export function isUsable(spec: AppliedSpec, block: readonly number[]): boolean {
  const gateway = "cidr" in spec ? indexed(block, spec.gatewayIndex) : spec.gateway ? number(spec.gateway) : undefined;
  const hosts = "cidr" in spec && block.length > 2 ? block.slice(1, -1) : block;
  return hosts.some(
    (address) =>
      address !== gateway &&
      !(spec.exclusions ?? []).some(({ startIP, endIP }) => number(startIP) <= address && address <= number(endIP)),
  );
}

function indexed(block: readonly number[], index: number | undefined): number | undefined {
  return index === undefined ? undefined : block[index];
}

/** An IPv4 address as a number. */
export function number(text: string): number {
  return Number(parseAddress(text)?.value ?? -1n);
}

function upTo(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
