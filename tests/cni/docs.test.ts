/** docs/cni.md says what the code does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ErrorCode } from "../../src/lib/cni/error.ts";
import { DEFAULTS } from "../../src/lib/cni/settings.ts";
import { CONFIG, tell } from "./_plugin.ts";

const TEXT = readFileSync(join(import.meta.dirname, "../../docs/cni.md"), "utf8");

/** The cells of all table rows. */
const ROWS = TEXT.split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| key") && !line.startsWith("| code"))
  .map((line) => line.slice(2, -2).split(" | "));

const KEYS = ROWS.filter(([first = ""]) => first.startsWith("`")).map(([name = "", type = "", third = ""]) => ({
  path: name.replaceAll("`", ""),
  type,
  third: third.replaceAll("`", ""),
}));

test("the error codes in the docs are those in the code", () => {
  const documented = ROWS.map(([first]) => Number(first)).filter((code) => !Number.isNaN(code));
  assert.equal(
    documented,
    Object.values(ErrorCode).sort((a, b) => a - b),
  );
});

test("the defaults in the docs are those in the code", () => {
  const documented = new Map(KEYS.map(({ path, third }) => [path, third]));
  for (const [name, value] of Object.entries(DEFAULTS)) assert.is(documented.get(`ipam.${name}`), String(value));
});

/** A value that is none of the documented type. */
const WRONG: Readonly<Record<string, unknown>> = { string: 5, bool: "true", integer: "5", strings: "a" };

test("the docs have the keys", () => {
  assert.is(KEYS.length, 15);
});

for (const { path, type } of KEYS) {
  test(`${path} is a key, and must be of type ${type}`, async () => {
    assert.ok(Object.hasOwn(WRONG, type), type);
    const { code, msg } = (await tell({ config: withMember(path.split("."), WRONG[type]) })).answer;
    assert.is(code, 7);
    assert.match(msg ?? "", `${path} must be `);
  });
}

function withMember([first = "", ...rest]: readonly string[], value: unknown, base: object = CONFIG): object {
  const inner = Object.entries(base).find(([name]) => name === first)?.[1] ?? {};
  return { ...base, [first]: rest.length === 0 ? value : withMember(rest, value, inner) };
}

test.run();
