/** docs/inspect.md and the schema name everything that there is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { REASONS } from "../../src/lib/inspect/finding.ts";

const DOCS = join(import.meta.dirname, "../../docs");
const page = readFileSync(join(DOCS, "inspect.md"), "utf8");
const schema = JSON.parse(readFileSync(join(DOCS, "inspect.schema.json"), "utf8"));

test("every reason of a finding has a row, and the schema knows it", () => {
  const rows = [...page.matchAll(/^\| ([A-Z]\w+) \| (?:error|warning|info)/gm)].map(([, reason]) => reason);
  assert.equal(rows, [...REASONS]);
  assert.equal(schema.$defs.finding.properties.reason.enum, [...REASONS]);
});

test("every kind of document is named", () => {
  for (const { $ref } of schema.oneOf) assert.match(page, `\`${$ref.split("/").at(-1)}\``);
});

test("what matters before a migration are reasons", () => {
  const migration = readFileSync(join(DOCS, "migration.md"), "utf8");
  const [, table = ""] = /\| reason \| what to do before \|\n([\s\S]*?)\n\n/.exec(migration) ?? [];
  const named = [...table.matchAll(/^\| ([A-Z][\w, ]+?)[,"] |^\| ([A-Z]\w+)/gm)].flatMap(
    ([text]) => text.match(/[A-Z][a-z]+[A-Z]\w+/g) ?? [],
  );
  assert.ok(named.length > 8);
  const known: readonly string[] = REASONS;
  assert.equal(
    named.filter((reason) => !known.includes(reason)),
    [],
  );
});

test.run();
