/** A cluster with one pool, pool1, as the tests of R5 edit it. */
import { Cluster } from "./_cluster.ts";

export const IPPOOL = { subnet: "10.10.0.0/24", perNodeBlockSize: 8 };
export const CIDRPOOL = { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 };

export function cluster(...nodes: readonly string[]): Cluster {
  const made = new Cluster();
  for (const name of nodes) made.addNode(name);
  return made;
}

export function withIPPool(spec: Record<string, unknown> = IPPOOL, ...nodes: readonly string[]): Cluster {
  const made = cluster(...(nodes.length > 0 ? nodes : ["node-a", "node-b"]));
  made.addPool("IPPool", "pool1", spec);
  made.settle();
  return made;
}

export function withCIDRPool(spec: Record<string, unknown> = CIDRPOOL, ...nodes: readonly string[]): Cluster {
  const made = cluster(...(nodes.length > 0 ? nodes : ["node-a", "node-b"]));
  made.addPool("CIDRPool", "pool1", spec);
  made.settle();
  return made;
}

export const IP = "IPPool/pool1";
export const CIDR = "CIDRPool/pool1";
export const TWO_BLOCKS = ["node-a 10.10.0.1-10.10.0.8", "node-b 10.10.0.9-10.10.0.16"];
