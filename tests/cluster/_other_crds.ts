/** CRDs that may stand in the place of ours: looser ones. */
import { type Crd, readCrd } from "../api/_crd.ts";
import type { Kind } from "./_pools.ts";

/** What a schema can say beyond the types of its fields. */
const RULES: ReadonlySet<string> = new Set([
  ...["enum", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern", "required"],
  ...["x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-validations"],
]);

/** The CRD with the types of its fields and nothing else. */
export function withoutRules(kind: Kind): Crd {
  return JSON.parse(JSON.stringify(readCrd(kind), (key, member) => (RULES.has(key) ? undefined : member)));
}

/** The CRD with a schema that takes anything. */
export function schemaless(kind: Kind): Crd {
  const copy = JSON.parse(JSON.stringify(readCrd(kind)));
  const anything = { "x-kubernetes-preserve-unknown-fields": true };
  copy.spec.versions[0].schema.openAPIV3Schema = { type: "object", properties: { spec: anything, status: anything } };
  copy.spec.versions[0].additionalPrinterColumns = [];
  return copy;
}
