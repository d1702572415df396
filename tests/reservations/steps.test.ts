import { test } from "uvu";
import * as assert from "uvu/assert";
import { toEntry } from "../../src/lib/reservations/entry.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { Change, LedgerSnapshot, Reservation } from "../../src/lib/reservations/reservation.ts";
import {
  add,
  attachment,
  contents,
  granted,
  ipPool,
  outcome,
  pod,
  pool1,
  pool2,
  pool6,
  ready,
  rebuilt,
  refused,
  tiny,
} from "./_pools.ts";

const EMPTY: LedgerSnapshot = { reservations: [], pools: [] };

/** A snapshot in an order of its own: a ledger need not keep the order of reservations. */
const sorted = ({ reservations, pools }: LedgerSnapshot) => ({
  reservations: [...reservations].sort((a, b) => JSON.stringify(a, digits).localeCompare(JSON.stringify(b, digits))),
  pools: [...pools].sort((a, b) => a.pool.name.localeCompare(b.pool.name)),
});

const digits = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value);

test("an ADD is one transaction: the pool's configuration, its turn, the reservation", () => {
  const ledger = new Ledger();
  const [allocation] = granted(add(ledger, "c1", [pool1]));
  assert.ok(allocation);
  assert.equal(ledger.takeChanges(), [
    { type: "config", pool: pool1.id, config: pool1.config },
    { type: "cursor", pool: pool1.id, address: allocation?.address },
    { type: "reserve", place: 0, entry: toEntry(allocation.reservation) },
  ]);
  assert.equal(ledger.takeChanges(), [], "the steps are taken once");
});

test("the next ADD says what the turn was before, and the configuration only when it has changed", () => {
  const ledger = new Ledger();
  const [first] = granted(add(ledger, "c1", [pool1]));
  ledger.takeChanges();
  granted(add(ledger, "c2", [pool1]));
  const [cursor, reserve] = ledger.takeChanges();
  assert.equal(cursor?.type === "cursor" && cursor.before, first?.address);
  assert.is(reserve?.type, "reserve");

  const spec = { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.9" };
  const changed = ready(ipPool("pool1", spec, "192.168.0.1-192.168.0.24"));
  granted(add(ledger, "c3", [changed]));
  assert.equal(ledger.takeChanges()[0], {
    type: "config",
    pool: changed.id,
    config: changed.config,
    before: pool1.config,
  });
});

test("an address by name makes no step of the turn", () => {
  const ledger = new Ledger();
  for (const ask of [
    { requested: ["192.168.0.9"] },
    { choice: { type: "gateway" } },
    { choice: { type: "index", index: 7 } },
  ] as const) {
    granted(add(ledger, `c-${JSON.stringify(ask)}`, [pool1], ask));
  }
  assert.not(ledger.takeChanges().some(({ type }) => type === "cursor"));
});

test("a refused request makes no step", () => {
  const ledger = new Ledger();
  refused(add(ledger, "c1", [pool1, tiny], { requested: ["10.0.0.1"] }), "InvalidArgument");
  ledger.deallocate({ pools: [pool1.id], attachment: attachment("c1"), network: "net-a" });
  assert.equal(ledger.takeChanges(), []);
});

test("taking an ADD back gives the state before, the first one included", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [pool1, pool6]));
  ledger.undo(ledger.takeChanges());
  assert.equal(ledger.snapshot(), EMPTY);
  assert.equal(ledger.takeChanges(), [], "taking back is no change");
  assert.equal(outcome(add(ledger, "c2", [pool1])), ["192.168.0.2"]);
});

test("taking a DEL back gives the addresses back to their holder", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [pool1, pool6]));
  const before = sorted(ledger.snapshot());
  ledger.takeChanges();
  ledger.deallocate({ pools: [pool1.id, pool6.id], attachment: attachment("c1"), network: "net-a" });
  ledger.undo(ledger.takeChanges());
  assert.equal(sorted(ledger.snapshot()), before);
  assert.equal(outcome(add(ledger, "c1", [pool1, pool6])), ["192.168.0.2", "fd52:2eb5:44::2"]);
});

