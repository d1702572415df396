/** `inspect pools`: the pools with their use, and the same for one node of a cluster. Pure. */
import { divisionOf } from "../api/division.ts";
import { formatFieldErrors } from "../api/field_error.ts";
import { specInForce } from "../api/in_force.ts";
import { nodeMatcher } from "../api/selector.ts";
import type { PoolObject } from "../api/types.ts";
import { validatePool } from "../api/validate.ts";
import { formatAddress, formatCidr, type Range, size } from "../ip/address.ts";
import { plan } from "../planner/plan.ts";
import { poolOnNode } from "../reservations/pool.ts";
import { useOf } from "./check_claims.ts";
import { KEEP_RESTING } from "./check_cluster.ts";
import { type Claim, type ClusterPool, type ReadyCluster, readyCluster } from "./cluster_pools.ts";
import type { Content } from "./content.ts";
import { type AddressCounts, type BlockText, head, type List, NO_COUNTS, type PoolItem } from "./report.ts";

type Nodes = ReadyCluster["content"]["nodes"];

/** Every pool: as the node serves it, or of the whole cluster. */
export function poolList(content: Content): List<"PoolList", PoolItem> {
  const items = content.type === "node" ? content.pools : clusterItems(readyCluster(content));
  return { ...head("PoolList", content), items };
}

function clusterItems({ pools, claims, content }: ReadyCluster): readonly PoolItem[] {
  const byPool = Map.groupBy(claims, ({ pool }) => pool);
  const arePodsKnown = content.pods !== undefined;
  return pools.map((pool) => clusterItem(pool, content.nodes, arePodsKnown ? (byPool.get(pool) ?? []) : undefined));
}

function clusterItem(pool: ClusterPool, nodes: Nodes, claims: readonly Claim[] | undefined): PoolItem {
  const { object, blocks } = pool;
  const spec = specInForce(object);
  return {
    ...common(object),
    subnet: blocks === undefined ? "" : formatCidr(blocks.cidr),
    gateway: spec !== undefined && "subnet" in spec ? (spec.gateway ?? "") : "",
    block: null,
    addresses: clusterCounts(pool, claims),
    blocks: {
      total: String((spec && divisionOf(spec)?.count) ?? ""),
      allocated: String(object.status?.allocations?.length ?? 0),
      free: String(object.status?.blocks?.free ?? freeBlocks(object, nodes) ?? ""),
      resting: String(object.status?.released?.length ?? 0),
    },
    problem: troubleOf(object),
  };
}

/** Where no controller of ours has counted them. */
function freeBlocks(pool: PoolObject, nodes: Nodes): number | undefined {
  return nodes && plan({ pool, nodes, now: new Date(0), rest: KEEP_RESTING }).blocks.free;
}

function common({ kind, metadata }: PoolObject): Pick<PoolItem, "pool" | "poolKind" | "uid" | "lastAddress"> {
  return { pool: metadata.name, poolKind: kind, uid: metadata.uid ?? "", lastAddress: "" };
}

/** Of all blocks that nodes have. Addresses outside them that pods show by name are used, and take nothing of what is free. */
function clusterCounts(pool: ClusterPool, claims: readonly Claim[] | undefined): AddressCounts {
  const { blocks } = pool;
  if (blocks === undefined) return NO_COUNTS;
  const byBlock = Map.groupBy(claims ?? [], ({ block }) => block);
  let total = 0n;
  let usable = 0n;
  let free = 0n;
  for (const block of blocks.blocks) {
    const use = useOf(pool, block, byBlock.get(block) ?? []);
    total += size(block.block);
    usable += use.usable;
    free += use.free;
  }
  const isKnown = claims !== undefined;
  const used = new Set(claims?.map(({ address }) => address.value)).size;
  return {
    total: String(total),
    excluded: String(total - usable),
    used: isKnown ? String(used) : "",
    free: isKnown ? String(free) : "",
  };
}

/** Why the pool is not served as its spec says, or "". */
function troubleOf(object: PoolObject): string {
  const ready = object.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready !== undefined) return ready.status === "False" ? ready.message : "";
  const { errors } = validatePool(object);
  return errors.length === 0 ? "" : `the spec is invalid: ${formatFieldErrors(errors)}`;
}

/** What one node has of the pool, as its daemon would serve it. */
export function itemOnNode(pool: ClusterPool, node: string, { content, claims }: ReadyCluster): PoolItem {
  const { object } = pool;
  const onNode = poolOnNode(object, node);
  const block = pool.ofNode(node);
  const base = { ...common(object), subnet: onNode.cidr, blocks: null };
  if (onNode.state !== "ready" || block === undefined) {
    const reason = onNode.state === "ready" ? "" : onNode.reason;
    const problem = onNode.state === "no-block" ? whyNoBlock(pool, node, content.nodes) : reason;
    return { ...base, gateway: "", block: null, addresses: NO_COUNTS, problem };
  }
  const { gateway } = onNode.pool;
  const inBlock = claims.filter((claim) => claim.block === block);
  const { usable, free } = useOf(pool, block, inBlock);
  const total = size(block.block);
  const held = claims.filter((claim) => claim.pool === pool && claim.pod.node === node);
  const isKnown = content.pods !== undefined;
  return {
    ...base,
    gateway: gateway === undefined ? "" : formatAddress(gateway),
    block: blockText(block.block),
    addresses: {
      total: String(total),
      excluded: String(total - usable),
      used: isKnown ? String(new Set(held.map(({ address }) => address.value)).size) : "",
      free: isKnown ? String(free) : "",
    },
    problem: "",
  };
}

function whyNoBlock({ object }: ClusterPool, node: string, nodes: Nodes): string {
  const known = nodes?.find(({ name }) => name === node);
  if (nodes !== undefined && known === undefined) return `there is no node ${node}`;
  const selector = "unreadable" in object ? undefined : object.spec.nodeSelector;
  if (known !== undefined && !nodeMatcher(selector)(known)) return `its nodeSelector does not choose ${node}`;
  return troubleOf(object) || `it has no block for ${node}; the controller deals it: does it run?`;
}

/** A block as documents write it. */
export function blockText({ family, first, last }: Range): BlockText {
  return { startIP: formatAddress({ family, value: first }), endIP: formatAddress({ family, value: last }) };
}
