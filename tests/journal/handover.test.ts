import { test } from "uvu";
import * as assert from "uvu/assert";
import { StoreFiles } from "../../src/lib/journal/files.ts";
import { decideStart, type LegacyFile } from "../../src/lib/journal/handover.ts";
import { formatLegacy, parseLegacy } from "../../src/lib/journal/legacy.ts";
import { fromLegacy, toLegacy } from "../../src/lib/journal/legacy_content.ts";
import type { Recovery } from "../../src/lib/journal/recovery.ts";
import { openStore, readStore, type Store } from "../../src/lib/journal/store.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { LedgerSnapshot } from "../../src/lib/reservations/reservation.ts";
import { type Random, seededRandom } from "../random.ts";
import { type Fault, SimDisk } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";
import { add, del, Knowledge, type Life, live, POOLS, SILENT, SMALL_SIZES, STORE_FILE, textOf } from "./story.ts";

const random = seededRandom("handover");
const EMPTY: LedgerSnapshot = { reservations: [], pools: [] };
const FILES = new StoreFiles(STORE_FILE);

type Found = Pick<Recovery<unknown>, "losses" | "exported">;

const FOUND: Found = { exported: undefined, losses: [] };
const EXPORTED: Found = { exported: 5, losses: [] };
const LOSSY: Found = { exported: undefined, losses: ["it is gone"] };
const VALID: LegacyFile = { type: "valid", content: EMPTY, checksum: 6 };
const INVALID: LegacyFile = { type: "invalid", reason: "odd" };

type Outcome = "resume" | "new" | "imported" | "damaged";

const DECISIONS: readonly [ours: Found | undefined, legacy: LegacyFile, outcome: Outcome, why: string][] = [
  [undefined, { type: "absent" }, "new", "nothing is there"],
  [undefined, { type: "empty" }, "new", "an empty file is an empty store"],
  [undefined, VALID, "imported", "the original was here before"],
  [undefined, INVALID, "damaged", "the original's reservations cannot be read"],
  [undefined, { type: "notice" }, "damaged", "our files are gone"],
  [FOUND, { type: "absent" }, "resume", "the file was removed"],
  [FOUND, { type: "empty" }, "resume", "an empty file never replaces ours"],
  [FOUND, { type: "notice" }, "resume", "a daemon ended without handing over"],
  [FOUND, INVALID, "resume", "an invalid file never replaces ours"],
  [FOUND, VALID, "imported", "the original wrote it after us"],
  [EXPORTED, { type: "exported" }, "resume", "the original did not run"],
  [EXPORTED, { type: "notice" }, "resume", "a later daemon ended without handing over"],
  [EXPORTED, { type: "absent" }, "resume", "the file was removed"],
  [EXPORTED, VALID, "imported", "the original went on from what we exported"],
  [EXPORTED, INVALID, "damaged", "the original may have gone on, and what it knew is lost"],
  [EXPORTED, { type: "empty" }, "damaged", "the original may have gone on, and what it knew is lost"],
  [LOSSY, { type: "absent" }, "damaged", "records are lost"],
  [LOSSY, { type: "notice" }, "damaged", "records are lost"],
  [LOSSY, INVALID, "damaged", "records are lost"],
  [LOSSY, VALID, "imported", "the original's file is whole"],
];

for (const [ours, legacy, outcome, why] of DECISIONS) {
  const state =
    ours === undefined ? "no files" : ours === LOSSY ? "damaged files" : ours === EXPORTED ? "exported files" : "files";
  test(`${state} of ours and an original's file that is ${legacy.type}: ${outcome}, for ${why}`, () => {
    const start = decideStart(ours, legacy, FILES);
    assert.is(start.type === "resume" ? "resume" : start.why, outcome);
    if (start.type === "begin" && outcome === "imported") assert.is(start.exported, 6);
  });
}

/** The content of the original's file as our next daemon must hold it; undefined when the original refuses to start. */
function originalReads(storage: SimStorage): LedgerSnapshot | undefined {
  const parsed = parseLegacy(storage.content(STORE_FILE)?.toString() ?? "");
  if (!parsed.ok) return undefined;
  const content = fromLegacy(parsed.value.store);
  if (!content.ok) throw new Error(content.error.message);
  return content.value;
}

/** The original starts, if it can, gives one more address and ends. Returns what it left. */
function originalRuns(storage: SimStorage, container: string): LedgerSnapshot | undefined {
  const content = originalReads(storage);
  if (content === undefined) return undefined;
  const { ledger } = Ledger.load(content);
  if (!add(ledger, container, [POOLS[0]])) throw new Error("the block is too small for this test");
  const { text } = formatLegacy(toLegacy(ledger.snapshot()));
  storage.put(STORE_FILE, Buffer.from(text));
  return originalReads(storage);
}

function ledgerText(content: LedgerSnapshot): string {
  return textOf(Ledger.load(content).ledger.snapshot());
}

