import { Low } from "lowdb";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { JournalAdapter } from "../../src/lib/journal/adapter.ts";
import { DEFAULT_SIZES, type StoreSizes } from "../../src/lib/journal/context.ts";
import { StoreFiles } from "../../src/lib/journal/files.ts";
import type { Journaled } from "../../src/lib/journal/journaled.ts";
import { openWriter } from "../../src/lib/journal/opening.ts";
import { openStore, type Store, type StoreProblem } from "../../src/lib/journal/store.ts";
import { toEntry } from "../../src/lib/reservations/entry.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { seededRandom } from "../random.ts";
import { type Fault, SimDisk } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";
import { add, del, expectNoDoubles, POOLS, SILENT, SMALL_SIZES, STORE_FILE, settled, textOf } from "./story.ts";

const random = seededRandom("store");

interface Opened {
  readonly store: Store<Ledger>;
  readonly disk: SimDisk;
  /** Meets the fault when the next record is written (1) or synced (2), or at what comes after that. */
  readonly arm: (after: number, fault: DistributiveOmit<Fault, "at">) => void;
  /** Does something else while the disk is at that. */
  readonly during: (after: number, work: () => void) => void;
  /** Seconds that commits took. */
  readonly commits: readonly number[];
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

async function open(storage: SimStorage, sizes: StoreSizes = SMALL_SIZES): Promise<Opened> {
  const faults: Fault[] = [];
  const works = new Map<number, () => void>();
  const disk = new SimDisk(storage, { random, faults, onAsk: (asked) => works.get(asked)?.() });
  const commits: number[] = [];
  const committed = (seconds: number): number => commits.push(seconds);
  const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes, committed });
  if (!opened.ok) throw new Error(opened.error.message);
  const arm: Opened["arm"] = (after, fault) => faults.push({ ...fault, at: disk.asked + after });
  const during: Opened["during"] = (after, work) => works.set(disk.asked + after, work);
  return { store: opened.value, disk, arm, during, commits };
}

async function commit(store: Store<Ledger>): Promise<void> {
  const committed = await store.commit();
  if (!committed.ok) throw new Error(committed.error.message);
}

async function reopened(storage: SimStorage): Promise<string> {
  const { store, disk } = await open(storage);
  assert.is(store.state(), "ready");
  const content = store.ledger.snapshot();
  expectNoDoubles(content);
  disk.end("kill");
  return textOf(content);
}

/** So many callers commit at the same time. */
async function together(store: Store<Ledger>, callers: number): Promise<void> {
  const commitOne = (_: unknown, index: number): Promise<void> => {
    add(store.ledger, `c${index}`, [POOLS[0]]);
    return commit(store);
  };
  await Promise.all(Array.from({ length: callers }, commitOne));
}

test("callers that wait at the same time share one write and one sync", async () => {
  const { store, commits } = await open(new SimStorage(), DEFAULT_SIZES);
  const before = store.stats();
  const commitsBefore = commits.length;
  await together(store, 10);
  const after = store.stats();
  assert.is(after.syncs - before.syncs, 1);
  assert.is(commits.length - commitsBefore, 1);
  assert.is(after.journalBytes - before.journalBytes, after.bytesWritten - before.bytesWritten);
  assert.is(store.ledger.size, 10);
  await store.close();
});

test("of callers that come again one after the other half are written together, not the first of them alone", async () => {
  const { store, commits } = await open(new SimStorage(), DEFAULT_SIZES);
  await together(store, 10);
  const before = commits.length;
  const { bytesWritten } = store.stats();
  const waiting: Promise<void>[] = [];
  const come = async (): Promise<void> => {
    del(store.ledger, `c${waiting.length}`);
    waiting.push(commit(store));
    await new Promise(setImmediate);
  };
  while (waiting.length < 4) await come();
  assert.is(store.stats().bytesWritten, bytesWritten);
  await come();
  await Promise.all(waiting);
  assert.is(commits.length - before, 1);
  await store.close();
});

test("a caller that comes alone after many is not kept waiting for them", async () => {
  const { store } = await open(new SimStorage(), DEFAULT_SIZES);
  await together(store, 10);
  del(store.ledger, "c0");
  let isWritten = false;
  commit(store).then(() => {
    isWritten = true;
  });
  await settled();
  assert.ok(isWritten);
  await store.close();
});

test("R3 an answer that only looks waits until what it saw is on the disk", async () => {
  const storage = new SimStorage();
  const { store, disk, arm } = await open(storage);
  arm(2, { type: "kill", when: "before" });
  add(store.ledger, "c1", [POOLS[0]]);
  const answers: string[] = [];
  commit(store).then(() => answers.push("reserved"));
  commit(store).then(() => answers.push("seen"));
  await disk.died;
  await settled();
  assert.equal(answers, []);
});

test("with nothing to wait for, an answer leaves at once and nothing is written", async () => {
  const { store } = await open(new SimStorage());
  const before = store.stats();
  await commit(store);
  assert.equal(store.stats(), before);
  await store.close();
});

