/** A call that outlasts a daemon's restart: asked again, until its time is up, while nobody serves it. */
import type { Call } from "./daemon.ts";
import { Status } from "./error.ts";

/** How time passes for a call. */
export interface Waiting {
  /** Milliseconds since some moment; never set back. */
  readonly elapsedMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Whether the process that started this one is still there. */
  readonly isAwaited: () => boolean;
}

/** Milliseconds until it is asked again. */
const PAUSE_MS = 100;

/**
 * For requests that may be carried out twice: what was lost with the connection may have been done. In the end the failure
 * is the last answer's, within the same limit as that of one call; at once when nobody waits for it any more.
 */
export function patient(call: Call, { elapsedMs, sleep, isAwaited }: Waiting): Call {
  return async (options) => {
    const end = elapsedMs() + options.timeoutMs;
    // Whole milliseconds, as the limit is given.
    for (let timeoutMs = options.timeoutMs; ; timeoutMs = Math.floor(end - elapsedMs())) {
      const answer = await call({ ...options, timeoutMs, limitMs: options.timeoutMs });
      // The daemon does not run, broke off, or says that it cannot serve yet.
      const isPassing = !answer.ok && answer.error.status === Status.unavailable;
      if (!isPassing || elapsedMs() + 2 * PAUSE_MS > end) return answer;
      await sleep(PAUSE_MS);
      // A runtime that gave up has begun something else: a DEL after this ADD, or another ADD after this DEL.
      if (!isAwaited()) return answer;
    }
  };
}
