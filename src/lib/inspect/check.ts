/** Finds what is wrong or worth knowing in what a node holds. Pure. */
import { contains, parseAddress, type Range } from "../ip/address.ts";
import type { PoolItem, ReservationItem } from "./report.ts";

/** One thing found. Errors break a rule; warnings will right themselves or are somebody's choice. */
export interface Finding {
  readonly severity: "error" | "warning";
  readonly reason:
    | "AddressHeldTwice"
    | "OutsideBlock"
    | "FormerPool"
    | "UnknownPool"
    | "NotAdopted"
    | "PoolProblem"
    | "Exhausted"
    | "OverlappingBlocks"
    | "NotServing";
  /** "" with `pool` where it is about the node as a whole. */
  readonly poolKind: string;
  readonly pool: string;
  readonly message: string;
}

/** What a node serves and holds, as it can be read. */
export interface NodeContent {
  readonly pools: readonly PoolItem[];
  /** Whether a daemon told the pools; else they are what its store remembers of them. */
  readonly isRunning: boolean;
  readonly reservations: readonly ReservationItem[];
  /** What keeps ADD from being served, a sentence each. */
  readonly problems: readonly string[];
}

/** Checks a node. What only a running daemon knows is not compared with what its store remembers. */
export function check({ pools, isRunning, reservations, problems }: NodeContent): readonly Finding[] {
  return [
    ...problems.map(
      (message): Finding => ({ severity: "error", reason: "NotServing", poolKind: "", pool: "", message }),
    ),
    ...heldTwice(reservations),
    ...notAdopted(reservations),
    ...(isRunning ? [...againstPools(pools, reservations), ...poolFindings(pools)] : []),
  ];
}

function key(item: { readonly poolKind: string; readonly pool: string }): string {
  return `${item.poolKind}/${item.pool}`;
}

/** Names a reservation in a message. */
function holder(item: ReservationItem): string {
  const pod = item.pod === null ? "" : ` of pod ${item.pod.namespace}/${item.pod.name}`;
  return `container ${item.containerID === "" ? "(not known yet)" : item.containerID} interface ${item.ifname}${pod}`;
}

function heldTwice(reservations: readonly ReservationItem[]): Finding[] {
  const first = new Map<string, ReservationItem>();
  const findings: Finding[] = [];
  for (const item of reservations) {
    for (const address of item.addresses) {
      const other = first.get(address);
      first.set(address, item);
      if (other === undefined) continue;
      const message = `${address} is held by ${holder(other)} (${key(other)}) and by ${holder(item)} (${key(item)})`;
      findings.push({
        severity: "error",
        reason: "AddressHeldTwice",
        poolKind: item.poolKind,
        pool: item.pool,
        message,
      });
    }
  }
  return findings;
}

function notAdopted(reservations: readonly ReservationItem[]): Finding[] {
  return reservations
    .filter((item) => item.containerID === "")
    .map((item) => ({
      severity: "warning",
      reason: "NotAdopted",
      poolKind: item.poolKind,
      pool: item.pool,
      message: `${item.addresses.join(", ")} was rebuilt for ${holder(item)}; its next ADD or CHECK takes it over, and it is freed when its pod is gone`,
    }));
}

function againstPools(pools: readonly PoolItem[], reservations: readonly ReservationItem[]): Finding[] {
  const byKey = new Map(pools.map((pool) => [key(pool), pool]));
  return reservations.flatMap((item): Finding[] => {
    const about = { poolKind: item.poolKind, pool: item.pool };
    const pool = byKey.get(key(item));
    const held = `${item.addresses.join(", ")} is held by ${holder(item)}`;
    if (pool === undefined) {
      return [
        { severity: "warning", reason: "UnknownPool", ...about, message: `${held} although there is no such pool` },
      ];
    }
    if (item.poolUID !== "" && pool.uid !== "" && item.poolUID !== pool.uid) {
      const message = `${held} under a former pool of this name (uid ${item.poolUID}); it is dealt again after its DEL`;
      return [{ severity: "warning", reason: "FormerPool", ...about, message }];
    }
    const byName = item.how === "static" || item.how === "gateway";
    if (byName || insideBlock(pool, item)) return [];
    const block = pool.block === null ? "none" : `${pool.block.startIP}-${pool.block.endIP}`;
    return [
      { severity: "error", reason: "OutsideBlock", ...about, message: `${held} outside the node's block (${block})` },
    ];
  });
}

function blockRange(pool: PoolItem): Range | undefined {
  if (pool.block === null) return undefined;
  const first = parseAddress(pool.block.startIP);
  const last = parseAddress(pool.block.endIP);
  if (first === undefined || last === undefined) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

function insideBlock(pool: PoolItem, item: ReservationItem): boolean {
  const range = blockRange(pool);
  if (range === undefined) return false;
  return item.addresses.every((text) => {
    const address = parseAddress(text);
    return address !== undefined && contains(range, address);
  });
}

function poolFindings(pools: readonly PoolItem[]): Finding[] {
  const findings: Finding[] = [];
  for (const pool of pools) {
    const about = { poolKind: pool.poolKind, pool: pool.pool };
    if (pool.problem !== "")
      findings.push({ severity: "warning", reason: "PoolProblem", ...about, message: pool.problem });
    if (pool.block !== null && pool.addresses.free === "0") {
      const message = `all ${pool.addresses.total} addresses of the node's block are used or excluded`;
      findings.push({ severity: "warning", reason: "Exhausted", ...about, message });
    }
  }
  return [...findings, ...overlapping(pools)];
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
      const message = `the node's block shares addresses with its block of ${key(widest.pool)}`;
      const { poolKind, pool } = next.pool;
      findings.push({ severity: "warning", reason: "OverlappingBlocks", poolKind, pool, message });
      if (next.range.last > widest.range.last) widest = next;
    } else {
      widest = next;
    }
  }
  return findings;
}
