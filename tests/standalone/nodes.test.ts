import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseNodes } from "../../src/lib/standalone/nodes.ts";

const accepted: readonly [string, string, readonly [string, Record<string, string>][]][] = [
  [
    "names alone",
    "- a\n- b.example\n",
    [
      ["a", {}],
      ["b.example", {}],
    ],
  ],
  ["entries with labels", "- name: a\n  labels: {rack: r1}\n", [["a", { rack: "r1" }]]],
  [
    "Node objects in several documents",
    "kind: Node\nmetadata: {name: a, labels: {x: y}}\n---\nkind: Node\nmetadata: {name: b}\n",
    [
      ["a", { x: "y" }],
      ["b", {}],
    ],
  ],
  ["a List as kubectl prints it", '{"kind":"List","items":[{"kind":"Node","metadata":{"name":"a"}}]}', [["a", {}]]],
];
for (const [name, text, expected] of accepted) {
  test(`nodes are read from ${name}`, () => {
    const nodes = parseNodes(text, "nodes.yaml");
    if (!nodes.ok) throw new Error(nodes.error);
    assert.equal(
      nodes.value,
      expected.map(([node, labels]) => ({ name: node, labels })),
    );
  });
}

const refused: readonly [string, string, RegExp][] = [
  ["a number", "- 5\n", /nodes\.yaml: entry 1 is no node/],
  ["a name that no node can have", "- a\n- A_b\n", /entry 2 is no node/],
  ["a name that is there twice", "- a\n- name: a\n", /entry 2: node a is there twice/],
  ["a label that is no text", "- name: a\n  labels: {x: 5}\n", /entry 1 is no node/],
  ["a file without a node", "---\n", /^nodes\.yaml: lists no node$/],
  ["text that is no YAML", "- a\n  b: [", /nodes\.yaml: /],
];
for (const [name, text, message] of refused) {
  test(`${name} is refused with its place`, () => {
    const nodes = parseNodes(text, "nodes.yaml");
    if (nodes.ok) throw new Error("was accepted");
    assert.match(nodes.error, message);
    assert.not.match(nodes.error, /\n/);
  });
}

test.run();
