import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { Change, Reservation } from "../../src/lib/reservations/reservation.ts";
import { add, attachment, contents, outcome, pod, pool1, pool2, rebuilt, refused } from "./_pools.ts";

/** What libcni's cache tells: with a container id. */
const cached = (container: string, text: string, rest: Partial<Reservation> = {}): Reservation => ({
  ...rebuilt(pool1, container, text),
  ...attachment(container),
  network: "net-a",
  ...rest,
});
/** What a pod's annotation tells. */
const told = (container: string, text: string): Reservation => rebuilt(pool1, container, text);

const restoreAll = (ledger: Ledger, ...found: Reservation[]): boolean[] => found.map((each) => ledger.restore(each));

const del = (ledger: Ledger, container: string): number =>
  ledger.deallocate({ pools: [pool1.id], attachment: attachment(container), network: "net-a" });

test("what is found in use is taken, by a step that a journal can repeat and take back", () => {
  const ledger = new Ledger();
  assert.equal(restoreAll(ledger, cached("c1", "192.168.0.2"), told("c2", "192.168.0.3")), [true, true]);
  const changes: readonly Change[] = ledger.takeChanges();
  assert.equal(outcome(add(ledger, "c3", [pool1])), ["192.168.0.4"]);
  const replayed = new Ledger();
  replayed.apply(changes);
  assert.equal(contents(replayed), [
    "IPPool/pool1 /net1 192.168.0.3 adopted",
    "IPPool/pool1 c1/net1 192.168.0.2 adopted",
  ]);
  replayed.undo(changes);
  assert.is(replayed.size, 0);
});

const known: readonly [name: string, before: Reservation, found: Reservation][] = [
  ["the same", cached("c1", "192.168.0.2"), cached("c1", "192.168.0.2", { createdAt: "2026-01-05T00:00:00.000Z" })],
  ["told by the pod what its container holds", cached("c1", "192.168.0.2"), told("c1", "192.168.0.2")],
  [
    "told by the pod for another interface name",
    cached("c1", "192.168.0.2"),
    { ...told("c1", "192.168.0.2"), ifname: "" },
  ],
  ["told by the pod again", told("c1", "192.168.0.2"), told("c1", "192.168.0.2")],
];

for (const [name, before, found] of known) {
  test(`nothing changes for what is known: ${name}`, () => {
    const ledger = new Ledger();
    assert.equal(restoreAll(ledger, before), [true]);
    ledger.takeChanges();
    assert.equal(restoreAll(ledger, found), [false]);
    assert.equal(ledger.takeChanges(), []);
    assert.is(ledger.size, 1);
  });
}

test("a container id that becomes known goes into what was restored without one", () => {
  const ledger = new Ledger();
  assert.equal(restoreAll(ledger, told("c1", "192.168.0.2"), cached("c1", "192.168.0.2")), [true, true]);
  assert.equal(contents(ledger), ["IPPool/pool1 c1/net1 192.168.0.2 adopted"]);
  assert.is(del(ledger, "c1"), 1);
});

const claims: readonly [name: string, other: Reservation][] = [
  ["another pod's container", cached("c2", "192.168.0.2")],
  ["another pod", told("c2", "192.168.0.2")],
  ["another container of the pod", cached("c2", "192.168.0.2", { owner: pod("c1") })],
  ["another interface of the container", cached("c1", "192.168.0.2", { ifname: "net2" })],
];

for (const [name, other] of claims) {
  test(`R1 both claims of one address stand, and it is free when both are gone: ${name}`, () => {
    const ledger = new Ledger();
    const first = cached("c1", "192.168.0.2");
    assert.equal(restoreAll(ledger, first, other), [true, true]);
    assert.is(ledger.conflicts().length, 1);
    assert.is(ledger.release([first]), 1);
    refused(add(ledger, "c9", [pool1], { requested: ["192.168.0.2"] }), "ResourceExhausted");
    assert.is(ledger.release([other]), 1);
    assert.equal(outcome(add(ledger, "c9", [pool1], { requested: ["192.168.0.2"] })), ["192.168.0.2"]);
  });
}

test("an equal address of another pool is not known by this one", () => {
  const ledger = new Ledger();
  assert.equal(restoreAll(ledger, cached("c1", "192.168.0.2"), { ...cached("c1", "192.168.0.2"), pool: pool2.id }), [
    true,
    true,
  ]);
  assert.is(ledger.size, 2);
});

test("R3 what was deleted while the rebuild went on is not restored, and may be after it", () => {
  const ledger = new Ledger();
  ledger.beginRebuild();
  assert.is(del(ledger, "c1"), 0);
  ledger.beginRebuild();
  assert.equal(restoreAll(ledger, cached("c1", "192.168.0.2"), cached("c1", "192.168.0.3", { ifname: "net2" })), [
    false,
    true,
  ]);
  ledger.endRebuild();
  assert.equal(contents(ledger), ["IPPool/pool1 c1/net2 192.168.0.3 adopted"]);
  assert.equal(restoreAll(ledger, cached("c1", "192.168.0.2")), [true]);
});

test("R3 what GC freed while the rebuild goes on is not restored from what was read before", () => {
  const ledger = new Ledger();
  ledger.beginRebuild();
  const found = [cached("c1", "192.168.0.2"), cached("c2", "192.168.0.3")];
  assert.equal(restoreAll(ledger, ...found), [true, true]);
  const network = found[0]?.network ?? "";
  assert.is(ledger.collectGarbage({ network, valid: [{ containerID: "c2", ifname: "net1" }] }), 1);
  assert.equal(restoreAll(ledger, ...found), [false, false]);
  ledger.endRebuild();
  assert.equal(restoreAll(ledger, ...found), [true, false]);
});

test("R3 a DEL before the rebuild began says nothing about what the rebuild finds", () => {
  const ledger = new Ledger();
  del(ledger, "c1");
  ledger.beginRebuild();
  assert.equal(restoreAll(ledger, cached("c1", "192.168.0.2")), [true]);
});

test.run();