function withOriginal(): SimStorage {
  const storage = new SimStorage();
  storage.makeDirectory("/var/nv-ipam");
  storage.put(STORE_FILE, Buffer.from(formatLegacy(new Map()).text));
  originalRuns(storage, "by the original 1");
  originalRuns(storage, "by the original 2");
  return storage;
}

const KINDS: readonly Omit<Fault & { type: "power" | "kill" }, "at">[] = [
  { type: "power", when: "before" },
  { type: "power", when: "after" },
  { type: "kill", when: "before" },
  { type: "kill", when: "after" },
];

for (const kind of KINDS) {
  test(`a ${kind.type} ${kind.when} any single step of import, work and export lets either program go on with all that was acknowledged`, async () => {
    const outcomes = { refused: 0, started: 0 };
    const steps = (await between(random)) + 10;
    for (let at = 1; at <= steps; at++) {
      for (let draw = 0; draw < 3; draw++) await between(random, { ...kind, at }, outcomes);
    }
    assert.ok(outcomes.refused > 10 && outcomes.started > 10, JSON.stringify(outcomes));
  });
}

/** The original, then ours with a fault, then the original again if it can, then ours. */
async function between(random: Random, fault?: Fault, outcomes = { refused: 0, started: 0 }): Promise<number> {
  const storage = withOriginal();
  let knowledge = new Knowledge(ledgerText(originalReads(storage) ?? EMPTY));
  const next = async (life: Life): Promise<number> => {
    const outcome = await live(storage, knowledge, life, { random });
    knowledge = outcome.knowledge;
    return outcome.asked;
  };
  const asked = await next({ clients: 1, operations: 5, faults: fault === undefined ? [] : [fault], end: "close" });
  // That it would start from a state that may be, live has seen already.
  const left = originalRuns(storage, "by the original 3");
  if (left === undefined) outcomes.refused++;
  else {
    outcomes.started++;
    knowledge = new Knowledge(ledgerText(left));
  }
  await next({ clients: 1, operations: 2, faults: [], end: "power" });
  await next({ clients: 0, operations: 0, faults: [], end: "kill" });
  return asked;
}

async function open(storage: SimStorage): Promise<Store<Ledger>> {
  const disk = new SimDisk(storage, { random });
  const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES });
  if (!opened.ok) throw new Error(opened.error.message);
  return opened.value;
}

async function commit(store: Store<Ledger>): Promise<void> {
  const committed = await store.commit();
  if (!committed.ok) throw new Error(committed.error.message);
}

test("while we run the original refuses to start, and the text says why to people", async () => {
  const storage = withOriginal();
  const store = await open(storage);
  assert.is(originalReads(storage), undefined);
  assert.match(storage.content(STORE_FILE)?.toString() ?? "", /store export --store-file \/var\/nv-ipam\/store/);
  await store.close();
});

test("what only we know survives a handover that the original does not touch", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  add(first.ledger, "c1", [POOLS[0]], "network of c1");
  await commit(first);
  const before = textOf(first.ledger.snapshot());
  assert.ok((await first.close()).ok);
  const second = await open(storage);
  assert.is(textOf(second.ledger.snapshot()), before);
  await second.close();
});

test("what the original changed is taken over, and our files of before are set aside", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  add(first.ledger, "c1", [POOLS[0]]);
  await commit(first);
  await first.close();
  const left = originalRuns(storage, "by the original");
  const second = await open(storage);
  assert.is(textOf(second.ledger.snapshot()), ledgerText(left ?? EMPTY));
  assert.is(second.ledger.size, 2);
  const names = storage.paths("/var/nv-ipam").filter((path) => path.includes(".replaced."));
  assert.equal(names, [`${STORE_FILE}.replaced.1.journal`, `${STORE_FILE}.replaced.1.snapshot`]);
  await second.close();
});

test("of what imports set aside, those of before are kept to ten generations", async () => {
  const storage = withOriginal();
  const two = storage.content(STORE_FILE) ?? Buffer.alloc(0);
  originalRuns(storage, "by the original 3");
  const three = storage.content(STORE_FILE) ?? Buffer.alloc(0);
  const replaced = (): number[] =>
    storage
      .paths("/var/nv-ipam")
      .flatMap((path) => /\.replaced\.(\d+)\.journal$/.exec(path)?.[1] ?? [])
      .map(Number);
  for (let start = 1; start <= 14; start++) {
    storage.put(STORE_FILE, start % 2 === 0 ? two : three);
    const store = await open(storage);
    await store.close({ exportLegacy: false });
  }
  assert.equal(
    replaced().sort((a, b) => a - b),
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  );
  assert.is(storage.paths("/var/nv-ipam").filter((path) => path.includes(".replaced.")).length, 22);
});