test("taking a takeover back gives the address back to the earlier sandbox", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [tiny]));
  const before = sorted(ledger.snapshot());
  ledger.takeChanges();
  granted(add(ledger, "c1-again", [tiny], { owner: pod("c1") }));
  ledger.undo(ledger.takeChanges());
  assert.equal(sorted(ledger.snapshot()), before);
});

test("several transactions are taken back from the last to the first", () => {
  const ledger = new Ledger();
  const transactions = ["c1", "c2", "c3"].map((container) => {
    granted(add(ledger, container, [pool2]));
    return ledger.takeChanges();
  });
  for (const changes of transactions.slice(1).toReversed()) ledger.undo(changes);
  assert.equal(contents(ledger), ["IPPool/pool2 c1/net1 10.10.0.9 dynamic"]);
  assert.equal(outcome(add(ledger, "c9", [pool2])), ["10.10.0.10"]);
});

test("transactions that failed together are taken back together", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [pool2]));
  const kept = sorted(ledger.snapshot());
  ledger.takeChanges();
  for (const container of ["c2", "c3"]) granted(add(ledger, container, [pool2]));
  ledger.undo(ledger.takeChanges());
  assert.equal(sorted(ledger.snapshot()), kept);
});

test("a replay of the steps gives the same state, and a second one of the same steps changes nothing", () => {
  const ledger = new Ledger();
  const journal: Change[] = [];
  for (const container of ["c1", "c2", "c3"]) {
    granted(add(ledger, container, [pool1, pool6]));
    journal.push(...ledger.takeChanges());
  }
  const replayed = new Ledger();
  replayed.apply(journal);
  assert.equal(sorted(replayed.snapshot()), sorted(ledger.snapshot()));
  assert.equal(replayed.takeChanges(), []);
  replayed.apply(journal);
  assert.equal(sorted(replayed.snapshot()), sorted(ledger.snapshot()));
  assert.equal(replayed.conflicts(), []);
});

test("a replay in which two reservations claim an address for a while ends as its steps say", () => {
  const first = { ...rebuilt(tiny, "c1", "10.30.0.1"), ...attachment("c1") };
  const second = { ...rebuilt(tiny, "c2", "10.30.0.1"), ...attachment("c2") };
  const ledger = new Ledger();
  ledger.apply([
    { type: "reserve", place: 0, entry: toEntry(first) },
    { type: "reserve", place: 1, entry: toEntry(second) },
    { type: "release", place: 0 },
  ]);
  assert.equal(ledger.conflicts(), []);
  assert.equal(contents(ledger), ["IPPool/tiny c2/net1 10.30.0.1 adopted"]);
  refused(add(ledger, "c3", [tiny]), "ResourceExhausted");
});

test("a release of what is not there is passed over in a replay", () => {
  const ledger = new Ledger();
  ledger.apply([{ type: "release", place: 7 }]);
  assert.is(ledger.size, 0);
});

test("a reservation at a place where another one stands says that the other was released", () => {
  const first = { ...rebuilt(tiny, "c1", "10.30.0.1"), ...attachment("c1") };
  const second = { ...rebuilt(pool1, "c2", "192.168.0.7"), ...attachment("c2") };
  const ledger = new Ledger();
  ledger.apply([
    { type: "reserve", place: 3, entry: toEntry(first) },
    { type: "reserve", place: 3, entry: toEntry(second) },
  ]);
  assert.equal(contents(ledger), ["IPPool/pool1 c2/net1 192.168.0.7 adopted"]);
  assert.is(ledger.held(tiny.id), 0);
  assert.equal(outcome(add(ledger, "c1", [tiny])), ["10.30.0.1"]);
});

test("places that were left are taken again, also those below the first that was read", () => {
  const ledger = new Ledger();
  ledger.apply([{ type: "reserve", place: 2, entry: toEntry(rebuilt(tiny, "c1", "10.30.0.1")) }]);
  const places = ["c2", "c3", "c4"].flatMap((container) => {
    granted(add(ledger, container, [pool1]));
    return ledger.takeChanges().flatMap((change) => (change.type === "reserve" ? [change.place] : []));
  });
  assert.equal(places.sort(), [0, 1, 3]);
});

