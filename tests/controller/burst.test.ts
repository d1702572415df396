/** Changes that come together are handed on together. */
import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Burst } from "../../src/lib/controller/burst.ts";

function collect(limits: { readonly quietMs: number; readonly longestMs: number }) {
  const handed: string[] = [];
  const burst = new Burst(limits, (key) => handed.push(key));
  return { handed, burst };
}

test("keys are handed on once each, when no more come", async () => {
  const { handed, burst } = collect({ quietMs: 5, longestMs: 10_000 });
  burst.add(["b", "a"]);
  burst.add(["a", "c"]);
  assert.equal(handed, []);
  while (handed.length === 0) await delay(5);
  assert.equal(handed, ["b", "a", "c"]);
});

test("keys that never stop coming are handed on all the same", async () => {
  const { handed, burst } = collect({ quietMs: 10_000, longestMs: 20 });
  while (handed.length === 0) {
    burst.add(["a"]);
    await delay(2);
  }
  burst.close();
  assert.equal(handed, ["a"]);
});

test("what waits when it is closed is forgotten, and nothing keeps the process", async () => {
  const { handed, burst } = collect({ quietMs: 1, longestMs: 1 });
  burst.add(["a"]);
  burst.close();
  await delay(20);
  assert.equal(handed, []);
});

test.run();
