import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import type { Owner, Reservation } from "../../src/lib/reservations/reservation.ts";
import {
  add,
  attachment,
  contents,
  granted,
  ipPool,
  line,
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

const load = (...reservations: Reservation[]): Ledger => Ledger.load({ reservations, pools: [] }).ledger;

const names = (pools: readonly NodePool[]) => pools.map(({ id }) => id);

const check = (ledger: Ledger, container: string, pools: readonly NodePool[], owner: Owner = pod(container)) =>
  ledger.isAllocated({ pools: names(pools), attachment: attachment(container), owner });

const del = (ledger: Ledger, container: string, pools: readonly NodePool[]) =>
  ledger.deallocate({ pools: names(pools), attachment: attachment(container), network: "net-a" });

test("an ADD adopts what was rebuilt for its pod's interface, in its own network's name", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  const [allocation] = granted(add(ledger, "c1", [pool1], { deviceID: "0000:3b:00.2" }));
  assert.equal(allocation?.reservation, {
    ...rebuilt(pool1, "c1", "192.168.0.7"),
    containerID: "c1",
    network: "net-a",
    deviceID: "0000:3b:00.2",
  });
  assert.is(allocation?.isNew, false);
  assert.is(ledger.size, 1);
  assert.equal(
    ledger.takeChanges().map((change) => change.type),
    ["release", "reserve"],
  );
  assert.is(ledger.collectGarbage({ network: "net-a", valid: [] }), 1);
});

test("a CHECK adopts, and a second one finds it adopted", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  assert.ok(check(ledger, "c1", [pool1]).ok);
  assert.equal(contents(ledger), ["IPPool/pool1 c1/net1 192.168.0.7 adopted"]);
  ledger.takeChanges();
  assert.ok(check(ledger, "c1", [pool1]).ok);
  assert.equal(ledger.takeChanges(), []);
});

test("a CHECK that fails for one pool adopts nothing in the other", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  refused(check(ledger, "c1", [pool1, pool2]), "NotFound", '"pool2"');
  assert.equal(ledger.takeChanges(), []);
});

test("R1 a DEL leaves what was rebuilt without a container id: it may be the late one of the pod's earlier container", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  assert.is(del(ledger, "c1", [pool1]), 0);
  assert.equal(contents(ledger), ["IPPool/pool1 /net1 192.168.0.7 adopted"]);
});

test("R1 once the pod's container has adopted it, that container's DEL frees it, and no other's", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  granted(add(ledger, "c1-again", [pool1], samePod));
  assert.is(del(ledger, "c1", [pool1]), 0);
  assert.is(del(ledger, "c1-again", [pool1]), 1);
  assert.is(ledger.size, 0);
});

test("nobody adopts for another pod, another interface, another pool or without a pod's uid", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"));
  refused(check(ledger, "c2", [pool1]), "NotFound");
  refused(check(ledger, "c1", [pool2]), "NotFound");
  refused(check(ledger, "c1", [pool1], { ...pod("c1"), uid: "" }), "NotFound");
  refused(check(ledger, "c1", [pool1], { type: "none" }), "NotFound");
  assert.equal(outcome(add(ledger, "c1", [pool1], { ifname: "net2" })), ["192.168.0.2"]);
});

test("what was rebuilt without a pod's uid is kept, adopted by nobody, and released by name", () => {
  const orphan: Reservation = { ...rebuilt(pool1, "c1", "192.168.0.2"), owner: { type: "none" } };
  const ledger = load(orphan);
  assert.equal(outcome(add(ledger, "c1", [pool1], { owner: { type: "none" } })), ["192.168.0.3"]);
  assert.is(ledger.release([orphan]), 1);
  assert.is(ledger.size, 1);
});

test("an attachment that holds an address of its own adopts no second one", () => {
  const ledger = load(rebuilt(pool1, "c1", "192.168.0.7"), {
    ...rebuilt(pool1, "c1", "192.168.0.8"),
    ...attachment("c1"),
  });
  assert.equal(outcome(add(ledger, "c1", [pool1])), ["192.168.0.8"]);
  assert.is(del(ledger, "c1", [pool1]), 1);
  assert.equal(contents(ledger), ["IPPool/pool1 /net1 192.168.0.7 adopted"]);
});

