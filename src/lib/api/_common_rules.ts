/** The rules that both kinds of pool share. */
import { type Address, contains, parseAddress, type Range } from "../ip/address.ts";
import { parseNetwork } from "./division.ts";
import type { FieldErrors } from "./field_error.ts";
import type { ExcludeIndexRange, ExcludeRange, Route } from "./types.ts";

/** The largest index that an int32 can say. */
const MAX_INT32 = 2n ** 31n - 1n;

/** What a rule needs to know and where it puts what it finds. */
export interface Findings {
  readonly errors: FieldErrors;
  readonly warnings: FieldErrors;
}

/** A network as messages show it. */
export interface NamedNetwork extends Range {
  readonly text: string;
}

/** Reads an address that has to lie in the network; notes what is wrong with it. */
export function checkAddress(
  text: string,
  path: string,
  network: NamedNetwork | undefined,
  { errors, warnings }: Findings,
): Address | undefined {
  const address = parseAddress(text);
  if (address === undefined) {
    errors.add(path, text, "must be an IP address without prefix length, zone, leading zeros or blanks");
    return undefined;
  }
  if (network !== undefined && !contains(network, address)) {
    errors.add(path, text, `must be an address of ${network.text}`);
    return undefined;
  }
  if (address.family === 4 && text.includes(":")) warnings.add(path, text, "is an IPv4 address written as an IPv6 one");
  return address;
}

/** exclusions: both ends in the network, in order. They may overlap. */
export function checkExclusions(exclusions: readonly ExcludeRange[], network: NamedNetwork, findings: Findings): void {
  for (const [index, { startIP, endIP }] of exclusions.entries()) {
    const path = `spec.exclusions[${index}]`;
    const start = checkAddress(startIP, `${path}.startIP`, network, findings);
    const end = checkAddress(endIP, `${path}.endIP`, network, findings);
    if (start !== undefined && end !== undefined && end.value < start.value) {
      findings.errors.add(`${path}.endIP`, endIP, `must not come before startIP ${startIP}`);
    }
  }
}

/** perNodeExclusions: indexes in order, inside a block of `blockSize` addresses. They may overlap. */
export function checkIndexExclusions(
  exclusions: readonly ExcludeIndexRange[],
  blockSize: bigint,
  { errors }: Findings,
): void {
  const largest = blockSize - 1n > MAX_INT32 ? MAX_INT32 : blockSize - 1n;
  for (const [index, { startIndex, endIndex }] of exclusions.entries()) {
    const path = `spec.perNodeExclusions[${index}]`;
    for (const [name, value] of [
      ["startIndex", startIndex],
      ["endIndex", endIndex],
    ] as const) {
      if (value < 0) errors.add(`${path}.${name}`, value, "must be 0 or more; 0 is the block's first address");
      else if (BigInt(value) > largest) {
        errors.add(`${path}.${name}`, value, `must be at most ${largest}, the last index of a node's block`);
      }
    }
    if (endIndex < startIndex)
      errors.add(`${path}.endIndex`, endIndex, `must not be less than startIndex ${startIndex}`);
  }
}

/** routes: networks of the pool's family; no default route beside defaultGateway. */
export function checkRoutes(
  routes: readonly Route[],
  network: Range | undefined,
  defaultGateway: boolean,
  { errors, warnings }: Findings,
): void {
  for (const [index, { dst }] of routes.entries()) {
    const path = `spec.routes[${index}].dst`;
    const route = parseNetwork(dst);
    if (route === undefined) {
      errors.add(path, dst, "must be a network in CIDR notation, such as 10.7.0.0/16");
      continue;
    }
    if (network !== undefined && route.family !== network.family) {
      errors.add(path, dst, `must be an IPv${network.family} network, as the pool is`);
    }
    if (defaultGateway && route.prefixLength === 0) {
      errors.add(path, dst, "must not be the default route when defaultGateway is true, which adds it");
    }
    if (route.written !== route.first) warnings.add(path, dst, "has host bits set; they are ignored");
  }
}

/** defaultGateway and routes go through a gateway, so there has to be one. */
export function checkGatewayUsers(
  spec: { readonly defaultGateway?: boolean; readonly defautGateway?: boolean; readonly routes?: readonly Route[] },
  hasGateway: boolean,
  gatewayField: string,
  { errors, warnings }: Findings,
): void {
  if (spec.defautGateway !== undefined) {
    const outcome = spec.defaultGateway === undefined ? "it is taken for defaultGateway" : "defaultGateway wins";
    warnings.add(
      "spec.defautGateway",
      spec.defautGateway,
      `is deprecated, a misspelling of defaultGateway; ${outcome}`,
    );
  }
  if (hasGateway) return;
  if (spec.defaultGateway) {
    errors.add("spec.defaultGateway", true, `must not be true without spec.${gatewayField}`);
  } else if (spec.defautGateway) {
    warnings.add("spec.defautGateway", true, `has no effect without spec.${gatewayField}`);
  }
  if (spec.routes !== undefined && spec.routes.length > 0) {
    errors.add("spec.routes", spec.routes, `must be empty without spec.${gatewayField}, which routes go through`);
  }
}
