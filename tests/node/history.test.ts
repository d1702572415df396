/** What proves that no address is held twice would see one that is. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeChanges, type StoredChange } from "../../src/lib/journal/changes.ts";
import { asciiJson, encodeRecord, fileHeader } from "../../src/lib/journal/format.ts";
import { toEntry } from "../../src/lib/reservations/entry.ts";
import { until } from "../cluster/_pools.ts";
import { addressHistory, KernelAddresses } from "./_kernel_addresses.ts";
import { Machine } from "./_machine.ts";
import { Reaper } from "./_reaper.ts";
import { StoreHistory } from "./_store_history.ts";

const test = suite("history");
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-history-"));
const reaper = new Reaper();
reaper.directory(directory);
const machine = await Machine.start({ name: "history", root: join(directory, "machine") }, reaper);
test.after(async () => {
  await machine.end();
  await reaper.finish();
});

const ours = new BlockList();
ours.addSubnet("10.10.0.0", 16);
ours.addSubnet("fd10::", 16, "ipv6");

test("the kernel's history shows addresses that two interfaces had, though only for an instant", async () => {
  const kernel = await KernelAddresses.watch(machine);
  const ip = (command: string): Promise<string> => machine.run("ip", ...command.split(" "));
  const seen = async () => addressHistory(new Map([["node", await kernel.read()]]), ours);
  for (const pod of ["a", "b"]) {
    await ip(`netns add ${pod}`);
    await ip(`link add to-${pod} type veth peer name net1 netns ${pod}`);
  }
  await ip("-n a address add 10.10.0.2/16 dev net1");
  await ip("-n b address add 10.20.0.2/16 dev net1");
  await ip("-n a address add 10.20.0.2/16 dev net1");
  await ip("-n a address add fd10::2/64 dev net1");
  assert.equal(await seen(), { doubles: [], held: ["10.10.0.2", "fd10::2"], given: 2 });

  await ip("netns delete a");
  // The kernel takes it down in its own time, its end of the link too.
  await until(async () => (await machine.try("ip", "link", "show", "to-a")).exit !== 0, "the namespace is gone");
  await ip("-n b address add 10.10.0.2/16 dev net1");
  assert.equal(await seen(), { doubles: [], held: ["10.10.0.2"], given: 3 }, "given again after its namespace is gone");

  await ip("netns add c");
  await ip("link add to-c type veth peer name net1 netns c");
  await ip("-n c address add 10.10.0.2/16 dev net1");
  await ip("-n c address delete 10.10.0.2/16 dev net1");
  const { doubles, held } = await seen();
  assert.is(doubles.length, 1);
  assert.match(doubles[0] ?? "", /10\.10\.0\.2 is on node \d+ \d+ and node \d+ \d+/);
  assert.equal(held, ["10.10.0.2"]);
});

test("the addresses of two nodes are one history", () => {
  const line = (time: string, change: string): string =>
    `[2026-01-01T00:00:0${time}.000000] [nsid 0]${change}2: net1    inet 10.10.0.2/16 scope global net1\\ valid_lft forever\n`;
  const both = (first: string, second: string) =>
    addressHistory(
      new Map([
        ["a", first],
        ["b", second],
      ]),
      ours,
    ).doubles.length;
  assert.is(both(line("1", "") + line("2", "Deleted "), line("3", "")), 0);
  assert.is(both(line("1", "") + line("4", "Deleted "), line("3", "")), 1);
});

const reserve = (place: number, container: string): StoredChange => ({
  type: "reserve",
  place,
  entry: toEntry({
    containerID: container,
    ifname: "net1",
    pool: { kind: "IPPool", name: "pool", uid: "uid" },
    addresses: [{ family: 4, value: 1n }],
    owner: { type: "none" },
    network: "net",
    deviceID: "",
    how: "dynamic",
    createdAt: "2026-01-01T00:00:00Z",
  }),
});
const release = (place: number): StoredChange => ({ type: "release", place });

const RECORDS = [
  {
    what: "an address that is given again when it is free",
    records: [[reserve(0, "a")], [release(0)], [reserve(0, "b")]],
    doubles: 0,
  },
  {
    what: "an address that changes hands in one record",
    records: [[reserve(0, "a")], [reserve(1, "b"), release(0)]],
    doubles: 0,
  },
  {
    what: "an address that is given while it is held",
    records: [[reserve(0, "a")], [reserve(1, "b")], [release(0)]],
    doubles: 1,
  },
] as const;

for (const { what, records, doubles } of RECORDS) {
  test(`the store's history of ${what}, also when the journal is removed meanwhile, has ${doubles} doubles`, async () => {
    const home = mkdtempSync(join(directory, "store-"));
    const file = (name: string, ...parts: readonly Buffer[]): void =>
      writeFileSync(join(home, name), Buffer.concat(parts));
    const end = asciiJson({ sequence: 0, records: 0, damaged: false });
    file("store.snapshot.1", fileHeader("snapshot"), encodeRecord(1, "e", end));
    const encoded = records.map((changes, index) => encodeRecord(index + 1, "c", encodeChanges(changes)));
    file("store.journal.1", fileHeader("journal"), ...encoded);
    const history = new StoreHistory(join(home, "store"));
    rmSync(join(home, "store.journal.1"));
    const read = await history.end();
    assert.equal(read.losses, []);
    assert.is(read.doubles.length, doubles);
  });
}

test("a journal that is made anew after a write that failed is read as it is now", async () => {
  const home = mkdtempSync(join(directory, "store-"));
  const end = asciiJson({ sequence: 0, records: 0, damaged: false });
  writeFileSync(join(home, "store.snapshot.1"), Buffer.concat([fileHeader("snapshot"), encodeRecord(1, "e", end)]));
  const journal = join(home, "store.journal.1");
  writeFileSync(journal, fileHeader("journal"));
  const history = new StoreHistory(join(home, "store"));
  const record = encodeRecord(1, "c", encodeChanges([reserve(0, "a")]));
  writeFileSync(`${journal}.tmp`, Buffer.concat([fileHeader("journal"), record]));
  renameSync(`${journal}.tmp`, journal);
  const { losses, held } = await history.end();
  assert.equal(losses, []);
  assert.equal(held, ["0.0.0.1"]);
});

test("a record that is missing in the store's history is a loss", async () => {
  const home = mkdtempSync(join(directory, "store-"));
  const end = asciiJson({ sequence: 0, records: 0, damaged: false });
  writeFileSync(join(home, "store.snapshot.1"), Buffer.concat([fileHeader("snapshot"), encodeRecord(1, "e", end)]));
  const record = encodeRecord(2, "c", encodeChanges([reserve(0, "a")]));
  writeFileSync(join(home, "store.journal.1"), Buffer.concat([fileHeader("journal"), record]));
  assert.match((await new StoreHistory(join(home, "store")).end()).losses.join(), /records 1 to 1 are missing/);
});

test.run();
