import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeChanges } from "../../src/lib/journal/changes.ts";
import {
  encodeRecord,
  FILE_HEADER_BYTES,
  type FileKind,
  fileHeader,
  scanRecords,
} from "../../src/lib/journal/format.ts";
import { readSnapshot } from "../../src/lib/journal/snapshot_file.ts";
import { openStore, readStore, type Store } from "../../src/lib/journal/store.ts";
import { toEntry } from "../../src/lib/reservations/entry.ts";
import type { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { Change } from "../../src/lib/reservations/reservation.ts";
import { seededRandom } from "../random.ts";
import { SimDisk } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";
import { add, del, expectNoDoubles, POOLS, SILENT, SMALL_SIZES, STORE_FILE, textOf } from "./story.ts";

const random = seededRandom("damage");

async function open(storage: SimStorage): Promise<{ store: Store<Ledger>; kill: () => void }> {
  const disk = new SimDisk(storage, { random });
  const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES });
  if (!opened.ok) throw new Error(opened.error.message);
  return { store: opened.value, kill: () => disk.end("kill") };
}

async function commit(store: Store<Ledger>): Promise<void> {
  const committed = await store.commit();
  if (!committed.ok) throw new Error(committed.error.message);
}

async function reopen(storage: SimStorage): Promise<Store<Ledger>> {
  const { store, kill } = await open(storage);
  kill();
  return store;
}

/** A store with two snapshots and the journals behind them, as a killed daemon leaves it. */
async function usedStore(): Promise<{ storage: SimStorage; state: string; before: string }> {
  const storage = new SimStorage();
  const { store, kill } = await open(storage);
  let before = "";
  // The newest journal holds some records, of which none is in the newest snapshot.
  for (let round = 0; round < 60 || snapshots(storage).length < 2 || newestJournal(storage).records < 3; round++) {
    before = textOf(store.ledger.snapshot());
    const container = `c${round % 7}`;
    if (del(store.ledger, container) === 0) add(store.ledger, container, round % 3 === 0 ? POOLS : [POOLS[0]]);
    await commit(store);
  }
  const state = textOf(store.ledger.snapshot());
  kill();
  return { storage, state, before };
}

function snapshots(storage: SimStorage): string[] {
  return storage.paths("/var/nv-ipam").filter((path) => /\.snapshot\.\d+$/.test(path));
}

/** The journal with the last record in it. */
function newestJournal(storage: SimStorage): {
  path: string;
  content: Buffer;
  offset: number;
  end: number;
  records: number;
} {
  const found = storage
    .paths("/var/nv-ipam")
    .filter((path) => /\.journal\.\d+$/.test(path))
    .map((path) => {
      const content = storage.content(path) ?? Buffer.alloc(0);
      const { records, end } = scanRecords(content);
      const last = records.at(-1);
      return { path, content, offset: last?.offset ?? 0, end, records: records.length, sequence: last?.sequence ?? 0 };
    })
    .sort((a, b) => a.sequence - b.sequence);
  const last = found.at(-1);
  if (last === undefined) throw new Error("there is no journal");
  return last;
}

async function read(storage: SimStorage): Promise<{ state: string; text: string }> {
  const report = await readStore({ storeFile: STORE_FILE, disk: new SimDisk(storage, { random }) });
  if (!report.ok) return { state: report.error.code, text: "" };
  // A release can be among what is lost: then both claims stand, and the address is given to nobody.
  if (report.value.state !== "damaged") expectNoDoubles(report.value.content);
  return { state: report.value.state, text: textOf(report.value.content) };
}

test("R3 a flipped bit anywhere in any file is made good or reported, never a loss in silence or a double", async () => {
  const { storage, state } = await usedStore();
  const outcomes: Record<string, number> = {};
  const last = newestJournal(storage);
  for (const path of storage.paths("/var/nv-ipam")) {
    if (path === STORE_FILE) continue;
    const content = storage.content(path) ?? Buffer.alloc(0);
    for (let at = 0; at < content.length; at++) {
      const isInLastRecord = path === last.path && at >= last.offset && at < last.end;
      const bits = isInLastRecord ? [0, 1, 2, 3, 4, 5, 6, 7] : [random.below(8)];
      for (const bit of bits) {
        const flipped = Buffer.from(content);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        storage.put(path, flipped);
        const found = await read(storage);
        if (found.state === "whole") assert.is(found.text, state, `bit ${bit} of byte ${at} of ${path}`);
        else assert.is(found.state, "damaged", `bit ${bit} of byte ${at} of ${path}`);
        outcomes[found.state] = (outcomes[found.state] ?? 0) + 1;
      }
    }
    storage.put(path, content);
  }
  console.log(outcomes);
  assert.ok((outcomes.whole ?? 0) > 100 && (outcomes.damaged ?? 0) > 100);
});

