import { test } from "uvu";
import * as assert from "uvu/assert";
import { SparseBitmap } from "../../src/lib/ip/bitmap.ts";
import { type Interval, IntervalSet } from "../../src/lib/ip/intervals.ts";
import { nextFree } from "../../src/lib/ip/search.ts";
import { seededRandom } from "../random.ts";

const random = seededRandom("search");

const block = (first: bigint, last: bigint, ...excluded: Interval[]): IntervalSet =>
  IntervalSet.of(excluded).gaps({ first, last });

function marked(...values: bigint[]): SparseBitmap {
  const bitmap = new SparseBitmap();
  for (const value of values) bitmap.set(value);
  return bitmap;
}

const rows: readonly { name: string; usable: IntervalSet; taken: bigint[]; cursor?: bigint; expected?: bigint }[] = [
  { name: "starts at the first address", usable: block(10n, 13n), taken: [], expected: 10n },
  { name: "goes on after the cursor", usable: block(10n, 13n), taken: [], cursor: 11n, expected: 12n },
  { name: "wraps after the last address", usable: block(10n, 13n), taken: [], cursor: 13n, expected: 10n },
  { name: "skips what is taken", usable: block(10n, 13n), taken: [12n, 13n, 10n], cursor: 11n, expected: 11n },
  {
    name: "finds the cursor's own address last",
    usable: block(10n, 13n),
    taken: [10n, 12n, 13n],
    cursor: 11n,
    expected: 11n,
  },
  { name: "finds nothing in a full block", usable: block(10n, 11n), taken: [10n, 11n], cursor: 10n },
  { name: "finds nothing where all is excluded", usable: block(10n, 11n, { first: 0n, last: 99n }), taken: [] },
  {
    name: "takes a cursor below the block as no cursor",
    usable: block(10n, 13n),
    taken: [],
    cursor: 3n,
    expected: 10n,
  },
  {
    name: "takes a cursor above the block as no cursor",
    usable: block(10n, 13n),
    taken: [],
    cursor: 99n,
    expected: 10n,
  },
  {
    name: "skips an exclusion of millions of addresses after the cursor",
    usable: block(10n, 2n ** 24n, { first: 12n, last: 2n ** 23n }),
    taken: [],
    cursor: 11n,
    expected: 2n ** 23n + 1n,
  },
];

for (const { name, usable, taken, cursor, expected } of rows) {
  test(`the search ${name}`, () => assert.is(nextFree(usable, marked(...taken), cursor), expected));
}

const ends: readonly [string, bigint][] = [
  ["2^31", 2n ** 31n],
  ["255.255.255.255", 2n ** 32n - 1n],
  ["2^53", 2n ** 53n],
  ["2^63", 2n ** 63n],
  ["2^64", 2n ** 64n],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2n ** 128n - 1n],
];

for (const [name, end] of ends) {
  test(`R9 the search is exact at ${name}`, () => {
    const usable = block(end - 3n, end);
    assert.is(nextFree(usable, marked(end - 3n, end - 2n, end - 1n), end - 3n), end);
    assert.is(nextFree(usable, marked(end - 3n, end - 1n, end), end), end - 2n);
    assert.is(nextFree(usable, marked(end - 3n, end - 2n, end - 1n, end), end), undefined);
  });
}

test("the search equals a naive walk in 5,000 random cases", () => {
  for (let round = 0; round < 5_000; round++) {
    const base = random.pick([0n, 2n ** 32n - 64n, 2n ** 53n - 30n, 2n ** 64n - 30n, 2n ** 128n - 64n]);
    const first = base + BigInt(random.below(20));
    const last = first + BigInt(random.below(40));
    const excluded = Array.from({ length: random.below(4) }, () => {
      const at = base + BigInt(random.below(60));
      return { first: at, last: at + BigInt(random.below(6)) };
    });
    const taken = Array.from({ length: random.below(60) }, () => base + BigInt(random.below(60)));
    const cursor = random.below(4) === 0 ? undefined : base + BigInt(random.below(64));
    assert.is(
      nextFree(block(first, last, ...excluded), marked(...taken), cursor),
      naive(first, last, excluded, taken, cursor),
    );
  }
});

function naive(
  first: bigint,
  last: bigint,
  excluded: readonly Interval[],
  taken: readonly bigint[],
  cursor: bigint | undefined,
): bigint | undefined {
  const inOrder: bigint[] = [];
  for (let value = first; value <= last; value++) if (cursor !== undefined && value > cursor) inOrder.push(value);
  for (let value = first; value <= last; value++) if (cursor === undefined || value <= cursor) inOrder.push(value);
  return inOrder.find(
    (value) => !taken.includes(value) && !excluded.some((each) => each.first <= value && value <= each.last),
  );
}

test.run();
