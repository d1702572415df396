/** A pool's spec in force (R5), read into addresses once, when the pool changes. */
import { wantsDefaultGateway } from "../api/in_force.ts";
import type { AppliedSpec, PoolObject } from "../api/types.ts";
import { exclusionSet, indexExclusionSet } from "../api/usability.ts";
import { type Address, type Cidr, formatCidr, parseAddress, parseCidr } from "../ip/address.ts";
import type { IntervalSet } from "../ip/intervals.ts";

/** What of a spec concerns the addresses of a node. */
export interface ParsedSpec {
  /** subnet of an IPPool, cidr of a CIDRPool. */
  readonly cidr: Cidr;
  /** Gateway of an IPPool; a CIDRPool has one for each node, in its status. */
  readonly gateway: Address | undefined;
  readonly exclusions: IntervalSet;
  readonly indexExclusions: IntervalSet;
  readonly defaultGateway: boolean;
  /** The routes' destinations in canonical text, each once, sorted by address and then by length; the default route first. */
  readonly routes: readonly string[];
  /** The routes' destinations as they are written. */
  readonly writtenRoutes: readonly string[];
}

/** The text of a pool's whole network: subnet of an IPPool, cidr of a CIDRPool. */
export function cidrText(spec: AppliedSpec): string {
  return "cidr" in spec ? spec.cidr : spec.subnet;
}

/** The same of a pool whose spec need not be valid; "" when it has none that can be read. */
export function writtenCidr(pool: PoolObject): string {
  const spec = pool.status?.appliedSpec ?? ("unreadable" in pool ? undefined : pool.spec);
  return spec === undefined ? "" : cidrText(spec);
}

/** Reads a valid spec. */
export function parseSpec(spec: AppliedSpec): ParsedSpec {
  const cidr = parseCidr(cidrText(spec));
  if (cidr === undefined) throw new Error(`the network "${cidrText(spec)}" of a valid spec cannot be read`);
  const defaultGateway = wantsDefaultGateway(spec);
  const writtenRoutes = (spec.routes ?? []).map(({ dst }) => dst);
  return {
    cidr,
    gateway: "cidr" in spec ? undefined : parseAddress(spec.gateway ?? ""),
    exclusions: exclusionSet(spec.exclusions),
    indexExclusions: indexExclusionSet(spec.perNodeExclusions),
    defaultGateway,
    routes: canonicalRoutes(
      defaultGateway ? [...writtenRoutes, cidr.family === 4 ? "0.0.0.0/0" : "::/0"] : writtenRoutes,
    ),
    writtenRoutes,
  };
}

/** All routes of a valid spec are of one family, so the default route comes first by its address and length. */
function canonicalRoutes(written: readonly string[]): readonly string[] {
  const destinations = new Map<string, Cidr>();
  for (const text of written) {
    const destination = parseCidr(text);
    if (destination !== undefined) destinations.set(formatCidr(destination), destination);
  }
  const sorted = [...destinations].sort(([, a], [, b]) =>
    a.first === b.first ? a.prefixLength - b.prefixLength : a.first < b.first ? -1 : 1,
  );
  return sorted.map(([text]) => text);
}
