/** `inspect pod`: each interface of a pod, its pool, address and block, and why it does not start. Pure. */
import { NETWORKS_ANNOTATION } from "../api/network_selection.ts";
import type { NetworkStatus } from "../api/network_status.ts";
import { PLUGIN_NAME } from "../cni/install.ts";
import { closest } from "../flags/closest.ts";
import { type Address, formatAddress, parseAddress, sameAddress } from "../ip/address.ts";
import { fail, ok, type Result } from "../result.ts";
import type { PodView } from "../rpc/generated/daemon.ts";
import { podText } from "./check_claims.ts";
import { isInBlock, poolText } from "./check_node.ts";
import { type Claim, type ClusterPool, type ReadyCluster, readyCluster } from "./cluster_pools.ts";
import type { AskedNetwork, ClusterContent, NetworkIpam, NodeContent, Pod, PodDetails } from "./content.ts";
import { itemOnNode } from "./pools.ts";
import { head, NO_COUNTS, type PodInterface, type PodPool, type PodReport, type PoolItem } from "./report.ts";

/** A pod as a node's daemon, or its store, knows it. @returns a sentence when it knows nothing of it. */
export function podOnNode(content: NodeContent, namespace: string, name: string): Result<PodReport, string> {
  const { reservations, pods, source, pools } = content;
  const held = reservations.filter(({ pod }) => pod?.namespace === namespace && pod.name === name);
  const view = pods?.find((pod) => pod.namespace === namespace && pod.name === name);
  if (view === undefined && held.length === 0) {
    const place = source.node === "" ? source.place : source.node;
    return fail(`${place} knows no pod ${namespace}/${name}; if it is on another node, give --kubeconfig`);
  }
  const names = new Set([...held.map(({ ifname }) => ifname), ...(view?.interfaces ?? []).map(({ ifname }) => ifname)]);
  return ok({
    ...head("PodReport", content),
    namespace,
    name,
    uid: view?.uid ?? held[0]?.pod?.uid ?? "",
    node: source.node,
    phase: "",
    interfaces: [...names].map((ifname) => interfaceOnNode(ifname, held, view, pools)),
    events: [],
    problems: names.size > 0 ? content.problems : [...content.problems, ...whyNothing(pools)],
  });
}

/** What may keep the pod from an address: which networks it asks for a daemon does not know. */
function whyNothing(pools: readonly PoolItem[]): readonly string[] {
  const troubles = pools.flatMap((pool) => {
    if (pool.problem !== "") return [`${poolText(pool)}: ${pool.problem}`];
    return pool.addresses.free === "0" ? [`${poolText(pool)} has no free address on this node`] : [];
  });
  return ["it has no address of a pool yet; give --kubeconfig to see what it asks for", ...troubles];
}

function interfaceOnNode(
  ifname: string,
  reservations: NodeContent["reservations"],
  view: PodView | undefined,
  pools: readonly PoolItem[],
): PodInterface {
  const shown = view?.interfaces.find((each) => each.ifname === ifname);
  const held = reservations.filter((item) => item.ifname === ifname);
  const byPool = held.map((item): PodPool => {
    const pool = pools.find((each) => poolText(each) === poolText(item));
    const { containerID, how, createdAt, addresses } = item;
    const isDealt =
      how === "static" || how === "gateway" || (pool !== undefined && addresses.every((each) => isInBlock(pool, each)));
    const problem = pool === undefined ? "there is no such pool any more" : isDealt ? "" : "outside the node's block";
    return { ...poolFacts(item, pool), addresses, reserved: "yes", containerID, how, createdAt, problem };
  });
  const loose = (shown?.addresses ?? []).filter(
    (address) => !held.some(({ addresses }) => addresses.includes(address)),
  );
  const others = loose.flatMap((address) => {
    const pool = pools.find((each) => isInBlock(each, address));
    if (pool === undefined) return [];
    const problem = "nobody has reserved it: another pod may get it too; delete the pod so that it gets a new one";
    return [{ ...poolFacts(pool, pool), addresses: [address], reserved: "no", ...NOT_HELD, problem } as const];
  });
  return {
    ifname,
    network: shown?.network || (held[0]?.network ?? ""),
    ipam: held.length > 0 ? PLUGIN_NAME : "",
    requested: [],
    pools: [...byPool, ...others],
    problem: "",
  };
}

