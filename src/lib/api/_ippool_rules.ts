/** The rules of an IPPool's spec. */
import { formatAddress, formatCidr } from "../ip/address.ts";
import {
  checkAddress,
  checkExclusions,
  checkGatewayUsers,
  checkIndexExclusions,
  checkRoutes,
  type Findings,
} from "./_common_rules.ts";
import { assignable, parseNetwork, type WrittenNetwork } from "./division.ts";
import type { IPPoolSpec } from "./types.ts";

/** Checks every member but the nodeSelector. */
export function checkIPPoolSpec(spec: Omit<IPPoolSpec, "nodeSelector">, findings: Findings): void {
  const { errors } = findings;
  const network = parseNetwork(spec.subnet);
  if (network === undefined) {
    errors.add("spec.subnet", spec.subnet, "must be a network in CIDR notation, such as 192.168.0.0/16");
  } else {
    checkSpelling(spec.subnet, network, findings);
  }
  if (spec.perNodeBlockSize < 1) {
    errors.add("spec.perNodeBlockSize", spec.perNodeBlockSize, "must be at least 1");
  } else if (network !== undefined) {
    checkBlockFits(spec.perNodeBlockSize, network, findings);
  }
  const named = network && { ...network, text: formatCidr(network) };
  if (spec.gateway) {
    const gateway = checkAddress(spec.gateway, "spec.gateway", named, findings);
    if (network && gateway && !isAssignable(network, gateway.value)) {
      findings.warnings.add("spec.gateway", spec.gateway, `is no host's address in ${formatCidr(network)}`);
    }
  }
  if (named !== undefined) checkExclusions(spec.exclusions ?? [], named, findings);
  if (spec.perNodeBlockSize >= 1) {
    checkIndexExclusions(spec.perNodeExclusions ?? [], BigInt(spec.perNodeBlockSize), findings);
  }
  checkRoutes(spec.routes ?? [], network, spec.defaultGateway ?? false, findings);
  checkGatewayUsers(spec, Boolean(spec.gateway), "gateway", findings);
}

function checkBlockFits(perNodeBlockSize: number, network: WrittenNetwork, { errors }: Findings): void {
  const { first, last } = assignable(network);
  const room = last - first + 1n;
  if (BigInt(perNodeBlockSize) > room) {
    errors.add(
      "spec.perNodeBlockSize",
      perNodeBlockSize,
      `must be at most ${room}, the number of addresses that nodes can have in ${formatCidr(network)}`,
    );
  }
}

function checkSpelling(text: string, network: WrittenNetwork, { warnings }: Findings): void {
  if (network.written !== network.first) {
    warnings.add("spec.subnet", text, `has host bits set; it is taken for ${formatCidr(network)}`);
  }
  if (network.lengthOffset > 0) {
    const address = formatAddress({ family: network.family, value: network.first });
    warnings.add(
      "spec.subnet",
      text,
      `is an IPv4 network written as an IPv6 one; it is taken for ${address}/${network.prefixLength}`,
    );
  }
}

function isAssignable(network: WrittenNetwork, value: bigint): boolean {
  const { first, last } = assignable(network);
  return first <= value && value <= last;
}
