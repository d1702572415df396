/** Which pools of a cluster share addresses (R6). */
import { divisionOf } from "../api/division.ts";
import { specInForce } from "../api/in_force.ts";
import type { PoolObject } from "../api/types.ts";
import type { Range } from "../ip/address.ts";

/** Two pools that share addresses, as `kind/name`; the first sorts before the second. */
export type Overlap = readonly [string, string];

/** How messages, and the planner's overlapsWith, name a pool. */
export function poolKey({ kind, metadata }: PoolObject): string {
  return `${kind}/${metadata.name}`;
}

/**
 * The pairs of pools whose networks, by the specs in force, share addresses: sorted, each once. Pools without a valid spec
 * have no network. O(n log n) for n pools, and one step for each pair.
 */
export function overlaps(pools: Iterable<PoolObject>): readonly Overlap[] {
  const networks: { key: string; network: Range }[] = [];
  for (const pool of pools) {
    const spec = specInForce(pool);
    const network = spec && divisionOf(spec)?.network;
    if (network !== undefined) networks.push({ key: poolKey(pool), network });
  }
  networks.sort(
    ({ network: a }, { network: b }) =>
      compare(a.family, b.family) || compare(a.first, b.first) || compare(b.last, a.last),
  );

  const pairs: Overlap[] = [];
  // Two networks are apart or one contains the other, so those that contain the present one are a stack.
  const containing: typeof networks = [];
  for (const item of networks) {
    const { family, first } = item.network;
    for (let top = containing.at(-1); top !== undefined; top = containing.at(-1)) {
      if (top.network.family === family && top.network.last >= first) break;
      containing.pop();
    }
    for (const { key } of containing) pairs.push(key < item.key ? [key, item.key] : [item.key, key]);
    containing.push(item);
  }
  return pairs.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
}

/** For each pool that shares addresses, the names of those it shares them with, sorted: what the planner's overlapsWith takes. */
export function overlapsByPool(pools: Iterable<PoolObject>): ReadonlyMap<string, readonly string[]> {
  const byPool = new Map<string, string[]>();
  for (const [a, b] of overlaps(pools)) {
    for (const [pool, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const others = byPool.get(pool);
      if (others === undefined) byPool.set(pool, [other]);
      else others.push(other);
    }
  }
  return byPool;
}

function compare<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
