import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseWithoutList } from "../../src/lib/kube/without_list.ts";
import { seededRandom } from "../random.ts";

const read: readonly [name: string, value: unknown, items: string][] = [
  ["a list of objects", { a: 1, list: [{ b: { c: "d" } }, { e: 2 }], z: [3] }, '{"b":{"c":"d"}},{"e":2}'],
  ["a list of anything but lists", { list: [1, "x", null, true] }, '1,"x",null,true'],
  ["an empty list", { list: [], z: [{}] }, ""],
  ["a list deep inside", { a: [{ b: { list: [1] } }] }, "1"],
  ["brackets of another kind in strings", { list: ["}", "{", "["] }, '"}","{","["'],
  ["the name in a string", { a: '"list":[', list: [1] }, "1"],
];

for (const [name, value, items] of read) {
  test(`all but the items is read: ${name}`, () => {
    const found = parseWithoutList(JSON.stringify(value), "list");
    assert.is(found?.items, items);
    assert.equal(
      found?.value,
      JSON.parse(JSON.stringify(value), (key, item) => (key === "list" ? [] : item)),
    );
  });
}

const whole: readonly [name: string, text: string][] = [
  ["no such list", '{"a":[1]}'],
  ["no list of the name", '{"list":{"a":1}}'],
  ["two of the name", '{"list":[1],"a":{"list":[2]}}'],
  ["a list in an item", '{"list":[[1],2]}'],
  ["a list in an object of it", '{"list":[{"a":[1]},{"b":2}]}'],
  ["the end in a string", '{"list":["a]",1]}'],
  ["white space", '{"list": [1]}'],
  ["a longer name", '{"a\\"list":[1]}'],
  ["half a text", '{"list":[1],"a":'],
  ["no JSON", "list"],
  ["nothing", ""],
];

for (const [name, text] of whole) {
  test(`a text is to be read whole: ${name}`, () => assert.is(parseWithoutList(text, "list"), undefined));
}

test("of any JSON the rest is what it is, and the items are those of the list", () => {
  const random = seededRandom("without a list");
  const words = ["]", "[", "}", "{", '"', "\\", '"list":[', ",", ":", "list"] as const;
  const word = (): string => Array.from({ length: random.below(4) }, () => random.pick(words)).join("");
  const value = (depth: number): unknown => {
    const kind = random.below(depth > 3 ? 2 : 6);
    if (kind === 0) return word();
    if (kind === 1) return random.below(9);
    const items = Array.from({ length: random.below(4) }, () => value(depth + 1));
    if (kind === 2) return items;
    // V8 takes a name for another that it has seen before, where both have backslashes.
    return Object.fromEntries(items.map((item) => [random.pick(["list", word().replaceAll("\\", "")]), item]));
  };
  let cut = 0;
  for (let round = 0; round < 20_000; round++) {
    const made = { first: value(0), list: value(0), last: value(0) };
    const found = parseWithoutList(JSON.stringify(made), "list");
    if (found === undefined) continue;
    cut++;
    const lists: unknown[] = [];
    const emptied = JSON.stringify(made, (key, item) => {
      if (key !== "list" || !Array.isArray(item)) return item;
      lists.push(item);
      return [];
    });
    assert.equal(found.value, JSON.parse(emptied));
    assert.equal([JSON.parse(`[${found.items}]`)], lists);
  }
  assert.ok(cut > 100, `${cut} were cut`);
});

test.run();
