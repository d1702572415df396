/** The CRDs say the same fields as the types that the code is written in. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Member, readCrd, readInterfaces, type Schema } from "./_crd.ts";

const interfaces = readInterfaces();

/** Where the schema of an interface stands; its members beyond the interface's own. */
const PLACES: readonly [kind: "IPPool" | "CIDRPool", path: string, type: string, more?: readonly string[]][] = [
  ["IPPool", "spec", "IPPoolSpec"],
  ["CIDRPool", "spec", "CIDRPoolSpec"],
  ["CIDRPool", "spec.staticAllocations[]", "StaticAllocation"],
  ["IPPool", "status.allocations[]", "IPPoolAllocation"],
  ["CIDRPool", "status.allocations[]", "CIDRPoolAllocation"],
  ["IPPool", "status.released[]", "IPPoolAllocation", ["releasedAt", "reason"]],
  ["CIDRPool", "status.released[]", "CIDRPoolAllocation", ["releasedAt", "reason"]],
  ...(["IPPool", "CIDRPool"] as const).flatMap((kind): [typeof kind, string, string][] => [
    [kind, "spec.exclusions[]", "ExcludeRange"],
    [kind, "spec.perNodeExclusions[]", "ExcludeIndexRange"],
    [kind, "spec.routes[]", "Route"],
    [kind, "spec.nodeSelector", "NodeSelector"],
    [kind, "spec.nodeSelector.nodeSelectorTerms[]", "NodeSelectorTerm"],
    [kind, "spec.nodeSelector.nodeSelectorTerms[].matchExpressions[]", "NodeSelectorRequirement"],
    [kind, "status", "PoolStatus"],
    [kind, "status.blocks", "BlockCounts"],
    [kind, "status.conditions[]", "Condition"],
  ]),
];

const TYPES: Readonly<Record<string, readonly string[]>> = {
  string: ["string"],
  number: ["integer"],
  boolean: ["boolean"],
  '"True" | "False" | "Unknown"': ["string"],
};

for (const [kind, path, type, more = []] of PLACES) {
  test(`${kind} ${path} has the members of ${type}`, () => {
    const schema = at(kind, path);
    const members = interfaces.get(type);
    assert.ok(members, `types.ts has ${type}`);
    assert.equal(Object.keys(schema.properties ?? {}).sort(), [...members.keys(), ...more].sort());
    const required = [...members].flatMap(([name, { optional }]) => (optional ? [] : name));
    assert.equal([...(schema.required ?? [])].sort(), [...required, ...more].sort());
    for (const [name, member] of members) assertType(schema.properties?.[name], member, `${path}.${name}`);
  });
}

for (const kind of ["IPPool", "CIDRPool"] as const) {
  test(`${kind} status.appliedSpec is the spec without its nodeSelector and without rules of its own`, () => {
    const { nodeSelector: _, ...spec } = at(kind, "spec").properties ?? {};
    const applied = at(kind, "status.appliedSpec");
    assert.equal(applied.properties, withoutRules(spec));
    assert.equal(applied.required, at(kind, "spec").required);
  });

  test(`${kind}: every field is described, every integer has a format, every list says how it is merged`, () => {
    const faults: string[] = [];
    walk(readCrd(kind).spec.versions[0].schema.openAPIV3Schema, kind, (schema, path) => {
      const isItem = path.endsWith("[]");
      if (schema.description === undefined && !isItem && !path.endsWith(".metadata"))
        faults.push(`${path}: description`);
      if (schema.type === "integer" && schema.format === undefined) faults.push(`${path}: format`);
      if (schema.type === "array" && schema["x-kubernetes-list-type"] === undefined) faults.push(`${path}: list type`);
    });
    assert.equal(faults, []);
  });

  test(`${kind}: the lists that grow with the nodes are atomic and without rules, conditions are a map by type`, () => {
    for (const name of ["allocations", "released"]) {
      const list = at(kind, `status.${name}`);
      assert.is(list["x-kubernetes-list-type"], "atomic");
      assert.not.match(JSON.stringify(list), "x-kubernetes-validations");
    }
    const conditions = at(kind, "status.conditions");
    assert.equal([conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]], ["map", ["type"]]);
  });

  test(`${kind}: the columns show what fields of the schema say`, () => {
    const { additionalPrinterColumns, subresources } = readCrd(kind).spec.versions[0];
    assert.equal(subresources, { status: {} });
    const columns = additionalPrinterColumns as { readonly jsonPath: string; readonly type: string }[];
    for (const { jsonPath } of columns) {
      const path = jsonPath.slice(1).replace(/\[.*\]/, "[]");
      if (!path.startsWith("metadata.")) assert.ok(at(kind, path), jsonPath);
    }
  });
}

function at(kind: "IPPool" | "CIDRPool", path: string): Schema {
  let schema: Schema | undefined = readCrd(kind).spec.versions[0].schema.openAPIV3Schema;
  for (const step of path.split(".")) {
    const name = step.replace("[]", "");
    schema = schema?.properties?.[name];
    if (step.endsWith("[]")) schema = schema?.items;
  }
  assert.ok(schema, `${kind} has ${path}`);
  return schema;
}

function assertType(schema: Schema | undefined, { type }: Member, path: string): void {
  const expected = TYPES[type] ?? (type.startsWith("readonly ") ? ["array"] : ["object"]);
  assert.ok(expected.includes(schema?.type ?? ""), `${path} is ${schema?.type}, in types.ts ${type}`);
}

function withoutRules(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, member) => (key === "x-kubernetes-validations" ? undefined : member)));
}

function walk(schema: Schema, path: string, visit: (schema: Schema, path: string) => void): void {
  visit(schema, path);
  for (const [name, member] of Object.entries(schema.properties ?? {})) walk(member, `${path}.${name}`, visit);
  if (schema.items !== undefined) walk(schema.items, `${path}[]`, visit);
}

test.run();
