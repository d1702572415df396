import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Interval } from "../../src/lib/ip/intervals.ts";
import { BlockTable } from "../../src/lib/reservations/blocks.ts";
import { seededRandom } from "../random.ts";

const random = seededRandom("blocks");

test("an empty table holds no address", () => {
  assert.is(BlockTable.none.firstOfBlockWith(0n), undefined);
  assert.is(BlockTable.of(6, []).firstOfBlockWith(2n ** 128n - 1n), undefined);
});

for (const [family, end] of [
  [4, 2n ** 31n],
  [4, 2n ** 32n - 1n],
  [6, 2n ** 32n],
  [6, 2n ** 53n],
  [6, 2n ** 63n],
  [6, 2n ** 64n],
  [6, 2n ** 128n - 1n],
] as const) {
  test(`R10 an IPv${family} block that ends at ${end} is found by its first and last address and no other`, () => {
    const table = BlockTable.of(family, [
      { first: end - 1n, last: end },
      { first: 5n, last: 9n },
    ]);
    assert.equal(
      [end - 2n, end - 1n, end, 4n, 5n, 9n, 10n].map((value) => table.firstOfBlockWith(value)),
      [undefined, end - 1n, end - 1n, undefined, 5n, 5n, undefined],
    );
  });
}

test("R10 a table equals a naive list of blocks in 2,000 random cases", () => {
  for (let round = 0; round < 2_000; round++) {
    const family = random.pick([4, 6] as const);
    const base =
      family === 4 ? random.pick([0n, 2n ** 32n - 200n]) : random.pick([2n ** 64n - 100n, 2n ** 128n - 200n]);
    const blocks: Interval[] = [];
    for (let at = base + BigInt(random.below(5)); at < base + 150n; ) {
      const last = at + BigInt(random.below(10));
      blocks.push({ first: at, last });
      at = last + 1n + BigInt(random.below(2) * random.below(10));
    }
    const table = BlockTable.of(family, shuffled(blocks));
    for (let value = base; value < base + 180n; value++) {
      const expected = blocks.find(({ first, last }) => first <= value && value <= last)?.first;
      assert.is(table.firstOfBlockWith(value), expected);
    }
  }

  function shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, key: random.below(1_000_000) }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
  }
});

test("R10 blocks that overlap, as in a damaged status, still cover every address that they hold", () => {
  for (let round = 0; round < 500; round++) {
    const blocks = Array.from({ length: 1 + random.below(8) }, () => {
      const first = BigInt(random.below(60));
      return { first, last: first + BigInt(random.below(30)) };
    });
    for (const family of [4, 6] as const) {
      const table = BlockTable.of(family, blocks);
      for (let value = 0n; value < 100n; value++) {
        const inside = blocks.some(({ first, last }) => first <= value && value <= last);
        assert.is(table.firstOfBlockWith(value) !== undefined, inside);
      }
    }
  }
});

test.run();
