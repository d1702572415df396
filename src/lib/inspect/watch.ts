/** `--watch`: the same document again and again. */
import { type Clock, sleep } from "../kube/clock.ts";
import type { Result } from "../result.ts";

/** What is repeated. */
export interface WatchOptions {
  /** Gives the text to show, or why there is none. */
  readonly read: () => Promise<Result<string, string>>;
  /** Shows what differs from what was shown before. */
  readonly show: (text: string) => void;
  readonly complain: (message: string) => void;
  /** Milliseconds from the end of one reading to the next. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** After a reading that took long the next one waits longer, so that reading costs the other side this part of its time at most. */
const SHARE = 10;

/** Reads until the signal is aborted. A reading that fails is told once, and does not end it. Never rejects. */
export async function watch(options: WatchOptions): Promise<void> {
  const { read, show, complain, intervalMs, clock, signal } = options;
  let shown: string | undefined;
  let complaint: string | undefined;
  while (!signal.aborted) {
    const begun = clock.now();
    const text = await read();
    if (signal.aborted) return;
    if (text.ok && text.value !== shown) show(text.value);
    if (!text.ok && text.error !== complaint) complain(text.error);
    shown = text.ok ? text.value : shown;
    complaint = text.ok ? undefined : text.error;
    await sleep(clock, Math.max(intervalMs, (clock.now() - begun) * SHARE), signal);
  }
}
