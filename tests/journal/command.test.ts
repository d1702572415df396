import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseLegacy } from "../../src/lib/journal/legacy.ts";
import { openStore } from "../../src/lib/journal/store.ts";
import { SILENT } from "./story.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const VECTOR = join(import.meta.dirname, "../conformance/vectors/store/small.json");

let directory = "";
let storeFile = "";

test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), "nv-ipam-store-"));
  storeFile = join(directory, "store");
});

test.after.each(() => rmSync(directory, { recursive: true }));

function store(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "store", ...args, "--store-file", storeFile], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

/** A store as a daemon leaves it that took over from the original and was killed. */
async function abandoned(): Promise<void> {
  copyFileSync(VECTOR, storeFile);
  const opened = await openStore({ storeFile, log: SILENT });
  if (!opened.ok) throw new Error(opened.error.message);
  await opened.value.close({ exportLegacy: false });
}

function damage(): void {
  const path = `${storeFile}.snapshot.1`;
  const content = readFileSync(path);
  content.fill("x", 200, 210);
  writeFileSync(path, content);
}

test("store export gives the original its file back", async () => {
  await abandoned();
  assert.not(parseLegacy(readFileSync(storeFile, "utf8")).ok);
  const { status, stdout } = store("export");
  assert.is(status, 0);
  assert.is(stdout, `${storeFile} now has 8 reservations for the original\n`);
  assert.ok(parseLegacy(readFileSync(storeFile, "utf8")).ok);
});

test("store verify says what is there, for people and for programs, and touches nothing", async () => {
  await abandoned();
  const before = readdirSync(directory);
  assert.equal(store("verify"), {
    status: 0,
    stdout: `${storeFile} is whole: 8 reservations from 5 pools\n`,
    stderr: "",
  });
  const { status, stdout } = store("verify", "-o", "json");
  assert.is(status, 0);
  assert.equal(JSON.parse(stdout), {
    storeFile,
    state: "whole",
    source: "journal",
    generation: 1,
    reservations: 8,
    pools: 5,
    problems: [],
  });
  damage();
  const damaged = store("verify");
  assert.is(damaged.status, 1);
  assert.match(damaged.stdout, /store\.snapshot\.1 is damaged\n.* is damaged: \d reservations? from/);
  assert.equal(readdirSync(directory), before);
});

test("what would move a terminal's cursor is shown as its escape", async () => {
  storeFile = join(directory, "\u009b31mstore");
  await abandoned();
  damage();
  const { stdout } = store("verify");
  assert.match(stdout, /\\u009b31mstore.snapshot.1 is damaged\n.*\\u009b31mstore is damaged: /);
  const json = store("verify", "-o", "json").stdout;
  assert.not.match(stdout + json, "\u009b");
  assert.is(JSON.parse(json).storeFile, storeFile);
});

test("store verify also reads a file of the original's", () => {
  copyFileSync(VECTOR, storeFile);
  assert.match(store("verify").stdout, /is whole: 8 reservations from 5 pools, from the original's file/);
  assert.equal(readdirSync(directory), ["store"]);
});

test("store repair lets a damaged store give addresses again, and leaves a whole one alone", async () => {
  await abandoned();
  const before = readdirSync(directory);
  assert.equal(store("repair"), { status: 0, stdout: `${storeFile} is not damaged: nothing to repair\n`, stderr: "" });
  assert.equal(readdirSync(directory), before);
  damage();
  const refused = store("export");
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /is damaged: repair it before it is exported/);
  const { status, stdout } = store("repair");
  assert.is(status, 0);
  assert.match(stdout, /gives addresses again and knows of \d+ reservations?; an address in use/);
  assert.is(store("verify").status, 0);
  assert.is(store("export").status, 0);
});

test("no work is begun while a daemon has the store", async () => {
  copyFileSync(VECTOR, storeFile);
  const opened = await openStore({ storeFile, log: SILENT });
  if (!opened.ok) throw new Error(opened.error.message);
  const { status, stderr } = store("export");
  assert.is(status, 1);
  assert.match(
    stderr,
    /^nv-ipam store: the store is in use: another nv-ipam process holds .*store\.lock: stop it first/,
  );
  await opened.value.close();
});

const WRONG: readonly [args: string[], status: number, message: RegExp][] = [
  [["export"], 1, /there is no store at /],
  [["verify"], 1, /there is no store at /],
  [["mend"], 2, /mend: use export, verify or repair/],
  [[], 2, /an argument is missing: write nv-ipam store <export\|verify\|repair>; /],
  [["verify", "-o", "yaml"], 2, /--output=yaml: use text or json/],
  [["verify", "--store-fil", "x"], 2, /did you mean --store-file/],
];

for (const [args, status, message] of WRONG) {
  test(`store ${args.join(" ")} over nothing is an error in one line, and makes nothing`, () => {
    const result = store(...args);
    assert.is(result.status, status);
    assert.match(result.stderr, message);
    assert.is(result.stderr.trim().split("\n").length, 1);
    assert.not(existsSync(storeFile));
    assert.equal(readdirSync(directory), []);
  });
}

test.run();
