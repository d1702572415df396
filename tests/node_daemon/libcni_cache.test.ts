import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { readLibcniCache } from "../../src/lib/node/libcni_cache.ts";
import { CONFIG, cacheFile, LibcniCache } from "../libcni_cache.ts";

/** A test with a directory that goes with it. */
function inDirectory(name: string, tell: (directory: string) => Promise<void>): void {
  test(name, async () => {
    const directory = mkdtempSync(join(tmpdir(), "nv-ipam-cache-"));
    try {
      await tell(directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

async function read(directories: readonly string[], maxFiles?: number) {
  const found: string[] = [];
  const faults: string[] = [];
  for await (const each of readLibcniCache(directories, maxFiles)) {
    if (!each.ok) faults.push(each.error);
    else
      found.push(
        `${each.value.attachment.containerID} ${each.value.addresses.map(formatAddress)} ${each.value.createdAt}`,
      );
  }
  return { found: found.sort(), faults: faults.sort() };
}

inDirectory("all directories are read; files' times are when the attachments were made", async (directory) => {
  const runtime = new LibcniCache(join(directory, "cni"));
  const multus = new LibcniCache(join(directory, "cni", "multus"));
  runtime.add({ container: "c0", network: "cbr0", config: { type: "bridge", ipam: { type: "host-local" } } });
  runtime.add({ container: "c1", addresses: ["10.0.0.2/24"] });
  multus.add({ container: "c2", addresses: ["10.0.0.3/24"] });
  writeFileSync(join(multus.directory, "c2"), "what Multus keeps for itself");
  utimesSync(join(runtime.directory, "results", "net-a-c1-net1"), 0, 1_700_000_000);
  utimesSync(join(multus.directory, "results", "net-a-c2-net1"), 0, 1_700_000_001.5);
  assert.equal(await read([runtime.directory, multus.directory]), {
    found: ["c1 10.0.0.2 2023-11-14T22:13:20.000Z", "c2 10.0.0.3 2023-11-14T22:13:21.500Z"],
    faults: [],
  });
});

inDirectory("a directory that is not there has nothing", async (directory) => {
  mkdirSync(join(directory, "empty"));
  assert.equal(await read([join(directory, "none"), join(directory, "empty")]), { found: [], faults: [] });
});

inDirectory("what cannot be read is named, and the rest is read", async (directory) => {
  const cache = new LibcniCache(directory);
  const at = (name: string): string => join(directory, "results", name);
  cache.add({ container: "c1" });
  writeFileSync(at("broken"), cacheFile({}).slice(0, 100));
  mkdirSync(at("directory"));
  symlinkSync(at("net-a-c1-net1"), at("link"));
  execFileSync("mkfifo", [at("pipe")]);
  writeFileSync(at("large"), cacheFile({ config: { ...CONFIG, filler: "x".repeat(600_000) } }));
  const { found, faults } = await read([directory]);
  assert.is(found.length, 1);
  assert.is(faults.length, 5);
  for (const [index, words] of [
    /broken cannot be read: its text is not JSON/,
    /directory is no file/,
    /large has more than 524288 bytes/,
    /link cannot be read: ELOOP/,
    /pipe is no file/,
  ].entries()) {
    assert.match(faults[index] ?? "", words);
  }
});

inDirectory("results that are no directory are named", async (directory) => {
  writeFileSync(join(directory, "results"), "");
  const { faults } = await read([directory]);
  assert.match(faults.join(), /results cannot be read: ENOTDIR/);
});

inDirectory("of a directory with too many files some are read, and that is said", async (directory) => {
  const cache = new LibcniCache(directory);
  for (const container of ["c1", "c2", "c3", "c4"]) cache.add({ container });
  const { found, faults } = await read([directory], 3);
  assert.is(found.length, 3);
  assert.match(faults.join(), /more than 3 files/);
});

test.run();
