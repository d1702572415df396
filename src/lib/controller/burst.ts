/** Gathers keys while changes come thick and fast, so that many of them cost one piece of work. */

/** How long to wait for more. */
export interface BurstLimits {
  /** Milliseconds without a further key after which the keys are handed on. */
  readonly quietMs: number;
  /** Milliseconds after which they are handed on though more come. */
  readonly longestMs: number;
}

/** Hands keys on when no more come for a while; each once, in the order in which they first came. */
export class Burst {
  readonly #limits: BurstLimits;
  readonly #handOn: (key: string) => void;
  readonly #keys = new Set<string>();
  #quiet: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;

  constructor(limits: BurstLimits, handOn: (key: string) => void) {
    this.#limits = limits;
    this.#handOn = handOn;
  }

  /** Notes keys; none does nothing. */
  add(keys: readonly string[]): void {
    if (keys.length === 0) return;
    for (const key of keys) this.#keys.add(key);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#end(), this.#limits.quietMs);
    this.#longest ??= setTimeout(() => this.#end(), this.#limits.longestMs);
  }

  /** Forgets what waits. */
  close(): void {
    this.#keys.clear();
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    this.#longest = undefined;
  }

  #end(): void {
    const keys = [...this.#keys];
    this.close();
    for (const key of keys) this.#handOn(key);
  }
}
