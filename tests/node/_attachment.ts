/** One interface of a pod, as all who know of it see it. */
import { BlockList, isIPv6 } from "node:net";
import * as assert from "uvu/assert";
import { must, type PoolJson } from "../cluster/_pools.ts";
import type { Cluster } from "./_cluster.ts";
import { networkStatus } from "./_pods.ts";

/** What the pod itself sees, after everybody else was found to say the same. */
export interface Attachment {
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** As the network-status has them. */
  readonly gateways: readonly string[];
}

/**
 * Looks an interface up in the pod's namespace, and demands the same of the pod's network-status, of `nv-ipam inspect
 * reservations`, and of the status of the pools: that each address is of the node's block, unless it was asked for by name.
 */
export async function attachment(
  cluster: Cluster,
  podName: string,
  ifname: string,
  asked: "dynamic" | "static" = "dynamic",
): Promise<Attachment> {
  const pod = cluster.pods.get(podName);
  const node = cluster.node(pod?.spec.nodeName ?? "");
  const addresses = await cluster.inside(podName).addresses(ifname);
  const bare = addresses.map((address) => address.split("/")[0] ?? "").sort();
  assert.ok(bare.length > 0, `${podName} has no address on ${ifname}`);

  const status = networkStatus(pod).find((each) => each.interface === ifname);
  assert.equal([...(status?.ips ?? [])].sort(), bare, `network-status of ${podName}, ${ifname}`);

  const held = (await node.ipam.reservations()).filter(
    (item) => item.pod?.uid === pod?.metadata.uid && item.ifname === ifname,
  );
  assert.equal(held.flatMap((item) => item.addresses).sort(), bare, `reservations of ${podName}, ${ifname}`);
  for (const { pool, poolKind, pod: owner, addresses } of held) {
    assert.is(owner?.name, podName);
    if (asked === "static") continue;
    const object = must(await cluster.pools.get(poolKind === "CIDRPool" ? "CIDRPool" : "IPPool", pool));
    for (const address of addresses)
      assert.ok(isInBlock(object, node.name, address), `${address} is of ${pool}'s block`);
  }
  return { addresses, gateways: status?.gateway ?? [] };
}

/** Whether an address is of the node's block of a pool, by the judgement of somebody else than the code under test. */
export function isInBlock({ status }: PoolJson, node: string, address: string): boolean {
  const entry = status?.allocations?.find(({ nodeName }) => nodeName === node);
  if (entry === undefined) return false;
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  const block = new BlockList();
  if (typeof entry.prefix === "string") {
    const [network = "", length] = entry.prefix.split("/");
    block.addSubnet(network, Number(length), family);
  } else block.addRange(String(entry.startIP), String(entry.endIP), family);
  return block.check(address, family);
}