const NOT_HELD = { containerID: "", how: "", createdAt: "" };

function poolFacts(
  { pool, poolKind }: { readonly pool: string; readonly poolKind: string },
  item: PoolItem | undefined,
): Pick<PodPool, "pool" | "poolKind" | "block" | "counts"> {
  return { pool, poolKind, block: item?.block ?? null, counts: item?.addresses ?? NO_COUNTS };
}

/** A pod as the API server has it. */
export function podInCluster(content: ClusterContent, details: PodDetails): PodReport {
  const { pod, networks, askedFault, events, daemonReady } = details;
  const cluster = readyCluster(content);
  const problems: string[] = [];
  if (pod.node === "") problems.push("it is on no node yet: the scheduler has not placed it");
  if (daemonReady === false)
    problems.push(`no node daemon is ready on ${pod.node}: no address is given there until it is`);
  if (askedFault !== undefined) problems.push(`its annotation ${NETWORKS_ANNOTATION} cannot be read: ${askedFault}`);
  else if (networks.length === 0 && pod.interfaces.length === 0)
    problems.push("it asks for no network besides the cluster's own");
  return {
    ...head("PodReport", content),
    namespace: pod.namespace,
    name: pod.name,
    uid: pod.uid,
    node: pod.node,
    phase: pod.phase,
    interfaces: [
      ...networks.map((network) => interfaceInCluster(network, details, cluster)),
      ...pod.interfaces
        .filter(({ ifname }) => networks.every(({ selection }) => selection.ifname !== ifname))
        .map((shown) => shownInterface(shown, pod, cluster)),
    ],
    events,
    problems,
  };
}

function interfaceInCluster(
  { selection, ipam, problem }: AskedNetwork,
  { pod }: PodDetails,
  cluster: ReadyCluster,
): PodInterface {
  const { ifname, ips: requested } = selection;
  const common = { ifname, network: `${selection.namespace}/${selection.name}`, requested };
  const claims = claimsOf(pod, ifname, cluster);
  if (ipam?.type === PLUGIN_NAME) {
    const pools = ipam.pools.map(
      (name): PodPool => poolInCluster({ name, poolKind: ipam.poolKind, requested }, claims, pod.node, cluster),
    );
    return { ...common, ipam: ipam.type, pools, problem: problem || strayRequest(requested, ipam, cluster) };
  }
  const others = `its addresses come from ${ipam?.type || "no IPAM plugin"}, not from nv-ipam`;
  const pools = ipam === undefined ? poolsShown(claims, cluster) : [];
  return { ...common, ipam: ipam?.type ?? "", pools, problem: problem || others };
}

/** The first address asked for that lies in none of the pools, so that a daemon refuses the request; "" where all do. */
function strayRequest(requested: readonly string[], ipam: NetworkIpam, cluster: ReadyCluster): string {
  const pools = ipam.pools.map((name) => cluster.pools.find(({ key }) => key === `${ipam.poolKind}/${name}`));
  const stray = requested.find((text) => {
    const address = addressOf(text);
    return address !== undefined && pools.every((pool) => pool?.covers(address) === false);
  });
  return stray === undefined ? "" : `it asks for ${stray}, which lies outside ${ipam.pools.join(" and ")}`;
}

/** Requests may carry a prefix length. */
function addressOf(text: string): Address | undefined {
  return parseAddress(text.split("/", 1)[0] ?? "");
}

