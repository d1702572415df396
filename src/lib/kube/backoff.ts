/** Waiting longer after each failure. */

export interface BackoffOptions {
  /** Milliseconds after the first failure. */
  readonly firstMs: number;
  /** The longest wait, in milliseconds. */
  readonly longestMs: number;
  /** Numbers in [0, 1), for the jitter. */
  readonly random: () => number;
}

/** Doubles from failure to failure; each wait is between half and all of it, so that many clients do not come at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait now. */
  next(): number {
    const { random } = this.#options;
    const full = fullWait(this.#options, this.#failures);
    this.#failures++;
    return full * (0.5 + random() / 2);
  }

  /** Something went well: the next failure is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** The wait after `failures` failures before this one, without jitter. */
export function fullWait({ firstMs, longestMs }: Omit<BackoffOptions, "random">, failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
}
