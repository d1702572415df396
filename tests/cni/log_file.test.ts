import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { appendToLog, LOG_LIMITS } from "../../src/lib/cni/log_file.ts";

const NOW = Date.parse("2026-11-22T07:52:03.123Z");
const DAY = 24 * 3600 * 1000;

const test = suite<{ folder: string; log: string }>("the log file");

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), "nv-ipam-log-"));
  context.log = join(context.folder, "nv-ipam-cni.log");
});

test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

function asideOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name !== "nv-ipam-cni.log")
    .sort();
}

/** Two calls add a line each. */
function addsTwice(log: string, umask: number): void {
  const before = process.umask(umask);
  try {
    appendToLog(log, "one\n", NOW);
    appendToLog(log, "two\n", NOW);
  } finally {
    process.umask(before);
  }
  assert.is(readFileSync(log, "utf8"), "one\ntwo\n");
}

test("is made with mode 0644 whatever the umask, and added to", ({ log }) => {
  addsTwice(log, 0o077);
  assert.is(statSync(log).mode & 0o777, 0o644);
});

test("keeps the mode that its owner gave it", ({ log }) => {
  writeFileSync(log, "");
  chmodSync(log, 0o600);
  appendToLog(log, "one\n", NOW);
  assert.is(statSync(log).mode & 0o777, 0o600);
});

test("is not written through a symbolic link, neither to a file nor to nothing", ({ folder, log }) => {
  const target = join(folder, "target");
  symlinkSync(target, log);
  appendToLog(log, "one\n", NOW);
  assert.is(existsSync(target), false);
  writeFileSync(target, "kept");
  appendToLog(log, "one\n", NOW);
  assert.is(readFileSync(target, "utf8"), "kept");
});

test("does no harm where it cannot be opened", ({ folder }) => {
  mkdirSync(join(folder, "directory"));
  writeFileSync(join(folder, "file"), "");
  for (const path of [
    join(folder, "directory"),
    join(folder, "file/x.log"),
    "",
    "a\0b",
    "/proc/nothing/x",
    "/proc/nothing/at/all/x",
    join(folder, "d/".repeat(3000), "x"),
  ]) {
    appendToLog(path, "one\n", NOW);
  }
  assert.equal(readdirSync(folder).sort(), ["directory", "file"]);
});

test("is made with the directories that are missing, which only their owner may write into", ({ folder }) => {
  const log = join(folder, "a/b/c/x.log");
  addsTwice(log, 0);
  for (const made of ["a", "a/b", "a/b/c"]) assert.is(statSync(join(folder, made)).mode & 0o7777, 0o755);
});

test("makes no directory behind a symbolic link to nothing", ({ folder }) => {
  symlinkSync(join(folder, "target"), join(folder, "link"));
  appendToLog(join(folder, "link/x.log"), "one\n", NOW);
  assert.equal(readdirSync(folder), ["link"]);
});

test("does not wait for the reader of a pipe", ({ log }) => {
  assert.is(spawnSync("mkfifo", [log]).status, 0);
  appendToLog(log, "one\n", NOW);
  assert.ok(statSync(log).isFIFO());
});

test("may be a device", () => {
  appendToLog("/dev/null", "one\n", NOW);
  assert.ok(statSync("/dev/null").isCharacterDevice());
});

test("is set aside when it has reached 100 MB, and not before", ({ folder, log }) => {
  assert.equal(LOG_LIMITS, { maxBytes: 104_857_600, maxFiles: 5, maxAgeMs: 5 * DAY });
  writeFileSync(log, "");
  truncateSync(log, LOG_LIMITS.maxBytes - 1);
  appendToLog(log, "x", NOW);
  assert.equal(asideOf(folder), []);
  appendToLog(log, "first\n", NOW);
  assert.equal(asideOf(folder), [`nv-ipam-cni-2026-11-22T07-52-03.123-${process.pid}.log`]);
  assert.is(readFileSync(log, "utf8"), "first\n");
  assert.is(statSync(join(folder, asideOf(folder)[0] ?? "")).size, LOG_LIMITS.maxBytes);
});

test("keeps five old files, those of the original among them", ({ folder, log }) => {
  const limits = { ...LOG_LIMITS, maxBytes: 1 };
  for (const second of ["10", "11", "12"])
    writeFileSync(join(folder, `nv-ipam-cni-2026-11-22T07-00-${second}.000.log`), "");
  for (let turn = 0; turn < 4; turn++) appendToLog(log, `${turn}\n`, NOW + turn, limits);
  assert.equal(asideOf(folder), [
    "nv-ipam-cni-2026-11-22T07-00-11.000.log",
    "nv-ipam-cni-2026-11-22T07-00-12.000.log",
    `nv-ipam-cni-2026-11-22T07-52-03.124-${process.pid}.log`,
    `nv-ipam-cni-2026-11-22T07-52-03.125-${process.pid}.log`,
    `nv-ipam-cni-2026-11-22T07-52-03.126-${process.pid}.log`,
  ]);
});

test("keeps old files five days, and never touches what only looks like one", ({ folder, log }) => {
  const strangers = [
    "nv-ipam-cni-2020-01-01.log",
    "nv-ipam-cni-old.log",
    "other-2020-01-01T00-00-00.000.log",
    "nv-ipam-cni.log.1",
  ];
  const old = ["nv-ipam-cni-2026-11-17T07-52-03.122-77.log", "nv-ipam-cni-2020-01-01T00-00-00.000.log"];
  const young = ["nv-ipam-cni-2026-11-17T07-52-03.124-77.log"];
  for (const name of [...strangers, ...old, ...young]) writeFileSync(join(folder, name), "");
  writeFileSync(log, "full");
  appendToLog(log, "x", NOW, { ...LOG_LIMITS, maxBytes: 1 });
  const fresh = `nv-ipam-cni-2026-11-22T07-52-03.123-${process.pid}.log`;
  assert.equal(asideOf(folder), [...strangers, ...young, fresh].sort());
});

test("goes on growing where it cannot be set aside", ({ folder, log }) => {
  const long = join(folder, "l".repeat(255));
  writeFileSync(long, "full");
  appendToLog(long, "x", NOW, { ...LOG_LIMITS, maxBytes: 1 });
  assert.is(readFileSync(long, "utf8"), "fullx");
  assert.is(existsSync(log), false);
});

test("is set aside once when another name leads to the same file", ({ folder, log }) => {
  writeFileSync(log, "full");
  linkSync(log, join(folder, "other.log"));
  appendToLog(log, "x", NOW, { ...LOG_LIMITS, maxBytes: 1 });
  assert.is(readFileSync(log, "utf8"), "x");
  assert.is(readFileSync(join(folder, "other.log"), "utf8"), "full");
});

test("loses no line when many processes write and set it aside at once", async ({ folder, log }) => {
  const writers = 4;
  const lines = 200;
  const script = `
    import { appendToLog } from ${JSON.stringify(new URL("../../src/lib/cni/log_file.ts", import.meta.url).href)};
    const limits = { maxBytes: 400, maxFiles: 1e6, maxAgeMs: 1e9 };
    for (let i = 0; i < ${lines}; i++) appendToLog(process.argv[1], process.pid + " " + i + "\\n", Date.now(), limits);`;
  await Promise.all(
    Array.from({ length: writers }, () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, log], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      return new Promise<void>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
      });
    }),
  );
  const all = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  const written = all.filter((line) => line !== "");
  assert.is(written.length, writers * lines);
  assert.is(new Set(written).size, writers * lines);
  assert.ok(readdirSync(folder).length > 2);
});

test.run();
