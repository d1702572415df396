import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeDirectory } from "../../src/lib/disk/make_directory.ts";

const test = suite<{ dir: string }>("makeDirectory");
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "nv-ipam-directory-"));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

async function codeOf(work: Promise<void>): Promise<unknown> {
  const error = await work.then(
    () => undefined,
    (reason) => reason,
  );
  return error?.code;
}

test("missing directories above it are made with the same mode", async ({ dir }) => {
  await makeDirectory(join(dir, "a/b/c"), 0o700);
  for (const path of ["a", "a/b", "a/b/c"]) assert.is(statSync(join(dir, path)).mode & 0o777, 0o700);
});

test("nobody else may write into what is made, even without a umask", async ({ dir }) => {
  const before = process.umask(0);
  try {
    await makeDirectory(join(dir, "a/b"));
  } finally {
    process.umask(before);
  }
  for (const path of ["a", "a/b"]) assert.is(statSync(join(dir, path)).mode & 0o777, 0o755);
});

test("a directory that is there is left as it is", async ({ dir }) => {
  await makeDirectory(join(dir, "a"), 0o750);
  await makeDirectory(join(dir, "a"), 0o700);
  assert.is(statSync(join(dir, "a")).mode & 0o777, 0o750);
});

test("several may make it at once", async ({ dir }) => {
  await Promise.all(Array.from({ length: 20 }, () => makeDirectory(join(dir, "a/b/c"))));
  assert.ok(statSync(join(dir, "a/b/c")).isDirectory());
});

test("a file in the way above is an error", async ({ dir }) => {
  writeFileSync(join(dir, "a"), "");
  assert.is(await codeOf(makeDirectory(join(dir, "a/b"))), "ENOTDIR");
});

test("a file system that takes no names ends it", async () => {
  assert.is(await codeOf(makeDirectory("/proc/none/deeper")), "ENOENT");
});

test.run();