test("every flipped bit in the last record is reported: it was acknowledged", async () => {
  const { storage } = await usedStore();
  const { path, content, offset, end } = newestJournal(storage);
  for (let at = offset; at < end; at++) {
    const flipped = Buffer.from(content);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
    storage.put(path, flipped);
    assert.is((await read(storage)).state, "damaged", `byte ${at - offset} of ${end - offset}`);
  }
});

test("a last record that ends at any of its bytes was never written whole: it is cut and the rest is served", async () => {
  const { storage, before, state } = await usedStore();
  const { path, content, offset, end } = newestJournal(storage);
  for (let cut = offset; cut <= end; cut++) {
    const expected = { state: "whole", text: cut === end ? state : before };
    storage.put(path, content.subarray(0, cut));
    assert.equal(await read(storage), expected, `shortened to byte ${cut - offset} of ${end - offset}`);
    storage.put(path, Buffer.concat([content.subarray(0, cut)], content.length));
    assert.equal(await read(storage), expected, `zeros from byte ${cut - offset} of ${end - offset}`);
  }
});

test("a last record of which any sectors are missing was never written whole: it is cut and the rest is served", async () => {
  const { storage, kill } = await withLargeLastRecord();
  const { path, content, offset, end } = newestJournal(storage);
  const state = (await read(storage)).text;
  const [first, last] = [Math.floor(offset / 512), Math.floor((end - 1) / 512)];
  const sectors = last - first + 1;
  assert.ok(sectors >= 4, `${sectors}`);
  const before = await (async () => {
    storage.put(path, Buffer.concat([content.subarray(0, offset)], content.length));
    return (await read(storage)).text;
  })();
  for (let kept = 0; kept < 2 ** sectors; kept++) {
    const torn = Buffer.from(content);
    for (let sector = 0; sector < sectors; sector++) {
      if ((kept >> sector) % 2 === 1) continue;
      torn.fill(0, Math.max(offset, (first + sector) * 512), Math.min(end, (first + sector + 1) * 512));
    }
    storage.put(path, torn);
    const expected = { state: "whole", text: kept === 2 ** sectors - 1 ? state : before };
    assert.equal(await read(storage), expected, `sectors ${kept.toString(2).padStart(sectors, "0")}`);
  }
  kill();
});

async function withLargeLastRecord(): Promise<{ storage: SimStorage; kill: () => void }> {
  const storage = new SimStorage();
  const { store, kill } = await open(storage);
  add(store.ledger, "first", POOLS);
  await commit(store);
  // Nine callers that wait together share one record.
  const commits: Promise<void>[] = [];
  for (let index = 0; index < 9; index++) {
    add(store.ledger, `together${index}`, index < 5 ? POOLS : [POOLS[0]]);
    commits.push(commit(store));
  }
  await Promise.all(commits);
  return { storage, kill };
}

test("a torn record is overwritten: what is acknowledged after it is there after further restarts", async () => {
  const { storage, before } = await usedStore();
  const { path, content, offset } = newestJournal(storage);
  storage.put(path, Buffer.concat([content.subarray(0, offset + 20)], content.length));
  const { store, kill } = await open(storage);
  assert.is(textOf(store.ledger.snapshot()), before);
  add(store.ledger, "short", [POOLS[0]]);
  await commit(store);
  const state = textOf(store.ledger.snapshot());
  kill();
  for (let restart = 0; restart < 2; restart++) {
    const next = await reopen(storage);
    assert.is(next.state(), "ready");
    assert.is(textOf(next.ledger.snapshot()), state);
  }
});