for (const [what, step] of [
  ["write", 1],
  ["sync", 2],
] as const) {
  test(`a failed ${what} fails its whole group and all behind it, takes them back, and new files are begun before anything is acknowledged`, async () => {
    const storage = new SimStorage();
    const { store, disk, arm, during, commits } = await open(storage);
    arm(step, { type: "error", code: "EIO" });
    const { generation } = store.stats();
    const commitsBefore = commits.length;
    const before = textOf(store.ledger.snapshot());
    const results: Promise<{ ok: boolean }>[] = [];
    for (const container of ["c1", "c2"]) {
      add(store.ledger, container, POOLS);
      results.push(store.commit());
    }
    // These wait behind the group that is being written, and build on it.
    during(step, () => {
      del(store.ledger, "c1");
      results.push(store.commit(), store.commit());
    });
    assert.not((await results[0])?.ok);
    assert.equal(
      (await Promise.all(results)).map(({ ok }) => ok),
      [false, false, false, false],
    );
    assert.is(textOf(store.ledger.snapshot()), before);
    assert.is(store.state(), "failed");
    assert.match(store.problems()[0]?.message ?? "", /\/var\/nv-ipam\/store\.journal\.1: EIO/);
    assert.is(store.stats().errors, 1);
    assert.is(commits.length, commitsBefore);

    add(store.ledger, "c3", [POOLS[0]]);
    await commit(store);
    assert.is(store.state(), "ready");
    assert.is(store.stats().generation, generation + 1);
    const after = textOf(store.ledger.snapshot());
    disk.end("power");
    assert.is(await reopened(storage), after);
  });
}

test("a failed store admits nothing new, and asking makes it try again", async () => {
  const storage = new SimStorage();
  const { store, disk, arm } = await open(storage);
  arm(2, { type: "error", code: "EIO" });
  add(store.ledger, "c1", [POOLS[0]]);
  assert.not((await store.commit()).ok);
  const admitted = store.admitsReservations();
  assert.is(admitted.ok ? "" : admitted.error.code, "failed");
  await settled();
  assert.ok(store.admitsReservations().ok);
  disk.end("power");
  assert.is(await reopened(storage), "");
});

test("R3 what a process showed after its sync had failed is on the disk before the next process builds on it", async () => {
  for (let draw = 0; draw < 20; draw++) {
    const storage = new SimStorage();
    const failed = await open(storage);
    failed.arm(2, { type: "error", code: "EIO" });
    failed.arm(3, { type: "kill", when: "before" });
    add(failed.store.ledger, "c1", [POOLS[0]]);
    const answer = await Promise.race([failed.store.commit(), failed.disk.died]);
    assert.is(answer, "kill");
    const next = await open(storage);
    // The kernel still shows the record, so this is an answer that nobody may lose.
    assert.is(next.store.ledger.size, 1);
    await commit(next.store);
    next.disk.end("power");
    const last = await open(storage);
    assert.is(last.store.ledger.size, 1);
  }
});

test("on a full disk nothing new is admitted in time for every address to be released, each by a record of its own", async () => {
  const storage = new SimStorage();
  const { store, disk } = await open(storage);
  add(store.ledger, "first", POOLS);
  await commit(store);
  storage.capacity = storage.used();
  let problem: StoreProblem | undefined;
  let last = 0;
  for (let index = 0; problem === undefined; index++) {
    assert.ok(index < 1000);
    const admitted = store.admitsReservations();
    if (!admitted.ok) problem = admitted.error;
    else if (index % 3 === 2) del(store.ledger, `c${last--}`);
    else add(store.ledger, `c${++last}`, [POOLS[index % 2] ?? POOLS[0]]);
    await commit(store);
    await settled();
  }
  assert.is(problem.code, "full");
  assert.match(problem.message, /no space left for \/var\/nv-ipam\/store\.journal\.\d+: free some space on its disk/);
  assert.is(store.state(), "full");
  const held = store.ledger.list({ limit: 100 }).reservations;
  assert.ok(held.length >= 4, `${held.length}`);
  for (const reservation of held) {
    assert.is(store.ledger.release([reservation]), 1);
    await commit(store);
  }
  assert.is(store.ledger.size, 0);

  storage.capacity = Number.POSITIVE_INFINITY;
  store.admitsReservations();
  await settled();
  assert.ok(store.admitsReservations().ok);
  add(store.ledger, "again", [POOLS[0]]);
  await commit(store);
  const state = textOf(store.ledger.snapshot());
  disk.end("power");
  assert.is(await reopened(storage), state);
});

test("a snapshot that cannot be written is reported, loses nothing and is made up for later", async () => {
  const storage = new SimStorage();
  const { store, disk } = await open(storage);
  const churn = async (): Promise<void> => {
    if (del(store.ledger, "c") === 0) add(store.ledger, "c", POOLS);
    await commit(store);
    await settled();
  };
  const snapshots = (): number => storage.paths("/var/nv-ipam").filter((path) => path.includes(".snapshot.")).length;
  while (!storage.paths("/var/nv-ipam").includes(`${STORE_FILE}.journal.3`)) await churn();
  storage.capacity = storage.used() + 40;
  for (let round = 0; store.problems().length === 0; round++) {
    assert.ok(round < 100);
    await churn();
  }
  storage.capacity = Number.POSITIVE_INFINITY;
  for (let round = 0; store.problems().length > 0 || snapshots() < 2; round++) {
    assert.ok(round < 100);
    store.admitsReservations();
    await churn();
  }
  const state = textOf(store.ledger.snapshot());
  disk.end("power");
  assert.is(await reopened(storage), state);
});

