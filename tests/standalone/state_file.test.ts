import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Pool } from "../../src/lib/api/types.ts";
import { readState, writeState } from "../../src/lib/standalone/state_file.ts";
import { smallPool } from "../daemon/_local.ts";

interface Place {
  directory: string;
  path: string;
}

const test = suite<Place>("state file");
test.before.each((place) => {
  place.directory = mkdtempSync(join(tmpdir(), "nv-ipam-state-"));
  place.path = join(place.directory, "store.pools");
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true }));

const pools: readonly Pool[] = [smallPool("pool1", "10.0.0", ["a", "b"]), smallPool("pool2", "10.0.2", [])];

test("what was written is read again, and 0600", async ({ path, directory }) => {
  await writeState(path, pools);
  assert.equal(await readState(path), { ok: true, value: pools });
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.equal(readdirSync(directory), ["store.pools"]);
});

test("no pools are something else than no file", async ({ path }) => {
  assert.equal(await readState(path), { ok: true, value: undefined });
  await writeState(path, []);
  assert.equal(await readState(path), { ok: true, value: [] });
});

async function refusal(path: string): Promise<string> {
  const read = await readState(path);
  if (read.ok) throw new Error("it was read");
  return read.error;
}

test("R2 a file that is damaged anywhere is refused with what to do, and left as it is", async ({ path }) => {
  await writeState(path, pools);
  const text = readFileSync(path, "utf8");
  for (let index = 0; index < text.length; index++) {
    if (/\s/.test(text[index] ?? "")) continue;
    const other = text[index] === "7" ? "8" : "7";
    const damaged = text.slice(0, index) + other + text.slice(index + 1);
    writeFileSync(path, damaged);
    const message = await refusal(path);
    assert.ok(message.startsWith(`${path}: `), message);
    assert.match(message, /(is damaged|was written by another version).* (restore it from a backup|move it away)/);
    assert.is(readFileSync(path, "utf8"), damaged);
  }
});

test("R2 a file that is cut short anywhere is refused", async ({ path }) => {
  await writeState(path, pools);
  const text = readFileSync(path, "utf8").trimEnd();
  for (let length = 0; length < text.length; length++) {
    writeFileSync(path, text.slice(0, length));
    assert.match(await refusal(path), "is damaged");
  }
});

const strange: readonly [what: string, text: string, message: RegExp][] = [
  ["JSON of something else", "[]", /is damaged/],
  ["null", "null", /is damaged/],
  ["a later version", '{"format":"nv-ipam standalone pools","version":2,"pools":[]}', /another version/],
];
for (const [what, text, message] of strange) {
  test(`${what} is refused`, async ({ path }) => {
    writeFileSync(path, text);
    assert.match(await refusal(path), message);
  });
}

test("a file that cannot be read is refused with the reason", async ({ path }) => {
  mkdirSync(path);
  assert.match(await refusal(path), /store\.pools: cannot be read: EISDIR/);
});

test.run();
