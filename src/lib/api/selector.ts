/** Which nodes a pool's nodeSelector chooses, as core/v1 NodeSelector says and the scheduler reads it. */
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from "./types.ts";

/** What a nodeSelector looks at. */
export interface NodeInfo {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

type Test = (value: string | undefined) => boolean;

/** The values of labels (RFC 1123 labels with `.` and `_`, at most 63 characters, or nothing). */
const LABEL_VALUE = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?$/;
const MAX_INT64 = 2n ** 63n - 1n;

/**
 * Makes a test of nodes. Terms are ORed; without a selector every node matches; an empty term matches none, and so does a
 * term with a requirement that the API server's own matching could not read (an operator that does not exist, a value that
 * no label can have, Gt or Lt with something else than an integer).
 */
export function nodeMatcher(selector: NodeSelector | undefined): (node: NodeInfo) => boolean {
  if (selector === undefined) return () => true;
  const terms = selector.nodeSelectorTerms.map(termMatcher).filter((term) => term !== undefined);
  return (node) => terms.some((term) => term(node));
}

/** Whether the term can match a node at all. */
export function canMatch(term: NodeSelectorTerm): boolean {
  return termMatcher(term) !== undefined;
}

function termMatcher({
  matchExpressions = [],
  matchFields = [],
}: NodeSelectorTerm): ((node: NodeInfo) => boolean) | undefined {
  const labels: { key: string; test: Test }[] = [];
  for (const { key, ...rest } of matchExpressions) {
    const test = requirementTest(rest);
    if (test === undefined) return undefined;
    labels.push({ key, test });
  }
  const names: Test[] = [];
  for (const { key, ...rest } of matchFields) {
    const test = key === "metadata.name" ? fieldTest(rest) : undefined;
    if (test === undefined) return undefined;
    names.push(test);
  }
  if (labels.length + names.length === 0) return undefined;
  return (node) => {
    for (const { key, test } of labels) {
      if (!test(Object.hasOwn(node.labels, key) ? node.labels[key] : undefined)) return false;
    }
    return names.every((test) => test(node.name));
  };
}

function requirementTest({ operator, values = [] }: Omit<NodeSelectorRequirement, "key">): Test | undefined {
  if (!values.every(isLabelValue)) return undefined;
  const set = new Set(values);
  switch (operator) {
    case "In":
      return set.size === 0 ? undefined : (value) => value !== undefined && set.has(value);
    case "NotIn":
      return set.size === 0 ? undefined : (value) => value === undefined || !set.has(value);
    case "Exists":
      return set.size > 0 ? undefined : (value) => value !== undefined;
    case "DoesNotExist":
      return set.size > 0 ? undefined : (value) => value === undefined;
    case "Gt":
      return comparison(values, (value, bound) => value > bound);
    case "Lt":
      return comparison(values, (value, bound) => value < bound);
    default:
      return undefined;
  }
}

function fieldTest({ operator, values = [] }: Omit<NodeSelectorRequirement, "key">): Test | undefined {
  const [name, ...more] = values;
  if (name === undefined || more.length > 0) return undefined;
  if (operator === "In") return (value) => value === name;
  return operator === "NotIn" ? (value) => value !== name : undefined;
}

function comparison(values: readonly string[], holds: (value: bigint, bound: bigint) => boolean): Test | undefined {
  const [text = "", ...more] = values;
  const bound = parseInt64(text);
  if (bound === undefined || more.length > 0) return undefined;
  return (value) => {
    const number = value === undefined ? undefined : parseInt64(value);
    return number !== undefined && holds(number, bound);
  };
}

/** What strconv.ParseInt reads of a label's value; signs cannot stand there. */
function parseInt64(text: string): bigint | undefined {
  if (!/^\d{1,63}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value > MAX_INT64 ? undefined : value;
}

/** Whether a label can have this value. */
export function isLabelValue(text: string): boolean {
  return text.length <= 63 && LABEL_VALUE.test(text) && !/[-_.]$/.test(text);
}
