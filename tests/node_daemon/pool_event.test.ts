import { test } from "uvu";
import * as assert from "uvu/assert";
import { readPool } from "../../src/lib/api/parse.ts";
import { ALLOCATIONS, type PoolEventObject, parsePoolEvent } from "../../src/lib/node/_pool_event.ts";
import { poolOnNode } from "../../src/lib/reservations/pool.ts";
import { seededRandom } from "../random.ts";
import { NODE } from "../reservations/_pools.ts";

const SPEC = { subnet: "10.0.0.0/16", perNodeBlockSize: 16, gateway: "10.0.0.1", routes: [{ dst: "10.9.0.0/16" }] };

/** An event of a pool as the API server writes it. */
function eventText(status: unknown, more: object = {}): string {
  const metadata = { name: "pool1", namespace: "kube-system", resourceVersion: "7", uid: "u-1" };
  const object = { apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind: "IPPool", metadata, spec: SPEC, ...more, status };
  return JSON.stringify({ type: "MODIFIED", object });
}

const entry = (nodeName: string, third: number): object => ({
  endIP: `10.0.${third}.15`,
  nodeName,
  startIP: `10.0.${third}.0`,
});

function objectOf(event: unknown): PoolEventObject {
  return (event as { readonly object: PoolEventObject }).object;
}

/** What a daemon makes of the object; the table of other nodes' blocks as what it says of some addresses. */
function served(object: PoolEventObject): unknown {
  const read = readPool(object);
  if (!read.ok) return read.error;
  const made = poolOnNode(read.value, NODE, undefined, object[ALLOCATIONS]);
  if (made.state !== "ready") return made;
  const { others, ...pool } = made.pool;
  const probes = Array.from({ length: 8 }, (_, third) =>
    others.firstOfBlockWith(BigInt((10 << 24) + (third << 8) + 3)),
  );
  return { ...made, pool, size: others.size, probes };
}

const many = Array.from({ length: 200 }, (_, index) => entry(`node-${index}`, index));

const texts: readonly [name: string, text: string, isShortened: boolean][] = [
  ["a status of many nodes", eventText({ allocations: many, conditions: [{ type: "Ready", status: "True" }] }), true],
  ["no entry of this node", eventText({ allocations: [entry("node-10", 1), entry("node-11", 2)] }), true],
  ["this node's entry alone", eventText({ allocations: [entry(NODE, 1)] }), true],
  ["two entries of this node", eventText({ allocations: [entry(NODE, 1), entry(NODE, 2)] }), true],
  ["entries at rest behind it", eventText({ allocations: many, released: [entry(NODE, 250)] }), true],
  ["no entries", eventText({ allocations: [], released: [entry("node-2", 1)] }), true],
  ["an empty list alone", eventText({ allocations: [] }), true],
  ["no list", eventText({ allocations: null }), false],
  ["no status", eventText(undefined), false],
  ["another member of the name", eventText({ allocations: many, deep: { allocations: [entry(NODE, 9)] } }), false],
  ["the name in a string", eventText({ allocations: many, note: '"allocations":[{}]' }), true],
  ["a string with an end", eventText({ allocations: [{ ...entry("a}]", 1) }, entry(NODE, 2)] }), false],
  ["an entry at the end that is none", eventText({ allocations: [entry(NODE, 1), 7], released: many }), true],
  ["entries somewhere else", eventText({ blocks: { allocations: [entry(NODE, 1)] } }), false],
  ["an own entry with an end", eventText({ allocations: [{ ...entry(NODE, 1), note: "}]" }, entry("b", 2)] }), false],
  ["a list in an entry", eventText({ allocations: [{ ...entry("a", 1), more: [{ b: 1 }] }, entry(NODE, 2)] }), false],
  ["an object in the own entry", eventText({ allocations: [{ ...entry(NODE, 1), more: { b: 1 } }] }), false],
  ["entries that are none", eventText({ allocations: [1, "x", {}, entry(NODE, 3), { nodeName: 3 }] }), true],
];

for (const [name, text, isShortened] of texts) {
  test(`an event is served as if it were read whole: ${name}`, () => {
    const object = objectOf(parsePoolEvent(text, NODE));
    const whole = objectOf(JSON.parse(text));
    assert.is(object[ALLOCATIONS] !== undefined, isShortened);
    assert.equal(served(object), served(whole));
  });
}

test("R10 of thousands of entries one becomes an object, and the others still protect their blocks", () => {
  const object = objectOf(parsePoolEvent(eventText({ allocations: many }), NODE));
  const { allocations } = (object as unknown as { status: { allocations: readonly unknown[] } }).status;
  assert.equal(allocations, [entry(NODE, 1)]);
  const read = readPool(object);
  assert.ok(read.ok);
  if (!read.ok) return;
  const made = poolOnNode(read.value, NODE, undefined, object[ALLOCATIONS]);
  assert.is(made.state === "ready" && made.pool.others.size, many.length - 1);
});

test("what is no JSON is refused, also where the entries are cut out of it", () => {
  for (const text of ["", "{", '{"type":"ADDED","object":{"status":{"allocations":[{"nodeName":"a"}]}}']) {
    assert.throws(
      () => parsePoolEvent(text, NODE),
      (error: unknown) => error instanceof SyntaxError,
    );
  }
});

test("events of any strings are served as if they were read whole", () => {
  const random = seededRandom("pool events");
  const pieces = [
    "}]",
    "]",
    "}",
    "{",
    '"',
    "\\",
    '"allocations":[',
    '"nodeName":"node-1"',
    ",",
    ":",
    "10.0.3.0",
    "é",
  ] as const;
  const word = (): string => Array.from({ length: random.below(4) }, () => random.pick(pieces)).join("");
  const name = (): string => random.pick([NODE, "node-2", word()]);
  for (let round = 0; round < 2000; round++) {
    const allocations = Array.from({ length: random.below(5) }, (_, index) => {
      const made = { ...entry(name(), index), ...(random.below(4) === 0 && { note: word() }) };
      return random.below(6) === 0 ? { ...made, startIP: word() } : made;
    });
    const text = eventText({ allocations, note: word() }, random.below(4) === 0 ? { allocations: [word()] } : {});
    assert.equal(served(objectOf(parsePoolEvent(text, NODE))), served(objectOf(JSON.parse(text))), text);
  }
});

test.run();
