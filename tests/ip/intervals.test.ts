import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Interval, IntervalSet } from "../../src/lib/ip/intervals.ts";
import { type Random, seededRandom } from "../random.ts";

const random = seededRandom("intervals");

const interval = (first: bigint, last: bigint = first): Interval => ({ first, last });

/** Where arithmetic that is too narrow goes wrong, and where the address spaces end. */
const edges = [2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n, 2n ** 128n - 1n];

test("the empty set contains nothing and has no gap to skip", () => {
  assert.ok(IntervalSet.of([]).isEmpty);
  assert.is(IntervalSet.empty.count(), 0n);
  assert.not(IntervalSet.empty.contains(0n));
  assert.is(IntervalSet.empty.nextGap(7n), 7n);
  assert.equal(IntervalSet.empty.gaps(interval(1n, 3n)).intervals, [interval(1n, 3n)]);
});

test("intervals that overlap, touch, repeat or come unsorted are merged", () => {
  const set = IntervalSet.of([
    interval(10n, 12n),
    interval(1n, 3n),
    interval(4n),
    interval(11n, 20n),
    interval(2n),
    interval(22n),
  ]);
  assert.equal(set.intervals, [interval(1n, 4n), interval(10n, 20n), interval(22n)]);
  assert.is(set.count(), 16n);
});

for (const edge of edges) {
  test(`R9 a set round ${edge} is exact to the last address`, () => {
    const set = IntervalSet.of([interval(edge - 4n, edge - 2n), interval(edge)]);
    assert.equal(
      [5n, 4n, 3n, 2n, 1n, 0n].map((below) => set.contains(edge - below)),
      [false, true, true, true, false, true],
    );
    assert.is(set.nextGap(edge - 4n), edge - 1n);
    assert.is(set.nextGap(edge), edge + 1n);
    assert.equal(set.gaps(interval(edge - 5n, edge)).intervals, [interval(edge - 5n), interval(edge - 1n)]);
    assert.equal(set.clip(interval(edge - 2n, edge - 1n)).intervals, [interval(edge - 2n)]);
    assert.is(set.count(), 4n);
  });
}

test("R9 counting the whole IPv6 space visits no address", () => {
  const everything = interval(0n, 2n ** 128n - 1n);
  assert.is(IntervalSet.of([everything]).count(), 2n ** 128n);
  assert.is(
    IntervalSet.of([interval(2n ** 64n)])
      .gaps(everything)
      .count(),
    2n ** 128n - 1n,
  );
});

test(`a set equals a naive list of its members in 3,000 random cases`, () => {
  for (let round = 0; round < 3_000; round++) {
    const base = random.pick([0n, 2n ** 32n - 40n, 2n ** 53n - 40n, 2n ** 64n - 40n, 2n ** 128n - 80n]);
    const drawn = Array.from({ length: random.below(8) }, () => randomInterval(random, base));
    agreesWithModel(IntervalSet.of(drawn), drawn, base, randomInterval(random, base));
  }
});

function randomInterval(random: Random, base: bigint): Interval {
  const first = base + BigInt(random.below(60));
  return interval(first, first + BigInt(random.below(12)));
}

function agreesWithModel(set: IntervalSet, drawn: readonly Interval[], base: bigint, within: Interval): void {
  const members = new Set<bigint>();
  for (const { first, last } of drawn) for (let value = first; value <= last; value++) members.add(value);
  assert.is(set.count(), BigInt(members.size));
  set.intervals.forEach((each, i) => {
    const next = set.intervals[i + 1];
    if (next !== undefined) assert.ok(each.last + 1n < next.first, "neighbours neither overlap nor touch");
  });
  const clipped = set.clip(within);
  const gaps = set.gaps(within);
  for (let value = base - 1n; value <= base + 80n; value++) {
    const inside = within.first <= value && value <= within.last;
    assert.is(set.contains(value), members.has(value));
    assert.is(clipped.contains(value), inside && members.has(value));
    assert.is(gaps.contains(value), inside && !members.has(value));
    let gap = value;
    while (members.has(gap)) gap++;
    assert.is(set.nextGap(value), gap);
  }
}

test.run();
