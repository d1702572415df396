/**
 * Prints how long plans take: from nothing, and with one node more. Run it by hand; the number of nodes may be given.
 * Each plan from nothing is the first of its process but for one small one; "one more" is the median of fifty.
 */
import { parsePool } from "../../src/lib/api/parse.ts";
import type { NodeInfo } from "../../src/lib/api/selector.ts";
import type { AnyPoolStatus, PoolKind } from "../../src/lib/api/types.ts";
import { PlanMemory } from "../../src/lib/planner/memory.ts";
import { type Plan, plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";

const nodeSelector = {
  nodeSelectorTerms: [{ matchExpressions: [{ key: "node-role.kubernetes.io/worker", operator: "Exists" }] }],
};
const scattered = Array.from({ length: 1000 }, (_, i) => ({
  startIP: `10.${100 + (i >> 8)}.${i & 255}.7`,
  endIP: `10.${100 + (i >> 8)}.${i & 255}.9`,
}));
const POOLS: readonly (readonly [string, PoolKind, Record<string, unknown>])[] = [
  ["IPv4, blocks of 64", "IPPool", { subnet: "10.0.0.0/8", perNodeBlockSize: 64, gateway: "10.0.0.1" }],
  [
    "the same, a million and 1,000 x 3 excluded",
    "IPPool",
    {
      subnet: "10.0.0.0/8",
      perNodeBlockSize: 64,
      gateway: "10.0.0.1",
      exclusions: [{ startIP: "10.0.0.100", endIP: "10.16.0.0" }, ...scattered],
    },
  ],
  ["IPv6, blocks of 500 of a /48", "IPPool", { subnet: "fd52:2eb5:44::/48", perNodeBlockSize: 500 }],
  ["IPv4, a /24 each of a /8", "CIDRPool", { cidr: "10.0.0.0/8", perNodeNetworkPrefix: 24, gatewayIndex: 1 }],
  ["IPv6, a /64 each of a /48", "CIDRPool", { cidr: "fd52:2eb5:44::/48", perNodeNetworkPrefix: 64, gatewayIndex: 1 }],
  ["IPv6, a /128 each of a /48", "CIDRPool", { cidr: "fd52:2eb5:44::/48", perNodeNetworkPrefix: 128 }],
];

function node(name: string): NodeInfo {
  return { name, labels: { "node-role.kubernetes.io/worker": "", "kubernetes.io/hostname": name } };
}

function timed(kind: PoolKind, spec: unknown, nodes: readonly NodeInfo[], status?: AnyPoolStatus, memory?: PlanMemory) {
  const metadata = { name: "pool1", uid: "uid", generation: 1 };
  // As it comes from the API server: new objects each time.
  const object = JSON.parse(
    JSON.stringify({ apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind, metadata, spec, status }),
  );
  const pool = parsePool(object);
  if (!pool.ok) throw new Error(JSON.stringify(pool.error));
  const rest = new RestClock(() => 0).rules("uid", 600_000);
  const start = performance.now();
  const result: Plan = plan({ pool: pool.value, nodes, now: new Date(0), rest }, memory);
  return { result, milliseconds: performance.now() - start };
}

const count = Number(process.argv[2] ?? 10_000);
for (const [what, kind, spec] of POOLS) {
  const nodes = Array.from({ length: count }, (_, i) => node(`worker-${String((i * 7919) % count).padStart(6, "0")}`));
  const full = { ...spec, nodeSelector };
  timed(kind, full, nodes.slice(0, 10));
  const memory = new PlanMemory();
  const first = timed(kind, full, nodes, undefined, memory);
  let { status } = first.result;
  const more: number[] = [];
  for (let i = 0; i < 50; i++) {
    nodes.push(node(`later-${(i * 31) % 50}`));
    const next = timed(kind, full, nodes, status, memory);
    if (next.result.status.allocations.length !== count + i + 1) throw new Error("a node is without block");
    status = next.result.status;
    more.push(next.milliseconds);
  }
  more.sort((a, b) => a - b);
  console.log(
    `${what.padEnd(44)} ${count} nodes: from nothing ${first.milliseconds.toFixed(0)} ms, one more ${more[25]?.toFixed(1)} ms`,
  );
}
