import { test } from "uvu";
import * as assert from "uvu/assert";
import { watch } from "../../src/lib/inspect/watch.ts";
import type { Clock } from "../../src/lib/kube/clock.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";

/** Watches what the readings give; each takes so many milliseconds. @returns what was shown and said, and the waits. */
async function watched(
  readings: readonly Result<string, string>[],
  readingMs = 0,
): Promise<readonly (string | number)[]> {
  const stop = new AbortController();
  const log: (string | number)[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    after: (ms, then) => {
      log.push(ms);
      queueMicrotask(then);
      return () => undefined;
    },
  };
  let next = 0;
  await watch({
    read: async () => {
      now += readingMs;
      const reading = readings[next++];
      if (reading !== undefined) return reading;
      stop.abort();
      return ok("late");
    },
    show: (text) => log.push(`shows ${text}`),
    complain: (message) => log.push(`says ${message}`),
    intervalMs: 2000,
    clock,
    signal: stop.signal,
  });
  return log;
}

test("what does not change is shown once", async () => {
  assert.equal(await watched([ok("a"), ok("a"), ok("b")]), ["shows a", 2000, 2000, "shows b", 2000]);
});

test("what cannot be read is said once and read again", async () => {
  const log = await watched([ok("a"), fail("gone"), fail("gone"), ok("a"), fail("gone")]);
  assert.equal(log, ["shows a", 2000, "says gone", 2000, 2000, 2000, "says gone", 2000]);
});

test("a reading that takes long is followed by ten times as long a wait", async () => {
  assert.equal(await watched([ok("a")], 900), ["shows a", 9000]);
});

test.run();
