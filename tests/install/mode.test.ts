/** `nv-ipam install` as an init container or a person calls it. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";

const EXECUTABLE = need("dist/nv-ipam");

const test = suite<{ dir: string; flags: string[] }>("nv-ipam install");
test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), "nv-ipam-install-mode-"));
  context.flags = [`--cni-bin-dir=${join(context.dir, "bin")}`, `--cni-conf-dir=${join(context.dir, "conf")}`];
});
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

function install(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(EXECUTABLE, ["install", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("it installs itself where no image's executable is, and does nothing the second time", ({ dir, flags }) => {
  assert.equal(install(...flags), { status: 0, stdout: "plugin written, nv-ipam.conf written\n", stderr: "" });
  const installed = join(dir, "bin/nv-ipam");
  assert.ok(readFileSync(installed).equals(readFileSync(EXECUTABLE)));
  const { stdout } = spawnSync(installed, { env: { CNI_COMMAND: "VERSION" }, encoding: "utf8" });
  assert.is(JSON.parse(stdout).cniVersion, "1.1.0");
  assert.equal(install(...flags), { status: 0, stdout: "plugin unchanged, nv-ipam.conf unchanged\n", stderr: "" });
});

test("it leaves out what it is told to leave out", ({ flags }) => {
  const skip = ["--cni-skip-nv-ipam-binary-copy", "--cni-skip-nv-ipam-config-creation"];
  assert.equal(install(...flags, ...skip), { status: 0, stdout: "plugin skipped, nv-ipam.conf skipped\n", stderr: "" });
});

test("what cannot be written ends it with status 1 and one line", ({ dir, flags }) => {
  writeFileSync(join(dir, "conf"), "");
  const { status, stdout, stderr } = install(...flags, "--cni-skip-nv-ipam-binary-copy");
  assert.equal([status, stdout], [1, ""]);
  assert.match(stderr, /^nv-ipam install: cannot install .*conf\/nv-ipam\.conf: .*--cni-conf-dir\n$/);
});

test("an unknown flag ends it with status 2 and names the closest", () => {
  const { status, stdout, stderr } = install("--cni-bin-dirs=/x");
  assert.equal([status, stdout], [2, ""]);
  assert.is(stderr, "nv-ipam install: unknown flag --cni-bin-dirs: did you mean --cni-bin-dir?\n");
});

test.run();
