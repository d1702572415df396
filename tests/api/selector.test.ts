/** Which selectors are accepted, and which nodes they choose. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { nodeMatcher } from "../../src/lib/api/selector.ts";
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from "../../src/lib/api/types.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { ippool, parsed } from "./_pools.ts";

const LABELS = {
  tier: "gold",
  slot: "5",
  empty: "",
  big: "9223372036854775807",
  huge: "9223372036854775808",
  "a/b": "x",
};

function label(key: string, operator: string, ...values: string[]): NodeSelectorTerm {
  return { matchExpressions: [{ key, operator, values }] };
}

function field(operator: string, ...values: string[]): NodeSelectorTerm {
  return { matchFields: [{ key: "metadata.name", operator, values }] };
}

/** A term with as many requirements of either sort. */
function both(count: number): NodeSelectorTerm {
  return {
    matchExpressions: Array(count).fill(req("a", "Exists")),
    matchFields: Array(count).fill(req("metadata.name", "In", "node-a")),
  };
}

function validity(...nodeSelectorTerms: NodeSelectorTerm[]) {
  const { errors, warnings } = validatePool(parsed(ippool({ nodeSelector: { nodeSelectorTerms } })));
  const short = (path: string) => path.replace("spec.nodeSelector.nodeSelectorTerms", "terms");
  return { errors: errors.map(({ path }) => short(path)), warnings: warnings.map(({ path }) => short(path)) };
}

const MATCHING: readonly (readonly [what: string, terms: readonly NodeSelectorTerm[], matches: boolean])[] = [
  ["In with the value", [label("tier", "In", "bronze", "gold")], true],
  ["In with other values", [label("tier", "In", "bronze")], false],
  ["In of a label that is not there", [label("nothing", "In", "gold")], false],
  ["In with the empty value", [label("empty", "In", "")], true],
  ["NotIn with the value", [label("tier", "NotIn", "gold")], false],
  ["NotIn with other values", [label("tier", "NotIn", "bronze")], true],
  ["NotIn of a label that is not there", [label("nothing", "NotIn", "gold")], true],
  ["Exists", [label("tier", "Exists")], true],
  ["Exists of an empty label", [label("empty", "Exists")], true],
  ["Exists of a label that is not there", [label("nothing", "Exists")], false],
  ["Exists of a name that every object inherits", [label("toString", "Exists")], false],
  ["DoesNotExist", [label("tier", "DoesNotExist")], false],
  ["DoesNotExist of a label that is not there", [label("nothing", "DoesNotExist")], true],
  ["Gt below the label", [label("slot", "Gt", "4")], true],
  ["Gt of the label", [label("slot", "Gt", "5")], false],
  ["Gt of a label that is no integer", [label("tier", "Gt", "4")], false],
  ["Gt of a label that is not there", [label("nothing", "Gt", "4")], false],
  ["Lt above the label", [label("slot", "Lt", "6")], true],
  ["Lt compares numbers, not texts", [label("slot", "Lt", "10")], true],
  ["Lt of the label", [label("slot", "Lt", "5")], false],
  ["Gt with the largest int64 but one", [label("big", "Gt", "9223372036854775806")], true],
  ["Gt of a label beyond int64", [label("huge", "Gt", "1")], false],
  ["Gt with a value that is no integer", [label("slot", "Gt", "4.5")], false],
  ["Lt with a value that is no integer", [label("slot", "Lt", "six")], false],
  ["an operator that does not exist", [label("tier", "Equals", "gold")], false],
  ["a value that no label can have, beside the right one", [label("tier", "In", "gold", "not a label")], false],
  ["metadata.name In", [field("In", "node-a")], true],
  ["metadata.name In of another node", [field("In", "node-b")], false],
  ["metadata.name NotIn", [field("NotIn", "node-a")], false],
  ["metadata.name NotIn of another node", [field("NotIn", "node-b")], true],
  ["another field", [{ matchFields: [{ key: "spec.nodeName", operator: "In", values: ["node-a"] }] }], false],
  ["an empty term", [{}], false],
  ["a term of empty lists", [{ matchExpressions: [], matchFields: [] }], false],
  ["no term", [], false],
  ["two terms, one of which holds", [label("tier", "In", "bronze"), label("slot", "Exists")], true],
  ["an unreadable term beside one that holds", [label("tier", "Equals"), label("slot", "Exists")], true],
  [
    "two requirements, one of which holds",
    [{ matchExpressions: [req("tier", "Exists"), req("nothing", "Exists")] }],
    false,
  ],
  ["two requirements that hold", [{ matchExpressions: [req("tier", "Exists"), req("slot", "Gt", "1")] }], true],
  [
    "labels that hold with a name that does not",
    [{ matchExpressions: [req("tier", "Exists")], matchFields: [req("metadata.name", "In", "node-b")] }],
    false,
  ],
];

