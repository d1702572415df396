/** `inspect node`: what one node has of each pool. Pure. */
import { readEntries } from "../planner/block_entry.ts";
import { fail, ok, type Result } from "../result.ts";
import { checkCluster } from "./check_cluster.ts";
import { checkNode } from "./check_node.ts";
import { readyCluster } from "./cluster_pools.ts";
import type { Content } from "./content.ts";
import { blockText, itemOnNode } from "./pools.ts";
import { head, type NodeReport } from "./report.ts";

/**
 * What a node has.
 *
 * @param name "": the daemon's own node.
 * @returns a sentence when what was read cannot tell.
 */
export function nodeReport(content: Content, name: string, now: Date): Result<NodeReport, string> {
  const { node: own, place, type } = content.source;
  if (content.type === "node") {
    if (name !== "" && own !== "" && name !== own) {
      return fail(`the daemon at ${place} is that of ${own}; give --kubeconfig to look at ${name} by the API server`);
    }
    const node = own === "" ? name : own;
    return ok({
      ...head("NodeReport", content),
      node,
      pools: content.pools,
      resting: [],
      findings: checkNode(content),
    });
  }
  if (name === "") return fail(`name the node: a ${type} has many`);
  const isKnown = content.nodes?.some((node) => node.name === name) ?? true;
  const cluster = readyCluster(content);
  const hasBlock = cluster.pools.some((pool) => pool.ofNode(name) !== undefined);
  if (!isKnown && !hasBlock) return fail(`there is no node ${name}`);
  const resting = content.pools.flatMap(({ kind, metadata, status }) =>
    readEntries(status?.released ?? [])
      .filter(({ nodeName }) => nodeName === name)
      .map(({ block, entry }) => ({
        pool: metadata.name,
        poolKind: kind,
        block: blockText(block),
        releasedAt: entry.releasedAt,
        reason: entry.reason,
      })),
  );
  return ok({
    ...head("NodeReport", content),
    node: name,
    pools: cluster.pools.map((pool) => itemOnNode(pool, name, cluster)),
    resting,
    findings: checkCluster(cluster, now).filter(({ node }) => node === name),
  });
}