test("damage to the snapshot of an import never brings back what was before it", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  add(first.ledger, "ours before", [POOLS[0]]);
  await commit(first);
  await first.close();
  originalRuns(storage, "by the original");
  const steps = 60;
  for (let at = 1; at <= steps; at++) {
    const copy = storage.copy();
    const disk = new SimDisk(copy, { random, faults: [{ at, type: "power", when: "before" }] });
    await Promise.race([openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES }), disk.died]);
    disk.end("power");
    const newest = copy.paths("/var/nv-ipam").filter((path) => /\.snapshot\.[2-9]$/.test(path));
    for (const path of newest) copy.put(path, Buffer.alloc(100, "x"));
    const report = await readStore({ storeFile: STORE_FILE, disk: new SimDisk(copy, { random }) });
    if (!report.ok) throw new Error(report.error.message);
    const { state, content } = report.value;
    assert.ok(state === "damaged" || content.reservations.length === 2, `step ${at}: ${state}`);
  }
});

test("R1 R3 what the original wrote while we ran is not overwritten when we stop, and taken over by the next start, as after a crash", async () => {
  const storage = withOriginal();
  const content = storage.content(STORE_FILE) ?? Buffer.alloc(0);
  const first = await open(storage);
  add(first.ledger, "ours", [POOLS[0]]);
  await commit(first);
  // One that had read its file before we put the notice there.
  storage.put(STORE_FILE, content);
  originalRuns(storage, "by the original 3");
  const left = originalReads(storage);
  const closed = await first.close();
  assert.match(closed.ok ? "" : closed.error.message, /the original wrote \/var\/nv-ipam\/store while this daemon ran/);
  assert.equal(originalReads(storage), left);
  const second = await open(storage);
  assert.is(textOf(second.ledger.snapshot()), ledgerText(left ?? EMPTY));
  await second.close();
});

test("what somebody wrote while we ran that is no store is left for the next start, which counts it as damage", async () => {
  const storage = withOriginal();
  const later = storage.copy();
  originalRuns(later, "by the original 3");
  const written = later.content(STORE_FILE) ?? Buffer.alloc(0);
  for (const torn of [written.subarray(0, written.length / 2), Buffer.alloc(0)]) {
    const copy = storage.copy();
    const first = await open(copy);
    copy.put(STORE_FILE, torn);
    const closed = await first.close();
    assert.match(closed.ok ? "" : closed.error.message, /somebody wrote .* the next start counts the store as damaged/);
    const second = await open(copy);
    assert.is(second.state(), "damaged");
    await second.close();
  }
});

test("a file that says what we took over is no other's, however it is laid out", async () => {
  const storage = withOriginal();
  const content = storage.content(STORE_FILE) ?? Buffer.alloc(0);
  const first = await open(storage);
  storage.put(STORE_FILE, Buffer.from(JSON.stringify(JSON.parse(content.toString()), undefined, 1)));
  assert.ok((await first.close()).ok);
  assert.is(textOf((await open(storage)).ledger.snapshot()), textOf(first.ledger.snapshot()));
});

test("an invalid file is set aside, never imported", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  add(first.ledger, "c1", [POOLS[0]]);
  await commit(first);
  const before = textOf(first.ledger.snapshot());
  await first.close({ exportLegacy: false });
  storage.put(STORE_FILE, Buffer.from('{"version":1,"checksum":1,"pools":{}}'));
  const second = await open(storage);
  assert.is(second.state(), "ready");
  assert.is(textOf(second.ledger.snapshot()), before);
  const aside = storage.paths("/var/nv-ipam").filter((path) => path.endsWith(".store"));
  assert.equal(aside, [`${STORE_FILE}.damaged.1.store`]);
  await second.close();
});

test("a damaged store is not handed over: the original would give its lost addresses again", async () => {
  const storage = new SimStorage();
  storage.makeDirectory("/var/nv-ipam");
  storage.put(STORE_FILE, Buffer.from("{"));
  const store = await open(storage);
  assert.is(store.state(), "damaged");
  const closed = await store.close();
  assert.is(closed.ok ? "" : closed.error.code, "damaged");
  assert.is(originalReads(storage), undefined);
});

test("a file of another version of the original's is refused and nothing is touched", async () => {
  const storage = new SimStorage();
  storage.makeDirectory("/var/nv-ipam");
  storage.put(STORE_FILE, Buffer.from('{"version":3,"checksum":1,"pools":{}}'));
  const disk = new SimDisk(storage, { random });
  const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES });
  assert.is(opened.ok ? "" : opened.error.code, "version");
  assert.equal(storage.paths("/var/nv-ipam"), [STORE_FILE]);
});

test("on a full disk releases go on although the original's file cannot be replaced, and reservations wait for it", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  add(first.ledger, "c1", [POOLS[0]]);
  await commit(first);
  await first.close();
  storage.capacity = storage.used();
  const second = await open(storage);
  assert.is(second.state(), "full");
  assert.is(second.admitsReservations().ok, false);
  assert.is(del(second.ledger, "c1"), 1);
  await commit(second);
  storage.capacity = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 50 && !second.admitsReservations().ok; tries++) await new Promise(setImmediate);
  assert.is(second.admitsReservations().ok, true);
  assert.is(originalReads(storage), undefined);
  await second.close();
});

test.run();
