/** A small cluster: nodes a, b and c, an IPPool dealt among them, pods that show addresses. */
import { readPool } from "../../src/lib/api/parse.ts";
import type { PoolObject } from "../../src/lib/api/types.ts";
import type { ClusterContent, Pod } from "../../src/lib/inspect/content.ts";
import { parseAddress } from "../../src/lib/ip/address.ts";
import { plan } from "../../src/lib/planner/plan.ts";

export const NODES = ["a", "b", "c"].map((name) => ({ name, labels: {} }));

/** A pool object as the API server has it. */
export function poolObject(kind: "IPPool" | "CIDRPool", name: string, spec: unknown, more: object = {}): PoolObject {
  const { metadata = {}, ...rest } = more as { metadata?: object };
  const object = {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind,
    metadata: { name, uid: `u-${name}`, ...metadata },
    spec,
    ...rest,
  };
  const read = readPool(object);
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  return read.value;
}

/** The pool with the status that the controller writes. */
export function dealt(pool: PoolObject, nodes = NODES): PoolObject {
  const rest = { delayMs: 600_000, elapsedMs: () => 0, podUse: () => "none" as const };
  const { status } = plan({ pool, nodes, now: new Date(0), rest });
  return { ...pool, status } as PoolObject;
}

/** a 10.0.0.1-10.0.0.8, b 10.0.0.9-10.0.0.16, c 10.0.0.17-10.0.0.24 */
export const POOL = dealt(
  poolObject("IPPool", "pool1", {
    subnet: "10.0.0.0/24",
    perNodeBlockSize: 8,
    gateway: "10.0.0.1",
    exclusions: [{ startIP: "10.0.0.10", endIP: "10.0.0.10" }],
  }),
);

/** a 10.20.0.0/24, b 10.20.1.0/24, c 10.20.2.0/24 */
export const PREFIXES = dealt(
  poolObject("CIDRPool", "routed", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 }),
);

/** A running pod; `asked` are the addresses that it asks for by name. */
export function pod(
  name: string,
  node: string,
  addresses: readonly string[],
  more: Partial<Pod> & { by?: string } = {},
): Pod {
  const { by = "shop/net-a", ...rest } = more;
  const parsed = addresses.flatMap((text) => parseAddress(text) ?? []);
  const shown = { network: by, ifname: "net1", isDefault: false, addresses: parsed };
  const interfaces = addresses.length === 0 ? [] : [shown];
  return {
    namespace: "shop",
    name,
    uid: `uid-${name}`,
    node,
    phase: "Running",
    isTerminating: false,
    interfaces,
    asked: [],
    ...rest,
  };
}

/** What the API server has: a network of the first pool among it. */
export function clusterContent(more: Partial<ClusterContent> = {}): ClusterContent {
  const { pools = [POOL, PREFIXES] } = more;
  const of = pools[0] && { poolKind: pools[0].kind, pools: [pools[0].metadata.name] };
  return {
    type: "cluster",
    source: { type: "cluster", place: "https://api.example:6443", node: "" },
    notes: [],
    pools,
    nodes: NODES,
    pods: [pod("web", "a", ["10.0.0.2"])],
    networks: new Map(of && [["shop/net-a", { type: "nv-ipam", ...of }]]),
    ...more,
  };
}

/** An entry of status.released. */
export const RELEASED = {
  nodeName: "gone",
  startIP: "10.0.0.25",
  endIP: "10.0.0.32",
  releasedAt: "2026-11-22T08:00:00Z",
  reason: "NodeDeleted",
};
