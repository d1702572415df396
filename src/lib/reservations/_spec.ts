/** A pool's spec in force (R5), read into addresses once, when the pool changes. */
import type { CIDRPoolSpec, IPPoolSpec, Pool } from "../api/types.ts";
import { type Address, type Cidr, formatCidr, parseAddress, parseCidr } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { fail, ok, type Result } from "../result.ts";

type SpecInForce = Omit<IPPoolSpec, "nodeSelector"> | Omit<CIDRPoolSpec, "nodeSelector">;

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

/** status.appliedSpec where there is one, else spec (R5). */
export function specInForce(pool: Pool): SpecInForce {
  return pool.status?.appliedSpec ?? pool.spec;
}

/** The text of the pool's whole network: subnet of an IPPool, cidr of a CIDRPool. */
export function cidrText(spec: SpecInForce): string {
  return "subnet" in spec ? spec.subnet : spec.cidr;
}

/** Reads the spec. The error is a sentence that names the field. */
export function parseSpec(spec: SpecInForce): Result<ParsedSpec, string> {
  const cidr = parseCidr(cidrText(spec));
  if (cidr === undefined) return fail(`${"subnet" in spec ? "subnet" : "cidr"} "${cidrText(spec)}" is no network`);
  const gatewayText = ("subnet" in spec && spec.gateway) || "";
  const gateway = parseAddress(gatewayText);
  if (gatewayText !== "" && gateway?.family !== cidr.family) {
    return fail(`gateway "${gatewayText}" is no IPv${cidr.family} address`);
  }
  const exclusions = parseExclusions(spec, cidr);
  if (!exclusions.ok) return exclusions;
  const indexExclusions = parseIndexExclusions(spec);
  if (!indexExclusions.ok) return indexExclusions;
  // The original's README misspells the field; both are obeyed.
  const defaultGateway = spec.defaultGateway === true || spec.defautGateway === true;
  const writtenRoutes = (spec.routes ?? []).map(({ dst }) => dst);
  const routes = answerRoutes(writtenRoutes, cidr, defaultGateway);
  if (!routes.ok) return routes;
  return ok({
    cidr,
    gateway,
    exclusions: exclusions.value,
    indexExclusions: indexExclusions.value,
    defaultGateway,
    routes: routes.value,
    writtenRoutes,
  });
}

function parseExclusions(spec: SpecInForce, { family }: Cidr): Result<IntervalSet, string> {
  const intervals: Interval[] = [];
  for (const { startIP, endIP } of spec.exclusions ?? []) {
    const first = parseAddress(startIP);
    const last = parseAddress(endIP);
    if (first?.family !== family || last?.family !== family || first.value > last.value) {
      return fail(`exclusion "${startIP}" to "${endIP}" is no range of IPv${family} addresses`);
    }
    intervals.push({ first: first.value, last: last.value });
  }
  return ok(IntervalSet.of(intervals));
}

function parseIndexExclusions(spec: SpecInForce): Result<IntervalSet, string> {
  const intervals: Interval[] = [];
  for (const { startIndex, endIndex } of spec.perNodeExclusions ?? []) {
    if (
      !Number.isSafeInteger(startIndex) ||
      !Number.isSafeInteger(endIndex) ||
      startIndex < 0 ||
      startIndex > endIndex
    ) {
      return fail(`perNodeExclusion ${startIndex} to ${endIndex} is no range of indexes`);
    }
    intervals.push({ first: BigInt(startIndex), last: BigInt(endIndex) });
  }
  return ok(IntervalSet.of(intervals));
}

function answerRoutes(written: readonly string[], { family }: Cidr, withDefault: boolean): Result<string[], string> {
  const destinations = new Map<string, Cidr>();
  for (const text of written) {
    const destination = parseCidr(text);
    if (destination?.family !== family) return fail(`route "${text}" is no IPv${family} network`);
    destinations.set(formatCidr(destination), destination);
  }
  if (withDefault)
    destinations.set(family === 4 ? "0.0.0.0/0" : "::/0", {
      family,
      first: 0n,
      last: 0n,
      prefixLength: 0,
      written: 0n,
    });
  const sorted = [...destinations].sort(([, a], [, b]) =>
    a.first === b.first ? a.prefixLength - b.prefixLength : a.first < b.first ? -1 : 1,
  );
  return ok(sorted.map(([text]) => text));
}
