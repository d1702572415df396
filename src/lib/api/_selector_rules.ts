/** The rules of a nodeSelector, those of core/v1 for node affinity. */
import type { FieldErrors } from "./field_error.ts";
import { canMatch, isLabelValue } from "./selector.ts";
import type { NodeSelector, NodeSelectorRequirement, NodeSelectorTerm } from "./types.ts";

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const OPERATORS = "In, NotIn, Exists, DoesNotExist, Gt or Lt";
/** Each is looked at for each node; a term without any counts as one. A term for each node of the largest clusters is within. */
const MAX_REQUIREMENTS = 5000;

/** Checks a selector; `path` is that of the spec's member, as the messages shall name it. */
export function checkSelector(selector: NodeSelector, path: string, errors: FieldErrors, warnings: FieldErrors): void {
  const terms = selector.nodeSelectorTerms;
  if (terms.length === 0) {
    errors.add(
      `${path}.nodeSelectorTerms`,
      undefined,
      "at least one term; leave nodeSelector out to choose every node",
    );
  }
  const count = terms.reduce((sum, term) => sum + Math.max(1, requirementsOf(term)), 0);
  if (count > MAX_REQUIREMENTS) {
    const message = `has ${count} requirements in all; at most ${MAX_REQUIREMENTS} are allowed`;
    errors.add(`${path}.nodeSelectorTerms`, terms, message);
    return;
  }
  for (const [index, term] of terms.entries()) {
    const termPath = `${path}.nodeSelectorTerms[${index}]`;
    const before = errors.list().length;
    term.matchExpressions?.forEach((item, i) => {
      checkLabelRequirement(item, `${termPath}.matchExpressions[${i}]`, errors);
    });
    term.matchFields?.forEach((item, i) => {
      checkFieldRequirement(item, `${termPath}.matchFields[${i}]`, errors);
    });
    if (errors.list().length === before && !canMatch(term)) {
      warnings.add(termPath, "object", whyNoMatch(term.matchExpressions ?? []));
    }
  }
}

function requirementsOf({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm): number {
  return matchExpressions.length + matchFields.length;
}

function whyNoMatch(requirements: readonly NodeSelectorRequirement[]): string {
  const odd = requirements.flatMap(({ values = [] }) => values).find((value) => !isLabelValue(value));
  if (odd !== undefined)
    return `matches no node: ${JSON.stringify(odd.slice(0, 63))} is a value that no label can have`;
  if (requirements.length > 0) return "matches no node: the value of Gt and Lt must be an integer";
  return "matches no node: it has neither matchExpressions nor matchFields";
}

function checkLabelRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  path: string,
  errors: FieldErrors,
): void {
  if (!isLabelKey(key)) {
    errors.add(
      `${path}.key`,
      key,
      "must be a label's name, with or without prefix, such as node-role.kubernetes.io/worker",
    );
  }
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) errors.add(`${path}.values`, undefined, `at least one value for operator ${operator}`);
      break;
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) errors.add(`${path}.values`, values, `must be left out for operator ${operator}`);
      break;
    case "Gt":
    case "Lt":
      if (values.length !== 1) {
        errors.add(
          `${path}.values`,
          values.length === 0 ? undefined : values,
          `must be one integer for operator ${operator}`,
        );
      }
      break;
    default:
      errors.add(`${path}.operator`, operator, `must be ${OPERATORS}`);
  }
}

function checkFieldRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  path: string,
  errors: FieldErrors,
): void {
  if (operator !== "In" && operator !== "NotIn") errors.add(`${path}.operator`, operator, "must be In or NotIn");
  else if (values.length !== 1) {
    errors.add(`${path}.values`, values.length === 0 ? undefined : values, `must be one name for operator ${operator}`);
  }
  if (key !== "metadata.name") {
    errors.add(`${path}.key`, key, "must be metadata.name");
    return;
  }
  for (const [index, value] of values.entries()) {
    if (value.length > 253 || !SUBDOMAIN.test(value)) {
      errors.add(`${path}.values[${index}]`, value, "must be a node's name: lower case letters, digits, - and .");
    }
  }
}

/** Whether a label can have this name (a qualified name in the words of Kubernetes). */
function isLabelKey(key: string): boolean {
  const [first = "", second, ...more] = key.split("/");
  if (more.length > 0) return false;
  const name = second ?? first;
  if (second !== undefined && (first.length > 253 || !SUBDOMAIN.test(first))) return false;
  return name !== "" && isLabelValue(name);
}
