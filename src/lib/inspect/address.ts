/** `inspect ip`: what an address is, and who has it. Pure. */
import {
  type Address,
  contains,
  formatAddress,
  formatCidr,
  parseAddress,
  parseCidr,
  sameAddress,
} from "../ip/address.ts";
import { unassignable } from "../ip/usable.ts";
import { readEntries } from "../planner/block_entry.ts";
import type { AddressView } from "../rpc/generated/daemon.ts";
import { holderText, isInBlock, poolText } from "./check_node.ts";
import { type ClusterPool, readyCluster } from "./cluster_pools.ts";
import type { ClusterContent, Content, NodeContent } from "./content.ts";
import { blockText } from "./pools.ts";
import { type AddressReport, head, type PlaceItem, type ReservationItem } from "./report.ts";
import { claimItem } from "./reservations.ts";

/**
 * What an address is.
 *
 * @param views what the daemon said of it, where that was asked.
 */
export function addressReport(content: Content, address: Address, views?: readonly AddressView[]): AddressReport {
  const text = formatAddress(address);
  const { places, holders } =
    content.type === "cluster" ? inCluster(content, address) : onNode(content, address, views);
  const summary = summaryOf(text, places, holders, nobodyText(content));
  return { ...head("AddressReport", content), address: text, summary, places, holders };
}

/** How far it can be told that nobody has an address. */
function nobodyText(content: Content): string {
  if (content.type === "node") return "nobody on this node has it";
  return content.pods === undefined ? "whether a pod has it is not known" : "nobody has it";
}

type Facts = Pick<AddressReport, "places" | "holders">;

function inCluster(content: ClusterContent, address: Address): Facts {
  const { pools, claims } = readyCluster(content);
  return {
    places: pools.flatMap((pool) => (pool.covers(address) ? clusterPlace(pool, address) : [])),
    holders: claims.filter((claim) => sameAddress(claim.address, address)).map(claimItem),
  };
}

function onNode(content: NodeContent, address: Address, views: readonly AddressView[] | undefined): Facts {
  const text = formatAddress(address);
  const holders = content.reservations.filter((item) => item.addresses.includes(text));
  return { places: nodePlaces(content, address, views), holders };
}

function clusterPlace(pool: ClusterPool, address: Address): readonly PlaceItem[] {
  const { object, blocks } = pool;
  if (blocks === undefined) return [];
  const block = pool.withAddress(address);
  const common = {
    pool: object.metadata.name,
    poolKind: object.kind,
    network: formatCidr(block?.network ?? blocks.cidr),
    roles: blocks.roles(address, block),
  };
  if (block !== undefined)
    return [{ ...common, state: "allocated", node: block.nodeName, block: blockText(block.block) }];
  const resting = readEntries(object.status?.released ?? []).find((entry) => contains(entry.block, address));
  if (resting !== undefined)
    return [{ ...common, state: "resting", node: resting.nodeName, block: blockText(resting.block) }];
  return [{ ...common, state: "none", node: "", block: null }];
}

function nodePlaces(
  { pools, source }: NodeContent,
  address: Address,
  views: readonly AddressView[] | undefined,
): readonly PlaceItem[] {
  const text = formatAddress(address);
  const byKey = new Map(views?.map((view) => [poolText(view), view]));
  return pools.flatMap((item): readonly PlaceItem[] => {
    const view = byKey.get(poolText(item));
    const network = parseCidr(view?.network ?? item.subnet);
    const isOwn = isInBlock(item, text);
    if (view === undefined && (network === undefined || !contains(network, address))) return [];
    const roles = view?.roles ?? rolesKnown(network, item.gateway, address);
    const common = { pool: item.pool, poolKind: item.poolKind, roles };
    if (isOwn) {
      const own = view?.network ?? item.subnet;
      return [{ ...common, network: own, state: "allocated", node: source.node, block: item.block }];
    }
    const elsewhere = { ...common, network: item.subnet, node: "" };
    const other = view?.otherBlock ?? "";
    if (other !== "") return [{ ...elsewhere, state: "allocated", block: { startIP: other, endIP: "" } }];
    // Of other nodes' prefixes a daemon knows nothing, and a store of no other block.
    const isKnown = view !== undefined && item.poolKind === "IPPool";
    return [{ ...elsewhere, state: isKnown ? "none" : "unknown", block: null }];
  });
}

/** Without the daemon's word: exclusions are not known. */
function rolesKnown(network: ReturnType<typeof parseCidr>, gateway: string, address: Address): readonly string[] {
  const own = parseAddress(gateway);
  const isOwn = network !== undefined && unassignable(network).some(({ first }) => first === address.value);
  return [
    ...(isOwn ? [address.value === network.first ? "network" : "broadcast"] : []),
    ...(own !== undefined && sameAddress(own, address) ? ["gateway"] : []),
  ];
}

const ROLES: Readonly<Record<string, string>> = {
  network: "the network's own address, that nobody gets",
  broadcast: "the broadcast address, that nobody gets",
  gateway: "the gateway, that a pod gets only by asking for it",
  excluded: "excluded, so that a pod gets it only by asking for it",
  excludedByIndex: "excluded by perNodeExclusions, so that a pod gets it only by asking for it",
};

function summaryOf(
  address: string,
  places: readonly PlaceItem[],
  holders: readonly ReservationItem[],
  nobody: string,
): string {
  const where = places.map((place) => {
    const roles = place.roles.map((role) => `, ${ROLES[role] ?? role}`).join("");
    return `${placeText(place)}${roles}`;
  });
  const who = holders.map((item) => {
    const verb = item.how === "shown" ? "shown" : `held (${item.how})`;
    const since = item.createdAt === "" ? "" : ` since ${item.createdAt}`;
    const node = item.node === "" ? "" : ` on ${item.node}`;
    return `${verb} by ${item.how === "shown" ? shownBy(item) : holderText(item)}${node}${since}`;
  });
  const facts = [...(where.length === 0 ? ["in no pool"] : where), ...(who.length === 0 ? [nobody] : who)];
  return `${address}: ${facts.join("; ")}`;
}

function shownBy({ pod, ifname }: ReservationItem): string {
  return `pod ${pod?.namespace}/${pod?.name} interface ${ifname}`;
}

function placeText({ state, node, block, ...pool }: PlaceItem): string {
  const name = poolText(pool);
  const text =
    block === null ? "" : block.endIP === "" ? `that begins at ${block.startIP}` : `${block.startIP}-${block.endIP}`;
  switch (state) {
    case "allocated":
      if (node !== "") return `in the block ${text} of ${node} in ${name}`;
      // A daemon knows where another node's block begins, a store its own node's whole block but no node's name.
      return block?.endIP === ""
        ? `in the block of another node of ${name} ${text}`
        : `in this node's block ${text} of ${name}`;
    case "resting":
      return `in the block ${text} of ${name}, that rests since ${node} gave it up`;
    case "none":
      return `in ${name}, in no node's block`;
    case "unknown":
      return `in ${name}, not in this node's block: give --kubeconfig to see whether in another's`;
  }
}