test("damage to the newest snapshot loses nothing: the one before it and the journals have it all", async () => {
  const { storage, state } = await usedStore();
  const newest = snapshots(storage).sort((a, b) => generation(b) - generation(a))[0] ?? "";
  const content = storage.content(newest) ?? Buffer.alloc(0);
  for (const damaged of [Buffer.alloc(0), content.subarray(0, content.length - 3), Buffer.alloc(content.length, "x")]) {
    const copy = storage.copy();
    copy.put(newest, damaged);
    const { store, kill } = await open(copy);
    assert.is(store.state(), "ready");
    assert.is(textOf(store.ledger.snapshot()), state);
    assert.ok(copy.content(`${STORE_FILE}.damaged.${generation(newest)}.snapshot`)?.equals(damaged));
    add(store.ledger, "after", [POOLS[1]]);
    await commit(store);
    const next = textOf(store.ledger.snapshot());
    kill();
    assert.is(textOf((await reopen(copy)).ledger.snapshot()), next);
  }
});

function generation(path: string): number {
  return Number(path.slice(path.lastIndexOf(".") + 1));
}

test("a missing file is reported", async () => {
  const { storage, state } = await usedStore();
  const newest = Math.max(...snapshots(storage).map(generation));
  for (const path of snapshots(storage)) {
    const copy = storage.copy();
    copy.remove(path);
    assert.equal(await read(copy), { state: "whole", text: state }, path);
  }
  const journals = storage.paths("/var/nv-ipam").filter((path) => path.includes(".journal."));
  const needed = journals.filter((path) => generation(path) >= newest).slice(0, -1);
  for (const path of [`${STORE_FILE}.journal.${newest}`, ...needed]) {
    const copy = storage.copy();
    copy.remove(path);
    assert.is((await read(copy)).state, "damaged", path);
  }
  const withoutSnapshots = storage.copy();
  for (const path of snapshots(storage)) withoutSnapshots.remove(path);
  const found = await read(withoutSnapshots);
  assert.is(found.state, "damaged", "all snapshots");
  assert.is.not(found.text, "", "the journals are served");
  for (const path of storage.paths("/var/nv-ipam")) if (path !== STORE_FILE) storage.remove(path);
  assert.equal(await read(storage), { state: "damaged", text: "" }, "all but the notice for the original");
});

test("a damaged store serves what can be read, admits no reservation, keeps releases, and stays so over restarts", async () => {
  const { storage } = await usedStore();
  const { path, content, offset } = newestJournal(storage);
  const flipped = Buffer.from(content);
  flipped[offset + 50] = (flipped[offset + 50] ?? 0) ^ 1;
  storage.put(path, flipped);

  const { store, kill } = await open(storage);
  assert.is(store.state(), "damaged");
  const admitted = store.admitsReservations();
  assert.is(admitted.ok ? "" : admitted.error.code, "damaged");
  assert.match(admitted.ok ? "" : admitted.error.message, /nv-ipam store repair --store-file \/var\/nv-ipam\/store/);
  assert.ok(storage.content(`${STORE_FILE}.damaged.${generation(path)}.journal`)?.equals(flipped));
  assert.ok(store.ledger.size > 0);
  const [held] = store.ledger.list({ limit: 1 }).reservations;
  assert.is(del(store.ledger, held?.containerID ?? "") > 0, true);
  await commit(store);
  const served = textOf(store.ledger.snapshot());
  kill();

  const second = await open(storage);
  assert.is(second.store.state(), "damaged");
  assert.is(textOf(second.store.ledger.snapshot()), served);
  add(second.store.ledger, "found by the rebuild", [POOLS[0]]);
  await commit(second.store);
  assert.equal(await second.store.markRebuilt(), { ok: true, value: undefined });
  assert.is(second.store.state(), "ready");
  assert.is(second.store.admitsReservations().ok, true);
  const rebuilt = textOf(second.store.ledger.snapshot());
  second.kill();

  const third = await reopen(storage);
  assert.is(third.state(), "ready");
  assert.is(textOf(third.ledger.snapshot()), rebuilt);
});

