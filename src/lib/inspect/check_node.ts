/** Finds what is wrong or worth knowing in what a node holds. Pure. */
import { contains, parseAddress, type Range } from "../ip/address.ts";
import type { PodView } from "../rpc/generated/daemon.ts";
import type { NodeContent } from "./content.ts";
import { type Finding, finding, fullness, type Subject, sorted } from "./finding.ts";
import type { PoolItem, ReservationItem } from "./report.ts";

/** Checks a node. What only a running daemon knows is not compared with what its store remembers. */
export function checkNode(content: NodeContent): readonly Finding[] {
  const { pools, isRunning, reservations, pods, problems, outdated } = content;
  const { node } = content.source;
  const found = [
    ...problems.map((message) => finding("error", "NotServing", {}, message)),
    ...outdated.map((why) => finding("warning", "PoolProblem", {}, `pools are served as they were before: ${why}`)),
    ...heldTwice(reservations),
    ...notAdopted(reservations),
    ...(isRunning ? [...againstPools(pools, reservations), ...pools.flatMap(poolFindings), ...overlapping(pools)] : []),
    ...(pods === undefined ? [] : [...unreserved(pods, pools, reservations), ...stale(pods, reservations)]),
  ];
  return sorted(found.map((item) => ({ ...item, node })));
}

/** How messages name a pool. */
export function poolText({ poolKind, pool }: Pick<PoolItem, "poolKind" | "pool">): string {
  return `${poolKind}/${pool}`;
}

function about(item: {
  readonly poolKind: string;
  readonly pool: string;
  readonly pod?: ReservationItem["pod"];
}): Subject {
  const { poolKind, pool, pod = null } = item;
  return { poolKind, pool, ...(pod && { pod: `${pod.namespace}/${pod.name}` }) };
}

/** Names a reservation in a message. */
export function holderText({ containerID, ifname, pod }: ReservationItem): string {
  const ofPod = pod === null ? "" : ` of pod ${pod.namespace}/${pod.name}`;
  if (containerID === "") return `interface ${ifname}${ofPod} (container not known)`;
  return `container ${containerID} interface ${ifname}${ofPod}`;
}

function heldTwice(reservations: readonly ReservationItem[]): Finding[] {
  const first = new Map<string, ReservationItem>();
  const findings: Finding[] = [];
  for (const item of reservations) {
    for (const address of item.addresses) {
      const other = first.get(address);
      first.set(address, item);
      if (other === undefined) continue;
      const isSamePool = poolText(other) === poolText(item);
      const but = isSamePool ? "" : ", which is right only if their networks do not meet";
      const message = `${address} is held by ${holderText(other)} (${poolText(other)}) and by ${holderText(item)} (${poolText(item)})${but}`;
      findings.push(finding(isSamePool ? "error" : "warning", "AddressHeldTwice", about(item), message));
    }
  }
  return findings;
}

function notAdopted(reservations: readonly ReservationItem[]): Finding[] {
  return reservations
    .filter((item) => item.containerID === "")
    .map((item) => {
      const message = `${item.addresses.join(", ")} was rebuilt for ${holderText(item)}; its next ADD or CHECK takes it over, and it is freed when its pod is gone`;
      return finding("info", "NotAdopted", about(item), message);
    });
}

function againstPools(pools: readonly PoolItem[], reservations: readonly ReservationItem[]): Finding[] {
  const byKey = new Map(pools.map((pool) => [poolText(pool), pool]));
  return reservations.flatMap((item): Finding[] => {
    const pool = byKey.get(poolText(item));
    const held = `${item.addresses.join(", ")} is held by ${holderText(item)}`;
    if (pool === undefined) {
      return [finding("warning", "UnknownPool", about(item), `${held} although there is no such pool`)];
    }
    if (item.poolUID !== "" && pool.uid !== "" && item.poolUID !== pool.uid) {
      const message = `${held} under a former pool of this name (uid ${item.poolUID}); it is dealt again after its DEL`;
      return [finding("warning", "FormerPool", about(item), message)];
    }
    const byName = item.how === "static" || item.how === "gateway";
    if (byName || item.addresses.every((address) => isInBlock(pool, address))) return [];
    const block = pool.block === null ? "none" : `${pool.block.startIP}-${pool.block.endIP}`;
    return [finding("error", "OutsideBlock", about(item), `${held} outside the node's block (${block})`)];
  });
}

