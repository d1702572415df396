/** Finds what is wrong or worth knowing in a cluster. Pure: what is there is compared with what the planner would make of it. */

import { formatFieldErrors, formatFieldWarning } from "../api/field_error.ts";
import type { NodeInfo } from "../api/selector.ts";
import type { AnyPoolStatus, Condition } from "../api/types.ts";
import { validatePool } from "../api/validate.ts";
import { blockText } from "../planner/block_entry.ts";
import { listText } from "../planner/findings.ts";
import { overlaps, poolKey } from "../planner/overlaps.ts";
import { plan } from "../planner/plan.ts";
import type { RestRules } from "../planner/rest.ts";
import { claimFindings } from "./check_claims.ts";
import type { ClusterPool, ReadyCluster } from "./cluster_pools.ts";
import type { ClusterContent } from "./content.ts";
import { type Finding, finding, type Reason, type Subject, sorted } from "./finding.ts";

/** Whatever rests goes on resting: how long is the controller's to know. */
export const KEEP_RESTING: RestRules = { delayMs: 1, elapsedMs: () => 0, podUse: () => "none" };

/** Checks a cluster. @param now for the plan's times, which nobody sees. */
export function checkCluster(cluster: ReadyCluster, now: Date): readonly Finding[] {
  const { content, pools } = cluster;
  return sorted([
    ...overlaps(content.pools).map(([a, b]) => {
      const [poolKind, pool] = a.split("/", 2);
      const message = `${a} and ${b} share addresses: two pods can get the same one; keep them on networks that do not meet`;
      return finding("error", "OverlappingPools", { ...(poolKind && { poolKind }), ...(pool && { pool }) }, message);
    }),
    ...pools.flatMap((pool) => [...poolFindings(pool, content.nodes, now), ...overlappingBlocks(pool)]),
    ...claimFindings(cluster),
    ...networkFindings(content),
  ]);
}

/** Networks of pools that do not exist. A pod may name others for itself, so it is no error. */
function networkFindings({ networks, pools }: ClusterContent): readonly Finding[] {
  const keys = new Set(pools.map(poolKey));
  return [...(networks ?? [])].flatMap(([network, { poolKind, pools: names }]) =>
    names.flatMap((pool) => {
      if (keys.has(`${poolKind}/${pool}`)) return [];
      const present = pools.filter(({ kind }) => kind === poolKind).map(({ metadata }) => metadata.name);
      const others = present.length === 0 ? `no ${poolKind} exists` : `${poolKind}s are ${listText(present)}`;
      const message = `the network ${network} asks for ${poolKind} ${pool}, which does not exist (${others}): pods that name no pool themselves do not start there`;
      return finding("warning", "UnknownPool", { poolKind, pool }, message);
    }),
  );
}

/** How findings name a pool. */
export function about({ object }: ClusterPool): Subject {
  return { poolKind: object.kind, pool: object.metadata.name };
}

function poolFindings(pool: ClusterPool, nodes: readonly NodeInfo[] | undefined, now: Date): readonly Finding[] {
  const { object } = pool;
  const { errors, warnings } = validatePool(object);
  const status: AnyPoolStatus = object.status ?? {};
  const found: Finding[] = [];
  if (errors.length > 0) {
    const served = pool.blocks === undefined ? "it serves nothing" : "the last spec that was accepted stays in force";
    const message = `the spec is invalid, ${served}: ${formatFieldErrors(errors)}`;
    found.push(finding("error", "InvalidSpec", about(pool), message));
  }
  found.push(...warnings.map((warning) => finding("warning", "SpecWarning", about(pool), formatFieldWarning(warning))));
  const planned = nodes && plan({ pool: object, nodes, now, rest: KEEP_RESTING });
  const own = planned?.status.conditions ?? [];
  const left = (status.conditions ?? []).filter(({ type }) => nodes === undefined || type === "PodsUnchecked");
  found.push(...[...own, ...left].flatMap((condition) => conditionFinding(pool, condition)));
  if (planned !== undefined) found.push(...differences(pool, status, planned.status, planned.withdrawn));
  const resting = status.released ?? [];
  if (resting.length > 0) {
    const blocks = resting.map((entry) => `${blockText(entry)} of ${entry.nodeName} since ${entry.releasedAt}`);
    found.push(
      finding("info", "Resting", about(pool), `blocks rest before another node may have them: ${listText(blocks)}`),
    );
  }
  return found;
}

const BY_CONDITION: Readonly<Record<string, Reason>> = { BlocksWithoutAddresses: "BlockWithoutAddresses" };

function conditionFinding(pool: ClusterPool, { type, status, reason, message }: Condition): readonly Finding[] {
  // Invalid specs and overlaps have findings of their own.
  if (type === "Ready") {
    const isTold = status === "True" || reason === "InvalidSpec";
    return isTold ? [] : [finding("error", "PoolNotReady", about(pool), message)];
  }
  if (status !== "True" || type === "OverlapsPool") return [];
  return [finding("warning", BY_CONDITION[type] ?? "PoolCondition", about(pool), message)];
}

/** What the controller would change in the pool's blocks now: nothing, as long as it runs. */
function differences(
  pool: ClusterPool,
  { allocations: present = [] }: AnyPoolStatus,
  { allocations: planned = [] }: AnyPoolStatus,
  withdrawn: readonly string[],
): readonly Finding[] {
  const before = new Map(present.map((entry) => [entry.nodeName, blockText(entry)]));
  const after = new Map(planned.map((entry) => [entry.nodeName, blockText(entry)]));
  const missing = [...after.keys()].filter((node) => !before.has(node));
  const gone = new Set(withdrawn);
  const moved = [...before].filter(([node, block]) => !gone.has(node) && after.get(node) !== block);
  const found: Finding[] = [];
  const note = (severity: "error" | "warning", reason: Reason, text: string): void => {
    found.push(finding(severity, reason, about(pool), text));
  };
  if (missing.length > 0) {
    note(
      "error",
      "NodeWithoutBlock",
      `these nodes have no block although there are free ones: ${listText(missing)}; does the controller run?`,
    );
  }
  if (withdrawn.length > 0) {
    const blocks = withdrawn.map((node) => `${before.get(node)} of ${node}`);
    note(
      "error",
      "BlockOfUnknownNode",
      `blocks of nodes that are gone or no longer match: ${listText(blocks)}; does the controller run?`,
    );
  }
  if (moved.length > 0) {
    const blocks = moved.map(([node, block]) => `${block} of ${node} becomes ${after.get(node) ?? "none"}`);
    note("error", "WouldMoveBlocks", `the controller will deal blocks anew: ${listText(blocks)}`);
  }
  return found;
}

/** Two nodes with one block, or with parts of one: sorted by first address, each compared with the widest before it. */
function overlappingBlocks(pool: ClusterPool): readonly Finding[] {
  const found: Finding[] = [];
  let [widest] = pool.inOrder;
  for (const next of pool.inOrder.slice(1)) {
    if (widest !== undefined && next.block.family === widest.block.family && next.block.first <= widest.block.last) {
      const message = `the block of ${next.nodeName} shares addresses with that of ${widest.nodeName}`;
      found.push(finding("error", "OverlappingBlocks", { ...about(pool), node: next.nodeName }, message));
      if (next.block.last <= widest.block.last) continue;
    }
    widest = next;
  }
  return found;
}