test("R4 adopting obeys the rules of a repeated ADD, and a refusal adopts nothing", () => {
  const lost = load(rebuilt(pool1, "c1", "192.168.77.7"));
  refused(add(lost, "c1", [pool1]), "FailedPrecondition", "192.168.77.7");
  refused(add(lost, "c1", [pool1, pool6]), "AlreadyExists", '"pool6"');
  assert.equal(lost.takeChanges(), []);
  assert.equal(outcome(add(lost, "c1", [pool1], { requested: ["192.168.77.7"] })), ["192.168.77.7"]);
});

const samePod = { owner: pod("c1") };
const one = ready(ipPool("tiny", { subnet: "10.30.0.0/24", perNodeBlockSize: 1 }, "10.30.0.1-10.30.0.1"));

test("R1 when the block is exhausted, a new sandbox takes over from the pod's earlier one, in one transaction", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [tiny]);
  ledger.takeChanges();
  assert.equal(outcome(add(ledger, "c1-again", [tiny], samePod)), ["10.30.0.1"]);
  assert.equal(contents(ledger), ["IPPool/tiny c1-again/net1 10.30.0.1 dynamic"]);
  assert.equal(
    ledger.takeChanges().map((change) => change.type),
    ["release", "cursor", "reserve"],
  );
  assert.is(del(ledger, "c1", [tiny]), 0, "the late DEL of the earlier sandbox frees nothing");
  assert.is(ledger.size, 1);
});

test("R1 while the block has free addresses nothing is taken over", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool2]);
  assert.equal(outcome(add(ledger, "c1-again", [pool2], samePod)), ["10.10.0.10"]);
  assert.is(ledger.size, 2);
});

const noTakeover: readonly [name: string, ask: Parameters<typeof add>[3]][] = [
  ["another pod", {}],
  ["another interface of the pod", { ...samePod, ifname: "net2" }],
  ["a pod without uid", { owner: { ...pod("c1"), uid: "" } }],
  ["no pod", { owner: { type: "none" } }],
];

for (const [name, ask] of noTakeover) {
  test(`R1 ${name} takes nothing over`, () => {
    const ledger = new Ledger();
    add(ledger, "c1", [one], ask?.owner === undefined ? {} : { owner: ask.owner });
    refused(add(ledger, "c2", [one], ask), "ResourceExhausted");
    assert.equal(contents(ledger), ["IPPool/tiny c1/net1 10.30.0.1 dynamic"]);
  });
}

test("R1 an address outside the usable ones of the block is no help to an exhausted pool", () => {
  const ledger = new Ledger();
  add(ledger, "c0", [one]);
  add(ledger, "c1", [one], { requested: ["10.30.0.77"] });
  refused(add(ledger, "c1-again", [one], samePod), "ResourceExhausted");
});

test("R1 what the pod's earlier sandbox held and gave back is not taken over from the one who has it now", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [one]);
  del(ledger, "c1", [one]);
  add(ledger, "c2", [one]);
  refused(add(ledger, "c1-again", [one], samePod), "ResourceExhausted");
});

test("R1 what sandboxes hold and gave back is known after the block has been exhausted once as well", () => {
  const ledger = new Ledger();
  add(ledger, "c0", [one]);
  refused(add(ledger, "c1", [one]), "ResourceExhausted");
  del(ledger, "c0", [one]);
  add(ledger, "c1", [one]);
  del(ledger, "c1", [one]);
  add(ledger, "c2", [one]);
  refused(add(ledger, "c1-again", [one], samePod), "ResourceExhausted");
  del(ledger, "c2", [one]);
  add(ledger, "c1", [one]);
  assert.is(granted(add(ledger, "c1-again", [one], samePod)).length, 1);
  assert.is(ledger.size, 1);
});

