/** `inspect check` and `inspect migration`: what is wrong, as a document. Pure. */
import { checkCluster } from "./check_cluster.ts";
import { checkNode } from "./check_node.ts";
import { readyCluster } from "./cluster_pools.ts";
import type { Content } from "./content.ts";
import type { Finding } from "./finding.ts";
import { head, type List } from "./report.ts";

/** Checks what was read. @param now for the times in the planner's plan, which nobody sees. */
export function check(content: Content, now: Date): List<"FindingList", Finding> {
  const items = content.type === "node" ? checkNode(content) : checkCluster(readyCluster(content), now);
  return { ...head("FindingList", content), items };
}