test("old generations go when two newer snapshots are there", async () => {
  const storage = new SimStorage();
  const { store } = await open(storage);
  for (let round = 0; round < 200; round++) {
    if (del(store.ledger, "c") === 0) add(store.ledger, "c", POOLS);
    await commit(store);
  }
  await settled();
  const names = storage.paths("/var/nv-ipam");
  assert.is(names.filter((name) => /\.snapshot\.\d+$/.test(name)).length, 2);
  assert.ok(names.length < 12, names.join(" "));
  assert.not(names.includes(`${STORE_FILE}.journal.1`));
  await store.close();
});

test("the bytes written for an operation do not depend on how many reservations there are", async () => {
  const perOperation: number[] = [];
  for (const size of [0, 4000]) {
    const { store } = await open(new SimStorage(), { ...DEFAULT_SIZES, journal: 200_000, snapshotAfter: 400_000 });
    add(store.ledger, "pattern", [POOLS[0]]);
    const [pattern] = store.ledger.snapshot().reservations;
    if (pattern === undefined) throw new Error("nothing was reserved");
    for (let index = 0; index < size; index++) {
      const address = { family: 4, value: 0x0b000000n + BigInt(index) } as const;
      store.ledger.apply([
        {
          type: "reserve",
          place: index + 1,
          entry: toEntry({ ...pattern, containerID: `r${index}`, addresses: [address] }),
        },
      ]);
    }
    await commit(store);
    const before = store.stats().bytesWritten;
    const operations = 12_000;
    for (let round = 0; round < operations; round++) {
      if (del(store.ledger, "c") === 0) add(store.ledger, "c", [POOLS[0]]);
      await commit(store);
    }
    await settled();
    perOperation.push((store.stats().bytesWritten - before) / operations);
    await store.close({ exportLegacy: false });
  }
  const [empty = 0, full = 0] = perOperation;
  console.log(`bytes for an operation: ${perOperation.map(Math.round).join(" empty, ")} with 4000 reservations`);
  assert.ok(full < 2 * empty, `${full} instead of ${empty}`);
});

test("a second process is refused, with the lock file's name, until the first one ends or closes", async () => {
  const storage = new SimStorage();
  const first = await open(storage);
  const second = await openStore({ storeFile: STORE_FILE, log: SILENT, disk: new SimDisk(storage, { random }) });
  assert.is(second.ok ? "" : second.error.code, "locked");
  assert.match(second.ok ? "" : second.error.message, /\/var\/nv-ipam\/store\.lock/);
  await first.store.close();
  const third = await open(storage);
  third.disk.end("kill");
  await (await open(storage)).store.close();
});

test("a store that is being closed takes what was handed over and refuses what comes later", async () => {
  const storage = new SimStorage();
  const { store } = await open(storage);
  add(store.ledger, "c1", [POOLS[0]]);
  const before = commit(store);
  const state = textOf(store.ledger.snapshot());
  const closed = store.close();
  add(store.ledger, "c2", [POOLS[0]]);
  const late = await store.commit();
  assert.is(late.ok ? "" : late.error.code, "closed");
  await before;
  assert.ok((await closed).ok);
  assert.is(textOf(store.ledger.snapshot()), state);
  assert.is(await reopened(storage), state);
});

test("lowdb reads and writes through the adapter", async () => {
  const storage = new SimStorage();
  storage.makeDirectory("/var/nv-ipam");
  const database = async (): Promise<Low<Ledger>> => {
    const disk = new SimDisk(storage, { random });
    const context = {
      disk,
      files: new StoreFiles(STORE_FILE),
      sizes: SMALL_SIZES,
      rebuilds: false,
      warn: () => undefined,
      committed: () => undefined,
    };
    const adapter = new JournalAdapter(() => openWriter(context, () => new Ledger()));
    const db = new Low(adapter, new Ledger());
    await db.read();
    return db;
  };
  const db = await database();
  await db.update((ledger) => add(ledger, "c1", POOLS));
  add(db.data, "c2", [POOLS[0]]);
  await db.write();
  assert.is((await database()).data.size, 3);
});

test("the adapter refuses to be used before it was read", () => {
  const nothing: Journaled = {
    takeChanges: () => [],
    undo: () => undefined,
    apply: () => undefined,
    image: () => ({ entries: [], pools: [] }),
  };
  const adapter = new JournalAdapter<Journaled>(() => Promise.reject(new Error("never opened")));
  assert.throws(() => adapter.markRebuilt(), /before it was read/);
  assert.ok(adapter.write(nothing) instanceof Promise);
});

test.run();
