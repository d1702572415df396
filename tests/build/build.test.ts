/** What the build makes: a file that says what it is, the same from the same sources, with nothing of this machine in it. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bundleMain, bundleRoles, roleNames } from "../../scripts/_bundle.ts";
import { writeExecutable } from "../../scripts/_executable.ts";
import type { Architecture } from "../../scripts/_node_binary.ts";
import { productParts } from "../../scripts/_product.ts";
import { BUILD_ID_NOTE_LENGTH, buildIdNote, readBuildIdNote } from "../../src/lib/cni/build_id.ts";
import { need } from "../_need.ts";

const PRODUCT = need("dist/nv-ipam");
need("strip");
need("aarch64-linux-gnu-strip");

const ROOT = join(import.meta.dirname, "../..");
const INFO = { version: "1.2.3", commit: "0123abc", date: "2026-01-02T03:04:05.000Z" };

const test = suite<{ dir: string }>("build");
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "nv-ipam-build-test-"));
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

/** Builds all, with temporary files in another place each time. */
async function build(dir: string, name: string, arch: Architecture): Promise<Buffer> {
  const previous = process.env.TMPDIR;
  process.env.TMPDIR = join(dir, `temporary-files-of-${name}`);
  mkdirSync(process.env.TMPDIR);
  try {
    const output = join(dir, name);
    await writeExecutable(await productParts(INFO, arch), output);
    return readFileSync(output);
  } finally {
    if (previous === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = previous;
  }
}

/** What the ELF header says of the machine (e_ident, then e_machine at byte 18). */
function elfMachine(file: Uint8Array): number {
  assert.equal([...file.subarray(0, 6)], [0x7f, 0x45, 0x4c, 0x46, 2, 1], "not a little-endian ELF file of 64 bit");
  return Buffer.from(file.buffer, file.byteOffset, 20).readUInt16LE(18);
}

test("two builds of the same sources are equal, wherever temporary files lie", async ({ dir }) => {
  const [first, second] = [await build(dir, "a", "x64"), await build(dir, "longer-name", "x64")];
  assert.ok(first.equals(second));
  assert.is(elfMachine(first), 0x3e);
  assert.match(
    execFileSync(join(dir, "a"), ["version"], { encoding: "utf8" }),
    "nv-ipam 1.2.3, commit 0123abc of 2026-01-02",
  );
});

test("two builds for arm64 are equal, and for arm64", async ({ dir }) => {
  const [first, second] = [await build(dir, "a", "arm64"), await build(dir, "longer-name", "arm64")];
  assert.ok(first.equals(second));
  assert.is(elfMachine(first), 0xb7);
});

test("nothing in the executable says where or by whom it was built", () => {
  const file = readFileSync(PRODUCT);
  for (const trace of [ROOT, join(tmpdir(), "nv-ipam-build-"), "pkg-sea-", `${homedir()}/`]) {
    assert.is(file.indexOf(trace), -1, trace);
  }
});

test("the executable ends with a build id, the hash of all before it", () => {
  const file = readFileSync(PRODUCT);
  const [rest, note] = [file.subarray(0, -BUILD_ID_NOTE_LENGTH), file.subarray(-BUILD_ID_NOTE_LENGTH)];
  assert.is(readBuildIdNote(note), createHash("sha256").update(rest).digest("hex"));
});

test("what is no note has no build id", () => {
  const note = buildIdNote(Buffer.alloc(32, 7));
  assert.is(readBuildIdNote(note), "07".repeat(32));
  assert.is(readBuildIdNote(note.subarray(1)), undefined);
  assert.is(readBuildIdNote(Buffer.alloc(BUILD_ID_NOTE_LENGTH)), undefined);
  assert.is(readBuildIdNote(new Uint8Array()), undefined);
  assert.throws(() => buildIdNote(Buffer.alloc(31)), RangeError);
});

test("every role is an asset, and only its own code is in it", async () => {
  assert.ok(roleNames().includes("install"));
  assert.not(roleNames().includes("cni"));
  const main = await bundleMain(INFO);
  for (const [name, code] of await bundleRoles(INFO)) assert.ok(code.includes("run:"), name);
  assert.not.match(main, "--cni-skip-nv-ipam-binary-copy");
  // Messages' fields: those of inspect's calls, which the plugin does not make.
  for (const [field, isThere] of [
    ["validAttachments", true],
    ["terminating", false],
    ["otherBlock", false],
  ] as const) {
    assert.is(main.includes(field), isThere, field);
  }
});

test("help has a line for every role, and none for what is no role", () => {
  const help = execFileSync(PRODUCT, ["help"], { encoding: "utf8" });
  assert.equal(
    [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name),
    roleNames(),
  );
});

test.run();