test("a snapshot that is loaded gives the same answers: turn, configuration and addresses", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [pool1, pool6]));
  granted(add(ledger, "c2", [pool1]));
  ledger.deallocate({ pools: [pool1.id], attachment: attachment("c2"), network: "net-a" });
  const { ledger: loaded, conflicts } = Ledger.load(ledger.snapshot());
  assert.equal(conflicts, []);
  assert.equal(sorted(loaded.snapshot()), sorted(ledger.snapshot()));
  assert.equal(outcome(add(loaded, "c3", [pool1])), ["192.168.0.4"]);
  assert.equal(
    loaded.takeChanges().map(({ type }) => type),
    ["cursor", "reserve"],
  );
});

test("a snapshot keeps pools that have a turn but no reservation, and none that have neither", () => {
  const ledger = new Ledger();
  granted(add(ledger, "c1", [pool1]));
  ledger.deallocate({ pools: [pool1.id], attachment: attachment("c1"), network: "net-a" });
  ledger.usage(pool2);
  assert.equal(ledger.snapshot(), {
    reservations: [],
    pools: [{ pool: pool1.id, cursor: { family: 4, value: 0xc0a80002n }, config: pool1.config }],
  });
});

test("pages show each reservation once, also when others come and go in between", () => {
  const ledger = new Ledger();
  for (let i = 0; i < 20; i++) granted(add(ledger, `c${i}`, [pool1]));
  const seen: string[] = [];
  let from: number | undefined;
  do {
    const page = ledger.list({ from, limit: 3 });
    seen.push(...page.reservations.map(({ containerID }) => containerID));
    assert.ok(page.reservations.length <= 3);
    const [last] = page.reservations;
    if (last !== undefined) ledger.release([last]);
    granted(add(ledger, `new-${seen.length}`, [pool6]));
    from = page.next;
  } while (from !== undefined);
  const original = seen.filter((container) => container.startsWith("c"));
  assert.is(new Set(original).size, 20);
  assert.is(original.length, 20);
});

test("the last page says that it is the last, also when it is full or empty", () => {
  const ledger = new Ledger();
  assert.equal(ledger.list({ limit: 5 }), { reservations: [], next: undefined });
  for (let i = 0; i < 4; i++) granted(add(ledger, `c${i}`, [pool2]));
  const first = ledger.list({ limit: 2 });
  const second = ledger.list({ limit: 2, from: first.next });
  assert.equal(
    [first, second].map(({ reservations, next }) => [reservations.length, next === undefined]),
    [
      [2, false],
      [2, true],
    ],
  );
  assert.equal(ledger.list({ limit: 2, from: 1_000 }), { reservations: [], next: undefined });
});

test("a listing walks no places that were left by those who went", () => {
  const ledger = new Ledger();
  for (let i = 0; i < 1_000; i++)
    ledger.release(granted(add(ledger, `c${i}`, [pool1])).map(({ reservation }) => reservation));
  for (const container of ["a", "b"]) granted(add(ledger, container, [pool1]));
  assert.is(ledger.list({ limit: 1 }).next, 1);
});

test("a listing can be narrowed to a container, an interface, or one attachment", () => {
  const ledger = new Ledger();
  for (const ifname of ["net1", "net2"])
    for (const container of ["c1", "c2"]) granted(add(ledger, container, [pool1], { ifname }));
  const shown = (filter: { containerID?: string; ifname?: string }): string[] =>
    ledger
      .list({ limit: 10, ...filter })
      .reservations.map(({ containerID, ifname }: Reservation) => `${containerID}/${ifname}`);
  assert.equal(shown({ containerID: "c1" }), ["c1/net1", "c1/net2"]);
  assert.equal(shown({ ifname: "net2" }), ["c1/net2", "c2/net2"]);
  assert.equal(shown({ containerID: "c2", ifname: "net1" }), ["c2/net1"]);
  assert.equal(shown({ containerID: "c9" }), []);
});

test.run();
