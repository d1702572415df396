/** Random numbers that can be repeated: the seed is printed, and SEED in the environment sets it. */

/** A source of random numbers. */
export interface Random {
  readonly seed: number;
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  /** One of the items. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** Makes a source (mulberry32) and prints its seed. */
export function seededRandom(name: string, seed = Number(process.env.SEED ?? Date.now() & 0x7fffffff)): Random {
  console.log(`${name}: SEED=${seed}`);
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    seed,
    below,
    pick: (items) => items[below(items.length)] ?? items[0],
  };
}