/** The node's block of a pool. */
export function blockRange({ block }: PoolItem): Range | undefined {
  const first = parseAddress(block?.startIP ?? "");
  const last = parseAddress(block?.endIP ?? "");
  if (first === undefined || last === undefined) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

/** Whether the node's block of the pool has the address. */
export function isInBlock(pool: PoolItem, text: string): boolean {
  const range = blockRange(pool);
  const address = parseAddress(text);
  return range !== undefined && address !== undefined && contains(range, address);
}

function poolFindings(pool: PoolItem): Finding[] {
  const found: Finding[] = [];
  if (pool.problem !== "") found.push(finding("warning", "PoolProblem", about(pool), pool.problem));
  if (pool.block === null) return found;
  const { total, excluded, free } = pool.addresses;
  const usable = BigInt(total) - BigInt(excluded);
  const reason = usable === 0n ? "BlockWithoutAddresses" : fullness(usable, BigInt(free));
  if (reason === undefined) return found;
  const message =
    reason === "BlockWithoutAddresses"
      ? `all ${total} addresses of the node's block are excluded, the gateway or the network's own`
      : `${free} of the ${usable} usable addresses of the node's block are free`;
  return [...found, finding("warning", reason, about(pool), message)];
}

/** Blocks of this node that share addresses: sorted by first address, each compared with the widest before it. */
function overlapping(pools: readonly PoolItem[]): Finding[] {
  const blocks = pools
    .flatMap((pool) => {
      const range = blockRange(pool);
      return range === undefined ? [] : [{ pool, range }];
    })
    .sort((a, b) => a.range.family - b.range.family || (a.range.first < b.range.first ? -1 : 1));
  const findings: Finding[] = [];
  let widest = blocks[0];
  for (const next of blocks.slice(1)) {
    if (widest !== undefined && widest.range.family === next.range.family && next.range.first <= widest.range.last) {
      const message = `the node's block shares addresses with its block of ${poolText(widest.pool)}: two pods can get the same one; keep the pools on networks that do not meet`;
      findings.push(finding("error", "OverlappingBlocks", about(next.pool), message));
      if (next.range.last > widest.range.last) widest = next;
    } else {
      widest = next;
    }
  }
  return findings;
}

/** Addresses of the node's blocks that pods show and nobody has reserved, or somebody else has. */
function unreserved(
  pods: readonly PodView[],
  pools: readonly PoolItem[],
  reservations: readonly ReservationItem[],
): Finding[] {
  const holders = Map.groupBy(
    reservations.flatMap((item) => item.addresses.map((address) => ({ address, item }))),
    ({ address }) => address,
  );
  return pods.flatMap((pod) => {
    // Its addresses may have been freed already.
    if (pod.terminating) return [];
    const shown = pod.interfaces.flatMap(({ ifname, addresses }) => addresses.map((address) => ({ ifname, address })));
    return shown.flatMap(({ ifname, address }): Finding[] => {
      const pool = pools.find((each) => isInBlock(each, address));
      const held = holders.get(address) ?? [];
      if (pool === undefined || held.some(({ item }) => isOf(item, pod))) return [];
      const [other] = held;
      const whose = other === undefined ? "nobody has reserved it" : `it is reserved for ${holderText(other.item)}`;
      const message = `${address} of pod ${pod.namespace}/${pod.name} interface ${ifname} lies in the node's block, but ${whose}: another pod may have it too; delete the pod so that it gets a new one`;
      return [finding("error", "UnreservedAddress", { ...about(pool), pod: `${pod.namespace}/${pod.name}` }, message)];
    });
  });
}

function isOf({ pod }: ReservationItem, { namespace, name, uid }: PodView): boolean {
  return pod !== null && pod.namespace === namespace && pod.name === name && (pod.uid === "" || pod.uid === uid);
}

function stale(pods: readonly PodView[], reservations: readonly ReservationItem[]): Finding[] {
  const byName = new Map(pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
  return reservations.flatMap((item): Finding[] => {
    if (item.pod === null) return [];
    const pod = byName.get(`${item.pod.namespace}/${item.pod.name}`);
    if (pod !== undefined && isOf(item, pod)) return [];
    const message = `${item.addresses.join(", ")} is held by ${holderText(item)}, which has ended or is gone: its DEL frees it, or the daemon when the pod has been missing for some minutes`;
    return [finding("info", "StaleReservation", about(item), message)];
  });
}
