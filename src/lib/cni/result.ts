/** The answer to ADD in the shape of each version of the CNI specification ("IP Allocation", "ADD Success"). Pure. */
import { type CniVersion, isAtLeast } from "./version.ts";

/** One address that the container gets. */
export interface Assignment {
  /** Address with prefix length. */
  readonly ip: string;
  /** "" for none. */
  readonly gateway: string;
  /** Destinations that are reached through the gateway, as CIDR. */
  readonly routes: readonly { readonly dest: string }[];
}

interface Route {
  readonly dst: string;
  readonly gw?: string;
}

/**
 * The JSON for stdout. An IPAM plugin's result has no interfaces. Versions before 0.3.0 have room for one address of each
 * family: as in the reference library's conversion, the first of each is shown.
 */
export function formatResult(cniVersion: CniVersion, assignments: readonly Assignment[]): string {
  const result = isAtLeast(cniVersion, "0.3.0") ? listed(cniVersion, assignments) : byFamily(assignments);
  return `${JSON.stringify({ cniVersion, ...result })}\n`;
}

function listed(cniVersion: CniVersion, assignments: readonly Assignment[]): object {
  const old = !isAtLeast(cniVersion, "1.0.0");
  const ips = assignments.map(({ ip, gateway }) => ({
    ...(old ? { version: isIPv6(ip) ? "6" : "4" } : {}),
    address: ip,
    ...gatewayMember("gateway", gateway),
  }));
  const routes = distinctRoutes(assignments);
  return { ips, ...(routes.length > 0 ? { routes } : {}), ...(old ? { dns: {} } : {}) };
}

function byFamily(assignments: readonly Assignment[]): object {
  const routes = distinctRoutes(assignments);
  const result: Record<string, object> = {};
  for (const { ip, gateway } of assignments) {
    const v6 = isIPv6(ip);
    const own = routes.filter((route) => isIPv6(route.dst) === v6);
    result[v6 ? "ip6" : "ip4"] ??= {
      ip,
      ...gatewayMember("gateway", gateway),
      ...(own.length > 0 ? { routes: own } : {}),
    };
  }
  return { ...result, dns: {} };
}

function distinctRoutes(assignments: readonly Assignment[]): Route[] {
  const routes = new Map<string, Route>();
  for (const { gateway, routes: destinations } of assignments) {
    for (const { dest } of destinations)
      routes.set(`${dest} ${gateway}`, { dst: dest, ...gatewayMember("gw", gateway) });
  }
  return [...routes.values()];
}

function gatewayMember<N extends string>(name: N, gateway: string): { readonly [K in N]?: string } {
  return (gateway === "" ? {} : { [name]: gateway }) as { readonly [K in N]?: string };
}

function isIPv6(text: string): boolean {
  return text.includes(":");
}
