import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { boundNewSpace, freezeNewSpace, newSpaceCapacity } from "../../src/lib/daemon/new_space.ts";

const MEGABYTE = 1024 * 1024;

/**
 * Makes objects of which some thousand live at a time, as those of many calls at once do.
 *
 * @returns the least capacity that was seen: pages that are about to leave the space count for a moment.
 */
async function work(turns: number, isEnough = (): boolean => false): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const alive: unknown[] = Array.from({ length: 20_000 });
  for (let turn = 0; turn < turns && !isEnough(); turn++) {
    for (let at = 0; at < 2000; at++) alive[(turn * 2000 + at) % alive.length] = { turn, at, texts: [`${turn}/${at}`] };
    await nextTurn();
    least = Math.min(least, newSpaceCapacity());
  }
  return least;
}

test("the space for new objects stays as it is while frozen, then grows to 4 MB and not further", async () => {
  freezeNewSpace();
  const before = newSpaceCapacity();
  await work(200);
  assert.ok((await work(100)) <= before, "it grew though it was frozen");

  boundNewSpace();
  const hasGrown = (): boolean => newSpaceCapacity() > 3.5 * MEGABYTE;
  await work(5000, hasGrown);
  assert.ok(hasGrown(), `it has ${newSpaceCapacity()} bytes`);
  await work(500);
  assert.ok((await work(500)) <= 4 * MEGABYTE, `it has ${newSpaceCapacity()} bytes`);
});

test.run();
