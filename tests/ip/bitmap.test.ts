import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SparseBitmap } from "../../src/lib/ip/bitmap.ts";
import { seededRandom } from "../random.ts";

const random = seededRandom("bitmap");

/** Where arithmetic that is too narrow goes wrong, and where the address spaces end. */
const edges = [2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n, 2n ** 127n, 2n ** 128n - 8n];

test("setting says whether the value was new, clearing whether it was there", () => {
  const bitmap = new SparseBitmap();
  assert.equal([bitmap.set(5n), bitmap.set(5n), bitmap.size], [true, false, 1]);
  assert.equal([bitmap.clear(5n), bitmap.clear(5n), bitmap.clear(2n ** 100n), bitmap.size], [true, false, false, 0]);
});

for (const edge of edges) {
  test(`R9 the values round ${edge} do not disturb each other`, () => {
    const bitmap = new SparseBitmap();
    const near = [-3n, -2n, -1n, 0n, 1n, 2n, 3n].map((offset) => edge + offset);
    for (const value of near) {
      bitmap.set(value);
      assert.equal(
        near.filter((each) => bitmap.has(each)),
        [value],
      );
      assert.is(bitmap.nextClear(value, value), undefined);
      assert.is(bitmap.nextClear(value, value + 4n), value + 1n);
      bitmap.clear(value);
    }
    for (const value of near) bitmap.set(value);
    assert.is(bitmap.nextClear(edge - 3n, edge + 3n), undefined);
    assert.is(bitmap.nextClear(edge - 3n, edge + 4n), edge + 4n);
    assert.is(bitmap.count(edge - 2n, edge + 100n), 6);
  });
}

test("R9 values that agree in their low 32, 53 or 64 bits are different values", () => {
  const bitmap = new SparseBitmap();
  bitmap.set(7n);
  for (const bits of [32n, 53n, 64n, 96n]) assert.not(bitmap.has(7n + (1n << bits)), `7 + 2^${bits}`);
});

test("R9 a search over the whole IPv6 space passes full pages only", () => {
  const bitmap = new SparseBitmap();
  for (let value = 0n; value < 65_000n; value++) bitmap.set(value);
  assert.is(bitmap.nextClear(0n, 2n ** 128n - 1n), 65_000n);
  assert.is(bitmap.count(0n, 2n ** 128n - 1n), 65_000);
  bitmap.clear(64_999n);
  assert.is(bitmap.nextClear(0n, 64_999n), 64_999n);
});

test("R9 a page goes when the last of its values goes", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const used = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const bitmap = new SparseBitmap();
  const before = used();
  for (let i = 0n; i < 500_000n; i++) {
    bitmap.set(i << 12n);
    if (i > 0n) bitmap.clear((i - 1n) << 12n);
  }
  // The collector frees array buffers in the background.
  for (let tries = 0; used() - before > 16_000_000 && tries < 500; tries++) await setTimeout(20);
  assert.ok(used() - before <= 16_000_000, "500,000 pages would be 64 MB");
  assert.is(bitmap.size, 1);
});

test("a bitmap equals a naive set in 40,000 random steps", () => {
  for (const base of [0n, 2n ** 32n - 2_500n, 2n ** 53n - 1_500n, 2n ** 64n - 2_000n, 2n ** 128n - 5_000n]) {
    const bitmap = new SparseBitmap();
    const model = new Set<bigint>();
    // Few values in few pages, so that pages fill up, empty and are made again.
    const value = (): bigint => base + BigInt(random.below(2) * 1_000 + random.below(70));
    for (let step = 0; step < 8_000; step++) {
      const at = value();
      if (random.below(3 + (step % 4)) > 2) assert.is(bitmap.clear(at), model.delete(at));
      else {
        assert.is(bitmap.set(at), !model.has(at));
        model.add(at);
      }
      const probe = value();
      const last = probe + BigInt(random.below(100));
      assert.is(bitmap.has(probe), model.has(probe));
      assert.is(bitmap.nextClear(probe, last), naiveNextClear(model, probe, last));
      assert.is(bitmap.count(probe, last), [...model].filter((each) => probe <= each && each <= last).length);
      assert.is(bitmap.size, model.size);
    }
  }
});

function naiveNextClear(model: Set<bigint>, first: bigint, last: bigint): bigint | undefined {
  for (let value = first; value <= last; value++) if (!model.has(value)) return value;
  return undefined;
}

test.run();