test("R1 an equal address that the pod's earlier sandbox holds of another pool is no help", () => {
  const ledger = new Ledger();
  const twin = ready(ipPool("twin", { subnet: "10.30.0.0/24", perNodeBlockSize: 1 }, "10.30.0.1-10.30.0.1"));
  add(ledger, "c1", [twin]);
  add(ledger, "c2", [one]);
  refused(add(ledger, "c1-again", [one], samePod), "ResourceExhausted");
  refused(add(ledger, "c1-again", [one], { ...samePod, requested: ["10.30.0.1"] }), "ResourceExhausted");
});

test("R1 an equal number of the other family is no help to an exhausted pool", () => {
  const ledger = new Ledger();
  const six = ready(ipPool("tiny", { subnet: "::a1e:0/120", perNodeBlockSize: 1 }, "::a1e:1-::a1e:1"));
  add(ledger, "c1", [six]);
  add(ledger, "c2", [one]);
  refused(add(ledger, "c1-again", [one], samePod), "ResourceExhausted");
});

const byName: readonly [name: string, ask: Parameters<typeof add>[3]][] = [
  ["a static address", { requested: ["192.168.0.20"] }],
  ["an index", { choice: { type: "index", index: 19 } }],
  ["the gateway", { choice: { type: "gateway" } }],
];

for (const [name, ask] of byName) {
  test(`R1 a new sandbox takes ${name} over from the pod's earlier one, another pod does not`, () => {
    const ledger = new Ledger();
    add(ledger, "c1", [pool1], ask);
    refused(add(ledger, "c2", [pool1], ask), "ResourceExhausted");
    const before = ledger.snapshot().reservations.flatMap(({ addresses }) => addresses);
    const [allocation] = granted(add(ledger, "c1-again", [pool1], { ...ask, ...samePod }));
    assert.equal(allocation?.reservation.addresses, before);
    assert.is(ledger.size, 1);
  });
}

test("R1 an address that two reservations claim is not taken over", () => {
  const claim = { ...rebuilt(tiny, "c1", "10.30.0.1"), ...attachment("c1") };
  const ledger = load(claim, { ...claim, ...attachment("c2"), owner: pod("c2") });
  refused(add(ledger, "c1-again", [tiny], samePod), "ResourceExhausted");
  refused(add(ledger, "c1-again", [tiny], { ...samePod, requested: ["10.30.0.1"] }), "ResourceExhausted");
});

test("two claims of one address are both kept and reported, and the address is free when both are gone", () => {
  const first = rebuilt(pool2, "c1", "10.10.0.9");
  const second = { ...rebuilt(pool2, "c2", "10.10.0.9"), ...attachment("c2") };
  const { ledger, conflicts } = Ledger.load({
    reservations: [first, second, rebuilt(pool2, "c3", "10.10.0.10")],
    pools: [],
  });
  assert.is(conflicts.length, 1);
  assert.equal(conflicts[0]?.address, { family: 4, value: 0x0a0a0009n });
  assert.equal(conflicts[0]?.reservations.map(line), [line(first), line(second)]);
  assert.is(ledger.size, 3);

  ledger.release([second]);
  assert.equal(ledger.conflicts(), []);
  refused(add(ledger, "c9", [pool2], { requested: ["10.10.0.9"] }), "ResourceExhausted");
  ledger.release([first]);
  assert.equal(outcome(add(ledger, "c9", [pool2], { requested: ["10.10.0.9"] })), ["10.10.0.9"]);
});

test("three claims of one address are given up one by one", () => {
  const claims = ["c1", "c2", "c3"].map((container) => rebuilt(pool2, container, "10.10.0.9"));
  const ledger = load(...claims);
  const claimed = claims.map((claim) => {
    ledger.release([claim]);
    return ledger.conflicts()[0]?.reservations.length ?? 0;
  });
  assert.equal(claimed, [2, 0, 0]);
  assert.equal(ledger.usage(pool2), { held: 0, free: 4n, cursor: undefined });
});

test.run();
