import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fingerprint, readPoolDirectory } from "../../src/lib/standalone/pool_directory.ts";

interface Place {
  directory: string;
}

const test = suite<Place>("pool directory");
test.before.each((place) => {
  place.directory = mkdtempSync(join(tmpdir(), "nv-ipam-pools-"));
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true, force: true }));

async function names(directory: string): Promise<readonly string[]> {
  const read = await readPoolDirectory(directory);
  if (!read.ok) throw new Error(read.error);
  return read.value.map(({ path, text }) => `${path.slice(directory.length + 1)}=${text}`);
}

async function refusal(directory: string): Promise<string> {
  const read = await readPoolDirectory(directory);
  if (read.ok) throw new Error("it was read");
  return read.error;
}

test("manifests are the files with three endings, in the order of their names", async ({ directory }) => {
  for (const name of ["b.yaml", "a.json", "c.yml", "d.txt", ".hidden.yaml", "yaml", "e.yaml~", "f.YAML"]) {
    writeFileSync(join(directory, name), name);
  }
  assert.equal(await names(directory), ["a.json=a.json", "b.yaml=b.yaml", "c.yml=c.yml"]);
});

test("symbolic links are followed, as a mounted ConfigMap has them", async ({ directory }) => {
  mkdirSync(join(directory, "..data"));
  writeFileSync(join(directory, "..data", "pool.yaml"), "x");
  symlinkSync("..data/pool.yaml", join(directory, "pool.yaml"));
  assert.equal(await names(directory), ["pool.yaml=x"]);
});

for (const [what, bytes] of [
  ["UTF-16", Buffer.from("\ufeffapiVersion: nv-ipam.nvidia.com/v1alpha1\n", "utf16le")],
  ["Latin-1", Buffer.from("# für alle\n", "latin1")],
] as const) {
  test(`a file in ${what} is named as not UTF-8`, async ({ directory }) => {
    writeFileSync(join(directory, "x.yaml"), bytes);
    assert.match(await refusal(directory), /x\.yaml: is not UTF-8 text/);
  });
}

test("a directory that is missing is named", async ({ directory }) => {
  assert.match(
    await refusal(join(directory, "none")),
    /\/none: cannot be read: ENOENT.*; make it, or correct --pools$/,
  );
});

const notFiles: readonly [what: string, make: (path: string) => unknown, message: RegExp][] = [
  ["a directory", (path) => mkdirSync(path), /x\.yaml: is no file/],
  ["a pipe", (path) => spawnSync("mkfifo", [path]), /x\.yaml: is no file/],
  ["a link to nothing", (path) => symlinkSync("nothing", path), /x\.yaml: cannot be read: ENOENT/],
  [
    "a huge file",
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
    },
    /x\.yaml: may have 16777216 bytes at most/,
  ],
];
for (const [what, make, message] of notFiles) {
  test(`${what} among the manifests is named, and nothing waits for it`, async ({ directory }) => {
    make(join(directory, "x.yaml"));
    assert.match(await refusal(directory), message);
  });
}

const changes: readonly [what: string, change: (directory: string) => void][] = [
  ["a file is added", (directory) => writeFileSync(join(directory, "b.yaml"), "")],
  ["a file is removed", (directory) => rmSync(join(directory, "a.yaml"))],
  ["a file grows", (directory) => writeFileSync(join(directory, "a.yaml"), "longer")],
  ["a file is touched", (directory) => utimesSync(join(directory, "a.yaml"), 1, 1)],
  [
    "a file is replaced",
    (directory) => {
      writeFileSync(join(directory, "new"), "a");
      utimesSync(join(directory, "new"), 1000, 1000);
      renameSync(join(directory, "new"), join(directory, "a.yaml"));
    },
  ],
  ["another file is written", (directory) => writeFileSync(join(directory, "nodes"), "x")],
  ["the directory goes", (directory) => rmSync(directory, { recursive: true })],
];
for (const [what, change] of changes) {
  test(`the fingerprint differs when ${what}, and else it does not`, async ({ directory }) => {
    writeFileSync(join(directory, "a.yaml"), "a");
    utimesSync(join(directory, "a.yaml"), 1000, 1000);
    const others = [join(directory, "nodes")];
    const before = await fingerprint(directory, others);
    writeFileSync(join(directory, "no-manifest.txt"), "");
    assert.is(await fingerprint(directory, others), before);
    change(directory);
    assert.is.not(await fingerprint(directory, others), before);
  });
}

test.run();