test("the records behind a damaged one are served, and an address whose release is lost is not given while it may be in use", async () => {
  const storage = new SimStorage();
  const { store, kill } = await open(storage);
  add(store.ledger, "first", [POOLS[0]]);
  const [first] = store.ledger.snapshot().reservations;
  if (first === undefined) throw new Error("nothing was reserved");
  kill();
  const { path, content, end, records } = newestJournal(storage);
  const second = { ...first, containerID: "second" };
  const changes: Change[] = [
    { type: "reserve", place: 0, entry: toEntry(first) },
    { type: "release", place: 0 },
    { type: "reserve", place: 1, entry: toEntry(second) },
  ];
  const [reserve, release, again] = changes.map((change, index) =>
    encodeRecord(scanRecords(content).records.length + 2 + index, "c", encodeChanges([change])),
  );
  assert.is(records, 1);
  const lost = Buffer.from(release ?? []);
  lost.fill("x", 10, 30);
  const bytes = [content.subarray(0, end), ...[reserve, lost, again].map((record) => record ?? Buffer.alloc(0))];
  storage.put(path, Buffer.concat(bytes, content.length));
  const next = await open(storage);
  assert.is(next.store.state(), "damaged");
  const { ledger } = next.store;
  assert.equal(
    ledger.list({ limit: 9 }).reservations.map(({ containerID }) => containerID),
    ["first", "second"],
  );
  const inConflict = ledger.conflicts().map(({ address }) => address);
  assert.equal(inConflict, first.addresses);
  next.kill();
});

test("a record that is whole but makes no sense is damage: a start serves the rest, and verify says which record it is", async () => {
  const storage = new SimStorage();
  const { store, kill } = await open(storage);
  add(store.ledger, "first", [POOLS[0]]);
  await commit(store);
  const before = textOf(store.ledger.snapshot());
  kill();
  const { path, content, end } = newestJournal(storage);
  const sequence = scanRecords(content).records.at(-1)?.sequence ?? 0;
  const pool = "pool|IPPool|pool4|u";
  for (const row of [
    "+0|1|c|net1|10.1.0.x|t|dynamic|n|",
    "+0|1|c|net1||t|dynamic|n|",
    "+0|1|abc",
    "+0|1|c\\|net1|10.1.0.9|t|dynamic|n|",
    "+0|16777217|c|net1|10.1.0.9|t|dynamic|n|",
    "cursor||10.1.0.9",
    "exported|zzz",
  ]) {
    const record = encodeRecord(sequence + 1, "c", `${pool};${row}`);
    const copy = storage.copy();
    copy.put(path, Buffer.concat([content.subarray(0, end), record], content.length));
    const report = await readStore({ storeFile: STORE_FILE, disk: new SimDisk(copy, { random }) });
    assert.match(
      report.ok ? (report.value.problems[0] ?? "") : report.error.message,
      /^record \d+ of .* makes no sense/,
      row,
    );
    const next = await open(copy);
    assert.is(next.store.state(), "damaged", row);
    assert.is(textOf(next.store.ledger.snapshot()), before, row);
    next.kill();
  }
});

test("a snapshot whose end makes no sense is damaged", async () => {
  for (const end of ["null", '{"records":0}', '{"sequence":1,"records":0,"damaged":false,"exported":"x"}']) {
    assert.is(
      readSnapshot(Buffer.concat([fileHeader("snapshot"), encodeRecord(1, "e", end)]), () => undefined),
      undefined,
      end,
    );
  }
});

test("a file of a later format version is refused and nothing is touched", async () => {
  for (const kind of ["snapshot", "journal"] satisfies FileKind[]) {
    const { storage } = await usedStore();
    const path = storage.paths("/var/nv-ipam").find((name) => name.includes(`.${kind}.`)) ?? "";
    const content = storage.content(path) ?? Buffer.alloc(0);
    storage.put(path, Buffer.concat([fileHeader(kind, 2), content.subarray(FILE_HEADER_BYTES)]));
    const before = storage.paths("/var/nv-ipam").map((name) => [name, storage.content(name)?.toString("hex")]);
    const disk = new SimDisk(storage, { random });
    const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES });
    assert.is(opened.ok ? "" : opened.error.code, "version");
    assert.match(opened.ok ? "" : opened.error.message, /format version 2, this release reads 1/);
    assert.equal(
      storage.paths("/var/nv-ipam").map((name) => [name, storage.content(name)?.toString("hex")]),
      before,
    );
  }
});

test.run();
