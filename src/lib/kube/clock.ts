/** Time as the parts of this room see it, so that tests can move it. */

/** A monotonic clock with timers. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls `then` once, after `ms` milliseconds, or after 24 days if that is less. @returns cancels the call; harmless afterwards. */
  after(ms: number, then: () => void): () => void;
}

/** Of a longer time Node makes a millisecond. */
const LONGEST_MS = 2 ** 31 - 1;

/** The process's monotonic clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, Math.min(ms, LONGEST_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Waits `ms` milliseconds, or until the signal is aborted: never throws. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(ms, done);
    signal.addEventListener("abort", done, { once: true });
  });
}