function req(key: string, operator: string, ...values: string[]): NodeSelectorRequirement {
  return { key, operator, values };
}

for (const [what, nodeSelectorTerms, expected] of MATCHING) {
  test(`${what} ${expected ? "matches" : "does not match"}`, () => {
    assert.is(nodeMatcher({ nodeSelectorTerms })({ name: "node-a", labels: LABELS }), expected);
  });
}

test("without a selector every node matches", () => {
  assert.ok(nodeMatcher(undefined)({ name: "node-a", labels: {} }));
});

const LONG = "x".repeat(63);
const RULES: readonly (readonly [
  what: string,
  terms: readonly NodeSelectorTerm[],
  errors: readonly string[],
  warnings?: readonly string[],
])[] = [
  ["a term", [label("node-role.kubernetes.io/worker", "Exists")], []],
  ["no term", [], ["terms"]],
  ["an empty term", [{}], [], ["terms[0]"]],
  ["5,000 terms", Array(5000).fill(label("a", "Exists")), []],
  ["5,001 terms", Array(5001).fill(label("a", "Exists")), ["terms"]],
  ["5,001 empty terms", Array(5001).fill({}), ["terms"]],
  ["5,000 requirements in two terms", Array(2).fill(both(1250)), []],
  ["5,001 requirements in three terms", [both(1250), both(1250), label("a", "Exists")], ["terms"]],
  ["In without values", [label("a", "In")], ["terms[0].matchExpressions[0].values"]],
  ["NotIn without values", [label("a", "NotIn")], ["terms[0].matchExpressions[0].values"]],
  ["In with a value twice", [label("a", "In", "x", "x")], []],
  ["Exists with values", [label("a", "Exists", "x")], ["terms[0].matchExpressions[0].values"]],
  ["DoesNotExist with values", [label("a", "DoesNotExist", "x")], ["terms[0].matchExpressions[0].values"]],
  ["Gt without value", [label("a", "Gt")], ["terms[0].matchExpressions[0].values"]],
  ["Gt with two values", [label("a", "Gt", "1", "2")], ["terms[0].matchExpressions[0].values"]],
  ["Gt with a word, which the original accepts", [label("a", "Gt", "one")], [], ["terms[0]"]],
  ["Lt with a negative integer, which no label can be", [label("a", "Lt", "-1")], [], ["terms[0]"]],
  ["a value that no label can have", [label("a", "In", "not a label")], [], ["terms[0]"]],
  ["an unknown operator", [label("a", "Equals", "x")], ["terms[0].matchExpressions[0].operator"]],
  ["an operator in small letters", [label("a", "in", "x")], ["terms[0].matchExpressions[0].operator"]],
  ["no operator", [label("a", "", "x")], ["terms[0].matchExpressions[0].operator"]],
  ["an empty key", [label("", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["a key with a blank", [label("a b", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["a key of 63 letters", [label(LONG, "Exists")], []],
  ["a key of 64 letters", [label(`${LONG}x`, "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["a key that ends in a dash", [label("a-", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["an empty prefix", [label("/a", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["a prefix in capitals", [label("Example.com/a", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["two slashes", [label("a/b/c", "Exists")], ["terms[0].matchExpressions[0].key"]],
  ["a name", [field("In", "node-a.example.com")], []],
  ["two names", [field("In", "node-a", "node-b")], ["terms[0].matchFields[0].values"]],
  ["no name", [field("NotIn")], ["terms[0].matchFields[0].values"]],
  ["Exists of a name", [field("Exists")], ["terms[0].matchFields[0].operator"]],
  ["a name in capitals", [field("In", "Node-A")], ["terms[0].matchFields[0].values[0]"]],
  ["another field", [{ matchFields: [req("metadata.uid", "In", "x")] }], ["terms[0].matchFields[0].key"]],
  [
    "the second term's second requirement",
    [label("a", "Exists"), { matchExpressions: [req("a", "Exists"), req("b", "Is")] }],
    ["terms[1].matchExpressions[1].operator"],
  ],
];

for (const [what, terms, errors, warnings = []] of RULES) {
  const outcome = errors.length > 0 ? "refused" : warnings.length > 0 ? "accepted with a warning" : "accepted";
  test(`a selector with ${what} is ${outcome}`, () => assert.equal(validity(...terms), { errors, warnings }));
}

test("a matcher is made of any selector that has the shape of one", () => {
  const odd: NodeSelector = { nodeSelectorTerms: [{ matchFields: [{ key: "", operator: "" }] }] };
  assert.not.ok(nodeMatcher(odd)({ name: "", labels: {} }));
});

test.run();
