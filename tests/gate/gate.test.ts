import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = join(import.meta.dirname, "../..");

function gate(...args: readonly string[]): { status: number | null; lines: string[] } {
  const { status, stdout } = spawnSync(process.execPath, ["scripts/gate.ts", ...args], { cwd: ROOT, encoding: "utf8" });
  return { status, lines: stdout.trimEnd().split("\n") };
}

function fixture(name: string): string {
  return `tests/gate/fixtures/${name}.fixture.ts`;
}

test("a file whose tests all pass is counted and passes", () => {
  const { status, lines } = gate(fixture("passes"));
  assert.is(status, 0);
  assert.is(lines.at(-1), "2 passed, 0 failed");
});

const FAILURES = [
  { name: "fails", last: "1 passed, 1 failed", says: "passed 1 of 2 tests" },
  { name: "no_run", last: "0 passed, 1 failed", says: "test.run() must come last" },
  { name: "no_test", last: "0 passed, 1 failed", says: "has no test" },
  { name: "test_after_run", last: "1 passed, 1 failed", says: "test.run() must come last" },
  { name: "suite_forgotten", last: "1 passed, 1 failed", says: "forgotten.run() must come last" },
  { name: "before_hook_throws", last: "0 passed, 1 failed", says: "passed 0 of 1 tests" },
  { name: "throws_non_error", last: "0 passed, 1 failed", says: "passed 0 of 1 tests" },
  { name: "throws_undefined", last: "0 passed, 1 failed", says: "passed 0 of 1 tests" },
  { name: "exits_early", last: "0 passed, 1 failed", says: "printed 0 reports" },
  { name: "exits_early_in_test", last: "0 passed, 1 failed", says: "printed 0 reports" },
  { name: "event_loop_runs_dry", last: "0 passed, 1 failed", says: "printed 0 reports" },
  { name: "skips", last: "1 passed, 1 failed", says: "skipped 1 tests" },
  { name: "only", last: "1 passed, 1 failed", says: "skipped 1 tests" },
  { name: "rejects_afterwards", last: "1 passed, 1 failed", says: "exit status 1" },
  { name: "throws_on_load", last: "0 passed, 1 failed", says: "exit status 1" },
  { name: "forged_report", last: "0 passed, 1 failed", says: "printed 2 reports" },
];

for (const { name, last, says } of FAILURES) {
  test(`a file that ${name.replaceAll("_", " ")} fails`, () => {
    const { status, lines } = gate(fixture(name));
    assert.is(status, 1);
    assert.is(lines.at(-1), last);
    assert.ok(
      lines.some((line) => line.startsWith("FAIL") && line.includes(says)),
      lines.join("\n"),
    );
  });
}

test("a file that does not end is ended when its time is over", () => {
  const { status, lines } = gate("--limit=3", fixture("hangs"));
  assert.is(status, 1);
  assert.is(lines.at(-1), "1 passed, 1 failed");
  assert.ok(lines.some((line) => line.includes("longer than its limit")));
});

async function inEmptyDirectory(work: (env: NodeJS.ProcessEnv, directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gate-"));
  await work({ ...process.env, TMPDIR: directory }, directory);
  // It has to be empty.
  rmdirSync(directory);
}

for (const HANG of ["no", "yes"]) {
  test(`temporary files that a test leaves are removed, ${HANG === "yes" ? "also when it is ended" : "though it passes"}`, () =>
    inEmptyDirectory(async (env) => {
      const args = ["scripts/gate.ts", "--limit=3", fixture("leaves_files")];
      const { stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env: { ...env, HANG } });
      assert.match(stdout, HANG === "yes" ? /longer than its limit/ : /\n2 passed, 0 failed\n/);
    }));
}

test("temporary files of a run that is interrupted are removed", () =>
  inEmptyDirectory(async (env, directory) => {
    const args = ["scripts/gate.ts", fixture("leaves_files")];
    const run = spawn(process.execPath, args, { cwd: ROOT, stdio: "ignore", env: { ...env, HANG: "yes" } });
    const ended = new Promise((resolve) => run.once("exit", resolve));
    const isUnderWay = () => readdirSync(directory, { recursive: true }).some((name) => String(name).endsWith("file"));
    for (let waited = 0; !isUnderWay(); waited += 20) {
      assert.ok(waited < 20_000, "the test file has not begun");
      await delay(20);
    }
    run.kill("SIGINT");
    assert.is(await ended, 1);
  }));

test("one bad file among good ones fails the run, and its output is shown", () => {
  const { status, lines } = gate(fixture("passes"), fixture("fails"));
  assert.is(status, 1);
  assert.is(lines.at(-1), "3 passed, 1 failed");
  assert.ok(lines.some((line) => line.startsWith("      | ") && line.includes("FAIL")));
});

test("a filter that matches nothing is an error, not a success", () => {
  assert.is(gate("no-such-test").status, 1);
});

test.run();
