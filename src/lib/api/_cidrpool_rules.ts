/** The rules of a CIDRPool's spec. */
import { addressBits, contains, formatCidr, prefixRange } from "../ip/address.ts";
import {
  checkAddress,
  checkExclusions,
  checkGatewayUsers,
  checkIndexExclusions,
  checkRoutes,
  type Findings,
  type NamedNetwork,
} from "./_common_rules.ts";
import { assignable, parseNetwork, prefixOf, type WrittenNetwork } from "./division.ts";
import type { CIDRPoolSpec, StaticAllocation } from "./types.ts";

type Spec = Omit<CIDRPoolSpec, "nodeSelector">;

/** Checks every member but the nodeSelector. */
export function checkCIDRPoolSpec(spec: Spec, findings: Findings): void {
  const network = checkNetwork(spec.cidr, findings);
  if (network !== undefined) {
    const named = { ...network, text: formatCidr(network) };
    const length = checkPrefixLength(spec.perNodeNetworkPrefix, network, findings);
    if (length !== undefined) {
      checkGatewayIndex(spec.gatewayIndex, network, length, findings);
      checkIndexExclusions(spec.perNodeExclusions ?? [], 1n << BigInt(addressBits(network.family) - length), findings);
    }
    checkExclusions(spec.exclusions ?? [], named, findings);
    checkStaticAllocations(spec.staticAllocations ?? [], named, length, findings);
  }
  checkRoutes(spec.routes ?? [], network, spec.defaultGateway ?? false, findings);
  checkGatewayUsers(spec, spec.gatewayIndex !== undefined, "gatewayIndex", findings);
}

function checkNetwork(cidr: string, { errors, warnings }: Findings): WrittenNetwork | undefined {
  const network = parseNetwork(cidr);
  if (network === undefined) {
    errors.add("spec.cidr", cidr, "must be a network in CIDR notation, such as 192.168.0.0/16");
    return undefined;
  }
  if (network.written !== network.first) {
    errors.add("spec.cidr", cidr, `must have no host bits set; write ${formatCidr(network)}`);
    return undefined;
  }
  if (network.lengthOffset > 0) {
    warnings.add(
      "spec.cidr",
      cidr,
      `is an IPv4 network written as an IPv6 one; it is taken for ${formatCidr(network)}`,
    );
  }
  return network;
}

/** @returns the length counted on the family's own number of bits. */
function checkPrefixLength(written: number, network: WrittenNetwork, { errors }: Findings): number | undefined {
  const offset = network.lengthOffset;
  const least = Math.max(1, network.prefixLength + offset);
  const most = addressBits(network.family) + offset;
  if (written < least || written > most) {
    errors.add(
      "spec.perNodeNetworkPrefix",
      written,
      `must be from ${least} to ${most} for a pool of ${formatCidr(network)}`,
    );
    return undefined;
  }
  return written - offset;
}

function checkGatewayIndex(
  index: number | undefined,
  network: WrittenNetwork,
  length: number,
  { errors }: Findings,
): void {
  if (index === undefined) return;
  const block = prefixRange({ family: network.family, value: network.first }, length);
  const hosts = assignable({ ...block, prefixLength: length });
  const least = hosts.first - block.first;
  const most = hosts.last - block.first;
  if (BigInt(index) < least || BigInt(index) > most) {
    errors.add(
      "spec.gatewayIndex",
      index,
      `must be from ${least} to ${most}, an address for hosts in each node's /${length} prefix`,
    );
  }
}

/** @param length of each node's prefix; undefined when it is wrong itself. */
function checkStaticAllocations(
  items: readonly StaticAllocation[],
  network: WrittenNetwork & NamedNetwork,
  length: number | undefined,
  findings: Findings,
): void {
  const { errors } = findings;
  const nodes = new Map<string, number>();
  const prefixes = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const path = `spec.staticAllocations[${index}]`;
    if (item.nodeName) {
      const earlier = nodes.get(item.nodeName);
      if (earlier === undefined) nodes.set(item.nodeName, index);
      else
        errors.add(
          `${path}.nodeName`,
          item.nodeName,
          `must be named once; staticAllocations[${earlier}] is for it too`,
        );
    }
    const prefix = checkStaticPrefix(item, path, network, length, findings);
    if (prefix === undefined) continue;
    const key = formatCidr(prefix);
    const earlier = prefixes.get(key);
    if (earlier === undefined) prefixes.set(key, index);
    else
      errors.add(`${path}.prefix`, item.prefix, `must be set aside once; staticAllocations[${earlier}] is ${key} too`);
  }
}

function checkStaticPrefix(
  item: StaticAllocation,
  path: string,
  network: WrittenNetwork & NamedNetwork,
  length: number | undefined,
  findings: Findings,
): WrittenNetwork | undefined {
  const { errors, warnings } = findings;
  const prefix = parseNetwork(item.prefix);
  if (prefix === undefined) {
    errors.add(`${path}.prefix`, item.prefix, "must be a network in CIDR notation, such as 192.168.33.0/24");
    return undefined;
  }
  if (prefix.written !== prefix.first) {
    errors.add(`${path}.prefix`, item.prefix, `must have no host bits set; write ${formatCidr(prefix)}`);
    return undefined;
  }
  if (!contains(network, { family: prefix.family, value: prefix.first })) {
    errors.add(`${path}.prefix`, item.prefix, `must lie in ${network.text}`);
  } else if (prefix.lengthOffset !== network.lengthOffset) {
    errors.add(`${path}.prefix`, item.prefix, "must be written as an address of the same family as spec.cidr");
  } else if (length !== undefined && prefix.prefixLength !== length) {
    errors.add(
      `${path}.prefix`,
      item.prefix,
      `must be a /${length + prefix.lengthOffset}, as spec.perNodeNetworkPrefix says`,
    );
  } else if (item.gateway) {
    const gateway = checkAddress(item.gateway, `${path}.gateway`, { ...prefix, text: formatCidr(prefix) }, findings);
    const hosts = assignable(prefixOf({ family: prefix.family, first: prefix.first, last: prefix.last }));
    if (gateway !== undefined && (gateway.value < hosts.first || gateway.value > hosts.last)) {
      warnings.add(`${path}.gateway`, item.gateway, `is no host's address in ${formatCidr(prefix)}`);
    }
  }
  return prefix;
}