/** An interface that the pod shows though it does not ask for it: whoever wrote its annotations knows more. */
function shownInterface({ ifname, network }: NetworkStatus, pod: Pod, cluster: ReadyCluster): PodInterface {
  const pools = poolsShown(claimsOf(pod, ifname, cluster), cluster);
  return { ifname, network, ipam: "", requested: [], pools, problem: "" };
}

function claimsOf(pod: Pod, ifname: string, { claims }: ReadyCluster): readonly Claim[] {
  return claims.filter((claim) => claim.pod.uid === pod.uid && claim.ifname === ifname);
}

/** The pools of what an interface shows, where nobody says which pools it should have. */
function poolsShown(claims: readonly Claim[], cluster: ReadyCluster): readonly PodPool[] {
  return [...Map.groupBy(claims, ({ pool }) => pool)].map(([{ object }, ofPool]) => {
    const [{ pod } = { pod: { node: "" } }] = ofPool;
    const want = { name: object.metadata.name, poolKind: object.kind, requested: [] };
    return poolInCluster(want, ofPool, pod.node, cluster);
  });
}

function poolInCluster(want: Wanted, claims: readonly Claim[], node: string, cluster: ReadyCluster): PodPool {
  const { name, poolKind, requested } = want;
  const pool = cluster.pools.find(({ key }) => key === `${poolKind}/${name}`);
  const held = claims.filter((claim) => claim.pool === pool);
  const addresses = [...new Set(held.map(({ address }) => formatAddress(address)))];
  const facts = {
    pool: name,
    poolKind,
    addresses,
    block: null,
    counts: NO_COUNTS,
    reserved: "unknown",
    ...NOT_HELD,
  } as const;
  if (pool === undefined) return { ...facts, problem: whyNoPool(want, cluster) };
  if (node === "") return { ...facts, problem: "" };
  const item = itemOnNode(pool, node, cluster);
  const isServed = addresses.length > 0 || item.problem !== "";
  const problem = isServed ? item.problem : whyNoAddress(pool, item, requested, node, cluster);
  return { ...facts, ...poolFacts(item, item), problem };
}

/** A pool that an interface is to have an address of. */
interface Wanted {
  readonly name: string;
  readonly poolKind: "IPPool" | "CIDRPool";
  /** Addresses asked for by name. */
  readonly requested: readonly string[];
}

function whyNoPool({ name, poolKind }: Wanted, { pools }: ReadyCluster): string {
  const missing = `there is no ${poolKind} ${name}`;
  const other = pools.find(({ object }) => object.metadata.name === name);
  if (other !== undefined) return `${missing}, but ${other.key}: set poolType`;
  const names = pools.filter(({ object }) => object.kind === poolKind).map(({ object }) => object.metadata.name);
  const near = closest(name, names);
  return near === undefined ? missing : `${missing}; did you mean ${near}?`;
}

/** The same rules by which a daemon refuses, as far as they can be told from here. */
function whyNoAddress(
  pool: ClusterPool,
  item: PoolItem,
  requested: readonly string[],
  node: string,
  { claims }: ReadyCluster,
): string {
  const asked = requested.flatMap((text) => addressOf(text) ?? []).filter((each) => pool.covers(each));
  for (const address of asked) {
    const text = formatAddress(address);
    const holder = claims.find((claim) => claim.pool === pool && sameAddress(claim.address, address));
    if (holder !== undefined) return `it asks for ${text}, which ${podText(holder)} has`;
    const block = pool.withAddress(address);
    const roles = pool.blocks?.roles(address, block) ?? [];
    if (roles.includes("network") || roles.includes("broadcast")) return `it asks for ${text}, the ${roles[0]} address`;
    if (block !== undefined && block.nodeName !== node && roles.length === 0)
      return `it asks for ${text}, which lies in the block of ${block.nodeName} and is not excluded there`;
  }
  const isFull = asked.length === 0 && item.addresses.free === "0";
  return isFull ? `no free address in ${node}'s block: all usable ones are shown by pods` : "no address yet";
}
