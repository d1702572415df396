/** What the store needs of every disk: the machine's and the simulated one are put to the same test. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Disk, readStart, readWhole } from "../../src/lib/journal/disk.ts";
import { nodeDisk } from "../../src/lib/journal/node_disk.ts";
import { errno } from "../../src/lib/journal/problem.ts";
import { seededRandom } from "../random.ts";
import { SimDisk } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";

const random = seededRandom("disk");
const temporary = mkdtempSync(join(tmpdir(), "nv-ipam-disk-"));

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (error) {
    return errno(error);
  }
}

async function write(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(0, Buffer.from(text));
  await file.sync();
  await file.close();
}

async function read(disk: Disk, path: string): Promise<string | undefined> {
  return (await readWhole(disk, path))?.toString();
}

const DISKS: readonly [name: string, disk: Disk, root: string][] = [
  ["the machine's disk", nodeDisk, temporary],
  ["the simulated disk", new SimDisk(new SimStorage(), { random }), "/var"],
];

for (const [name, disk, root] of DISKS) {
  const test = suite(name);
  let directory = "";

  test.before.each(async () => {
    directory = `${root}/${Math.random().toString(36).slice(2)}`;
    await disk.makeDirectory(directory);
  });

  test("writes anywhere and reads what is there, fewer bytes at the end", async () => {
    const file = await disk.open(`${directory}/a`, "create");
    await file.write(0, Buffer.from("hello"));
    await file.write(8, Buffer.from("world"));
    assert.is((await file.read(0, 100)).toString(), "hello\0\0\0world");
    assert.is((await file.read(10, 2)).toString(), "rl");
    assert.is((await file.read(13, 5)).length, 0);
    assert.is(await file.size(), 13);
    await file.truncate(3);
    await file.truncate(5);
    assert.is((await file.read(0, 100)).toString(), "hel\0\0");
    await file.close();
  });

  test("opens what is there, or makes what is not", async () => {
    const path = `${directory}/a`;
    assert.is(await codeOf(disk.open(path, "read")), "ENOENT");
    assert.is(await codeOf(disk.open(path, "write")), "ENOENT");
    await write(disk, path, "one");
    assert.is(await codeOf(disk.open(path, "create")), "EEXIST");
    const file = await disk.open(path, "write");
    await file.write(0, Buffer.from("O"));
    await file.close();
    assert.is(await read(disk, path), "One");
    assert.is(await read(disk, `${directory}/b`), undefined);
    assert.is((await readStart(disk, path, 2))?.toString(), "On");
  });

  test("renames over what is there, and an open file keeps its content", async () => {
    await write(disk, `${directory}/old`, "old");
    await write(disk, `${directory}/new`, "new");
    const old = await disk.open(`${directory}/old`, "write");
    await disk.rename(`${directory}/new`, `${directory}/old`);
    assert.equal(await disk.list(directory), ["old"]);
    assert.is(await read(disk, `${directory}/old`), "new");
    assert.is((await old.read(0, 9)).toString(), "old");
    await old.close();
    assert.is(await codeOf(disk.rename(`${directory}/new`, `${directory}/old`)), "ENOENT");
    await disk.syncDirectory(directory);
  });

  test("removes what is there", async () => {
    await write(disk, `${directory}/a`, "a");
    await disk.unlink(`${directory}/a`);
    assert.equal(await disk.list(directory), []);
    assert.is(await codeOf(disk.unlink(`${directory}/a`)), "ENOENT");
  });

  test("makes directories one by one", async () => {
    assert.is(await codeOf(disk.makeDirectory(directory)), "EEXIST");
    assert.is(await codeOf(disk.makeDirectory(`${directory}/a/b`)), "ENOENT");
    assert.is(await codeOf(disk.list(`${directory}/a`)), "ENOENT");
    assert.is(await codeOf(disk.syncDirectory(`${directory}/a`)), "ENOENT");
    await disk.makeDirectory(`${directory}/a`);
    assert.equal(await disk.list(`${directory}/a`), []);
  });

  test("lets one at a time have a lock", () => {
    const first = disk.lock(`${directory}/lock`);
    const second = disk.lock(`${directory}/lock`);
    assert.is(second.ok ? "" : second.error.code, "locked");
    if (first.ok) first.value.release();
    const third = disk.lock(`${directory}/lock`);
    assert.ok(third.ok);
    if (third.ok) third.value.release();
  });

  if (disk === nodeDisk) {
    test("lets nobody else read what it makes", async () => {
      await write(disk, `${directory}/a`, "a");
      const lock = disk.lock(`${directory}/lock`);
      assert.is(statSync(directory).mode & 0o777, 0o700);
      assert.is(statSync(`${directory}/a`).mode & 0o777, 0o600);
      assert.is(statSync(`${directory}/lock`).mode & 0o777, 0o600);
      if (lock.ok) lock.value.release();
    });

    test("says what is wrong with a lock file", async () => {
      await write(disk, `${directory}/lock`, "no database ".repeat(100));
      const lock = disk.lock(`${directory}/lock`);
      assert.match(lock.ok ? "" : lock.error.message, /is no lock file: remove it/);
      const missing = disk.lock(`${directory}/none/lock`);
      assert.match(missing.ok ? "" : missing.error.message, /cannot open the lock file: .*ENOENT/);
    });

    test.after(() => rmSync(temporary, { recursive: true }));
  }

  test.run();
}
