/** Work by key: however often a key is added, it is worked on once at a time, and again only if it was added meanwhile. */
import { fullWait } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";

/** What came of the work: `done`; `retry` waits longer from failure to failure; `againMs` asks for the key once more, later. */
export type Outcome = "done" | "retry" | { readonly againMs: number };

export interface QueueOptions {
  /** The work. Its signal is aborted when the queue gives up. An exception counts as `retry` and goes to `onError`. */
  readonly work: (key: string, signal: AbortSignal) => Promise<Outcome>;
  /** Keys at the same time. Default 1. */
  readonly concurrency?: number;
  /** Milliseconds until the first retry. Default 100. */
  readonly firstRetryMs?: number;
  /** The longest wait for a retry, in milliseconds. Default 60,000. */
  readonly longestRetryMs?: number;
  /** Retries of all keys together: so many at once, then so many a second. Default 100 and 10. */
  readonly retryBurst?: number;
  readonly retriesPerSecond?: number;
  readonly clock?: Clock;
  readonly onError?: (key: string, error: unknown) => void;
}

/** A queue of keys and its workers. */
export class WorkQueue {
  /** Keys to be worked on now, in the order of their coming. */
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys added while they are worked on. */
  readonly #dirty = new Set<string>();
  /** Keys that wait for their time: when, and how to cancel. */
  readonly #delayed = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  readonly #options: Required<Omit<QueueOptions, "onError">> & Pick<QueueOptions, "onError">;
  readonly #abort = new AbortController();
  /** When the next retry may be, as the token bucket counts it. */
  #retryAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #idle: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.#options = {
      concurrency: 1,
      firstRetryMs: 100,
      longestRetryMs: 60_000,
      retryBurst: 100,
      retriesPerSecond: 10,
      clock: systemClock,
      ...options,
    };
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return this.#ready.size + this.#dirty.size;
  }

  /** Keys that are worked on. */
  get running(): number {
    return this.#running.size;
  }

  /** Asks for a key's work now. */
  add(key: string): void {
    if (this.#stopped) return;
    if (this.#running.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#ready.add(key);
    this.#start();
  }

  /**
   * Asks for a key's work in `ms` milliseconds. Of several times the earliest counts, and work that begins before drops the
   * others: what it still wants later, its outcome says.
   */
  addAfter(key: string, ms: number): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const at = clock.now() + ms;
    const known = this.#delayed.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.cancel();
    const cancel = clock.after(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, cancel });
  }

  /**
   * Begins no more work, and waits for what is under way.
   *
   * @param graceMs then its signal is aborted, and it is waited for as long again at most.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    for (const keys of [this.#delayed, this.#ready, this.#dirty]) keys.clear();
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const { clock } = this.#options;
      const cancels = [clock.after(graceMs, () => this.#abort.abort()), clock.after(graceMs * 2, () => this.#idle?.())];
      this.#idle = () => {
        for (const cancel of cancels) cancel();
        resolve();
      };
    });
  }

  #start(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#ready.delete(key);
      this.#delayed.get(key)?.cancel();
      this.#delayed.delete(key);
      this.#running.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    let outcome: Outcome = "retry";
    try {
      outcome = await this.#options.work(key, this.#abort.signal);
    } catch (error) {
      this.#options.onError?.(key, error);
    }
    this.#running.delete(key);
    if (outcome !== "retry") this.#failures.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
    if (outcome === "retry") this.addAfter(key, this.#retryWait(key));
    else if (outcome !== "done") this.addAfter(key, outcome.againMs);
    this.#start();
    if (this.#running.size === 0) this.#idle?.();
  }

  /** The longer of the key's own wait and the bucket's. */
  #retryWait(key: string): number {
    const { clock, firstRetryMs, longestRetryMs, retryBurst, retriesPerSecond } = this.#options;
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const own = fullWait({ firstMs: firstRetryMs, longestMs: longestRetryMs }, failures);
    const gap = 1000 / retriesPerSecond;
    const now = clock.now();
    // The bucket is full when no retry was granted for burst x gap.
    this.#retryAt = Math.max(this.#retryAt, now - retryBurst * gap) + gap;
    return Math.max(own, this.#retryAt - now);
  }
}
