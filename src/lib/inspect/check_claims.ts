/** Finds what is wrong with the addresses that pods show. Pure. */
import { contains, formatAddress, formatRange } from "../ip/address.ts";
import { readEntries } from "../planner/block_entry.ts";
import type { NodeBlock } from "../reservations/node_blocks.ts";
import type { Claim, ClusterPool, ReadyCluster } from "./cluster_pools.ts";
import { type Finding, finding, fullness, type Subject } from "./finding.ts";

/** All that can be told from network-status annotations. */
export function claimFindings({ claims, pools }: ReadyCluster): readonly Finding[] {
  const byPool = Map.groupBy(claims, ({ pool }) => pool);
  return [
    ...heldTwice(claims),
    ...pools.flatMap((pool) => {
      const ofPool = byPool.get(pool) ?? [];
      return [...outsideBlocks(pool, ofPool), ...fullBlocks(pool, ofPool)];
    }),
  ];
}

/** How messages name a pod. */
export function podText({ pod, ifname }: Pick<Claim, "pod" | "ifname">): string {
  const node = pod.node === "" ? "" : ` on ${pod.node}`;
  return `pod ${pod.namespace}/${pod.name}${ifname === "" ? "" : ` interface ${ifname}`}${node}`;
}

/** How findings name what a claim is about. */
function aboutClaim({ pool: { object }, pod }: Claim): Subject {
  return { poolKind: object.kind, pool: object.metadata.name, node: pod.node, pod: `${pod.namespace}/${pod.name}` };
}

/** A pod that is being deleted may show what has been given to the next one already. */
function heldTwice(claims: readonly Claim[]): readonly Finding[] {
  const first = new Map<string, Claim>();
  const found: Finding[] = [];
  for (const claim of claims) {
    if (claim.pod.isTerminating) continue;
    const address = formatAddress(claim.address);
    const other = first.get(address);
    if (other === undefined) {
      first.set(address, claim);
      continue;
    }
    const isSamePool = other.pool === claim.pool;
    const where = isSamePool
      ? ""
      : `, of ${other.pool.key} and ${claim.pool.key}, which is right only if their networks do not meet`;
    const message = `${address} is shown by ${podText(other)} and by ${podText(claim)}${where}`;
    found.push(finding(isSamePool ? "error" : "warning", "AddressHeldTwice", aboutClaim(claim), message));
  }
  return found;
}

function outsideBlocks(pool: ClusterPool, claims: readonly Claim[]): readonly Finding[] {
  const resting = readEntries(pool.object.status?.released ?? []);
  return claims.flatMap((claim): readonly Finding[] => {
    const { address, block, pod } = claim;
    if (block?.nodeName === pod.node || pod.isTerminating) return [];
    const roles = pool.blocks?.roles(address, block) ?? [];
    // What an IPPool's nodes may give by name wherever it lies.
    const isFree = roles.some((role) => role === "gateway" || role === "excluded" || role === "excludedByIndex");
    if (isFree && pool.object.kind === "IPPool") return [];
    if (resting.some(({ block: rests, nodeName }) => nodeName === pod.node && contains(rests, address))) return [];
    const isAsked = pod.asked.some(({ family, value }) => family === address.family && value === address.value);
    const shown = `${formatAddress(address)} is shown by ${podText(claim)}`;
    if (block !== undefined && isAsked) {
      const message = `${shown}, which asks for it by name, but lies in the block of ${block.nodeName} and is not excluded there: both can have it; exclude it`;
      return [finding("warning", "StaticInOtherBlock", aboutClaim(claim), message)];
    }
    if (isAsked) return [];
    const where = block === undefined ? "in no node's block" : `in the block of ${block.nodeName}`;
    return [finding("error", "OutsideBlock", aboutClaim(claim), `${shown} but lies ${where}`)];
  });
}

/** Looks only at blocks that pods show addresses of. */
function fullBlocks(pool: ClusterPool, claims: readonly Claim[]): readonly Finding[] {
  const { blocks } = pool;
  if (blocks === undefined) return [];
  const found: Finding[] = [];
  for (const [block, inBlock] of Map.groupBy(claims, (claim) => claim.block)) {
    if (block === undefined) continue;
    const { usable, free } = useOf(pool, block, inBlock);
    const reason = fullness(usable, free);
    if (reason === undefined) continue;
    const { object } = pool;
    const subject = { poolKind: object.kind, pool: object.metadata.name, node: block.nodeName };
    const left = reason === "Exhausted" ? "no address left" : `${free} of ${usable} addresses left`;
    found.push(
      finding("warning", reason, subject, `the block ${formatRange(block.block)} of ${block.nodeName} has ${left}`),
    );
  }
  return found;
}

/** How many of a block's usable addresses there are, and how many of them no pod shows. */
export function useOf(pool: ClusterPool, block: NodeBlock, claims: readonly Claim[]): { usable: bigint; free: bigint } {
  const set = pool.blocks?.usable(block);
  if (set === undefined) return { usable: 0n, free: 0n };
  const taken = new Set(
    claims.filter(({ address }) => set.contains(address.value)).map(({ address }) => address.value),
  );
  const usable = set.count();
  return { usable, free: usable - BigInt(taken.size) };
}
