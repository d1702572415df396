/** docs/pools.md lists every field of the CRDs, as the CRDs describe it; with --write it is written anew. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { page, ROOT } from "./_pages.ts";

const PAGE = "docs/pools.md";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
}

/** A field's row, and those of what is in it. */
function rows(path: string, schema: Schema, isRequired: boolean): string[] {
  const { type = "", description = "", properties, items } = schema;
  const inside = items ?? schema;
  const shown = type === "array" ? `list of ${items?.type}s` : type;
  const row = `| \`${path}\` | ${shown}${isRequired ? ", required" : ""} | ${[description, bounds(schema)].join(" ").trim()} |`;
  // It has the fields of spec, which stand there.
  if (path === "status.appliedSpec") return [row];
  const below = Object.entries(inside.properties ?? properties ?? {}).flatMap(([name, field]) =>
    rows(`${path}${type === "array" ? "[]" : ""}.${name}`, field, inside.required?.includes(name) ?? false),
  );
  return [row, ...below];
}

function bounds({ minimum, maximum, maxItems, enum: values }: Schema): string {
  if (values !== undefined) return `One of ${values.join(", ")}.`;
  if (maxItems !== undefined && maxItems > 1) return `${maxItems} at most.`;
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  return minimum === undefined ? "" : `${minimum} or more.`;
}

function table(plural: string): string {
  const crd = parse(readFileSync(join(ROOT, `manifests/crds/${plural}.yaml`), "utf8"));
  const { spec, status }: Readonly<Record<string, Schema>> = crd.spec.versions[0].schema.openAPIV3Schema.properties;
  if (spec === undefined || status === undefined) throw new Error(`${plural}.yaml has no schema of spec and status`);
  const all = [...rows("spec", spec, true), ...rows("status", status, false)];
  return ["| field | type | meaning |", "|---|---|---|", ...all, ""].join("\n");
}

const BEGIN = (plural: string) =>
  `<!-- From manifests/crds/${plural}.yaml; \`node tests/docs/fields.test.ts --write\` writes it anew. -->\n\n`;
const END = "<!-- End -->";

/** The page with the table of this CRD. */
function withTable(text: string, plural: string): string {
  const [before = "", after] = text.split(BEGIN(plural));
  if (after === undefined) throw new Error(`${PAGE} has no place for the fields of ${plural}`);
  return before + BEGIN(plural) + table(plural) + after.slice(after.indexOf(END));
}

test("docs/pools.md lists every field of the CRDs as they describe it", () => {
  const text = page(PAGE);
  const right = ["ippools", "cidrpools"].reduce(withTable, text);
  if (process.argv.includes("--write")) writeFileSync(join(ROOT, PAGE), right);
  else assert.fixture(text, right, "run node tests/docs/fields.test.ts --write");
});

test.run();
