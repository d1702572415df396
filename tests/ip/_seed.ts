/** Seeded random numbers for the property tests. */

/** A source of random numbers that repeats itself for the same seed. */
export interface Random {
  /** An integer from 0 to below `limit`. */
  below(limit: number): number;
  /** One of the items. */
  pick<T>(items: readonly [T, ...T[]]): T;
}

/** The seed of this run: the environment's SEED, else a new one; printed, so that a failure can be run again. */
export function announceSeed(name: string): number {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${name}: SEED=${seed}`);
  return seed;
}

/** Xorshift32 (Marsaglia 2003): small, and good enough to choose test cases. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  return {
    below: (limit) => next() % limit,
    pick: (items) => items[next() % items.length] ?? items[0],
  };
}
