import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Address, contains, formatAddress, sameAddress } from "../../src/lib/ip/address.ts";
import { toReservation } from "../../src/lib/reservations/entry.ts";
import { changesOf } from "../../src/lib/reservations/image.ts";
import { type Allocation, Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import type { Attachment, Change, LedgerImage, Reservation } from "../../src/lib/reservations/reservation.ts";
import { seededRandom } from "../random.ts";
import { address, attachment, cidrPool, contents, ipPool, line, NOW, pod, ready } from "./_pools.ts";

const random = seededRandom("model");

/** Small blocks, so that they fill up and the search goes round them often; with gaps of every kind in them. */
const pools: readonly [NodePool, ...NodePool[]] = [
  ready(
    ipPool(
      "holes",
      {
        subnet: "10.0.0.0/24",
        perNodeBlockSize: 16,
        gateway: "10.0.0.20",
        exclusions: [
          { startIP: "10.0.0.17", endIP: "10.0.0.18" },
          { startIP: "10.0.0.25", endIP: "10.0.0.25" },
        ],
        perNodeExclusions: [{ startIndex: 13, endIndex: 14 }],
      },
      "10.0.0.16-10.0.0.31",
    ),
  ),
  ready(ipPool("six", { subnet: "fd00::/64", perNodeBlockSize: 12 }, "fd00::ffff:fffa-fd00::1:0:5")),
  ready(
    cidrPool("prefix", { cidr: "10.1.0.0/16", perNodeNetworkPrefix: 29, gatewayIndex: 1 }, "10.1.7.8/29", "10.1.7.9"),
  ),
];

/** What a pool may give in turn, address by address: the walk that the ledger must not make. */
const walks = new Map(pools.map((pool) => [pool, walk(pool)]));

function walk(pool: NodePool): readonly Address[] {
  const { family } = pool.network;
  const all: Address[] = [];
  for (let value = pool.block.first; value <= pool.block.last; value++) all.push({ family, value });
  const gone = [
    ...["10.0.0.17", "10.0.0.18", "10.0.0.20", "10.0.0.25", "10.0.0.29", "10.0.0.30"],
    ...["10.1.7.8", "10.1.7.9", "10.1.7.15"],
  ].map(address);
  return all.filter((each) => !gone.some((excluded) => sameAddress(each, excluded)));
}

/** The ledger's rules once more, by lists and loops. */
class Model {
  held: Reservation[] = [];
  turns = new Map<string, Address>();
  /** What was released, the first one first; the blocks are so small that all of it rests. */
  resting = new Map<NodePool, Address[]>(pools.map((pool) => [pool, []]));

  next(pool: NodePool): Address | undefined {
    const all = walks.get(pool) ?? [];
    const turn = this.turns.get(pool.id.name);
    const after = turn === undefined ? [] : all.filter(({ value }) => value > turn.value);
    const before = turn === undefined ? all : all.filter(({ value }) => value <= turn.value);
    const free = [...after, ...before].filter((each) => !this.isHeld(pool, each));
    const resting = this.resting.get(pool) ?? [];
    const rested = free.find((each) => !resting.some((one) => sameAddress(one, each)));
    return rested ?? resting.find((each) => free.some((one) => sameAddress(one, each)));
  }

  isHeld(pool: NodePool, wanted: Address): boolean {
    return this.held.some(
      ({ pool: { name }, addresses }) => name === pool.id.name && addresses.some((each) => sameAddress(each, wanted)),
    );
  }

  of({ containerID, ifname }: Attachment, names: readonly NodePool[]): Reservation[] {
    return this.held.filter(
      (each) =>
        each.containerID === containerID &&
        each.ifname === ifname &&
        names.some(({ id }) => id.name === each.pool.name),
    );
  }

  free(gone: readonly Reservation[]): void {
    this.held = this.held.filter((each) => !gone.includes(each));
  }

  take(allocations: readonly Allocation[]): void {
    for (const { reservation, pool, address: given } of allocations.filter(({ isNew }) => isNew)) {
      assert.not(this.isHeld(pool, given), `${formatAddress(given)} is given twice`);
      this.held.push(reservation);
      if (reservation.how === "dynamic") this.turns.set(pool.id.name, given);
    }
  }

  /** Notes what rests after a step that the ledger says, in its order. An address that is given rests no more. */
  note(change: Change): void {
    if (change.type === "release" && change.before !== undefined) {
      const { pool, addresses } = toReservation(change.before);
      this.#restingOf(pool.name).push(...addresses);
    }
    if (change.type !== "reserve") return;
    const { pool, addresses } = toReservation(change.entry);
    const resting = this.#restingOf(pool.name);
    for (const given of addresses) {
      const index = resting.findIndex((each) => sameAddress(each, given));
      if (index >= 0) resting.splice(index, 1);
    }
  }

  /** What a daemon that starts knows: a snapshot does not say what rests. */
  restart(): void {
    this.resting = new Model().resting;
  }

  #restingOf(name: string): Address[] {
    const [, resting = []] = [...this.resting].find(([pool]) => pool.id.name === name) ?? [];
    return resting;
  }

  copy(): Model {
    const copy = new Model();
    copy.resting = new Map([...this.resting].map(([pool, addresses]) => [pool, [...addresses]]));
    copy.held = [...this.held];
    copy.turns = new Map(this.turns);
    return copy;
  }
}

test("R1 R4 20,000 random steps agree with a model that walks lists, and so do undo, replay and reload", () => {
  let ledger = new Ledger();
  let model = new Model();
  let base: LedgerImage = ledger.image();
  let journal: Change[] = [];
  const counts = { given: 0, repeated: 0, refused: 0, freed: 0, undone: 0, reloaded: 0 };

  for (let step = 0; step < 20_000; step++) {
    const before = random.below(4) === 0 ? { model: model.copy(), contents: contents(ledger) } : undefined;
    oneStep(step);
    const changes = ledger.takeChanges();
    if (before === undefined) {
      journal.push(...changes);
      for (const change of changes) model.note(change);
    } else {
      ledger.undo(changes);
      model = before.model;
      // What was given for a moment has left the queue of those that rest.
      for (const change of changes) if (change.type === "reserve") model.note(change);
      assert.equal(contents(ledger), before.contents);
      counts.undone++;
    }
    assert.is(ledger.size, model.held.length);
    if (step % 50 === 0) compareAll();
  }
  console.log(counts);
  for (const [name, count] of Object.entries(counts)) assert.ok(count > 50, `only ${count} ${name}`);

  function oneStep(step: number): void {
    const who = attachment(`c${random.below(30)}`, random.pick(["net1", "net1", "net2"]));
    const first = random.pick(pools);
    const second = random.pick(pools);
    const named = random.below(3) === 0 && first !== second ? [first, second] : [first];
    const kind = random.below(100);
    if (kind < 55) allocate(who, named, step);
    else if (kind < 90) deallocate(who, named);
    else if (kind < 96) check(who, named);
    else collect();
  }

  function allocate(who: Attachment, named: readonly NodePool[], step: number): void {
    const requested = random.below(4) === 0 ? named.map(someAddress) : [];
    const holding = model.of(who, named);
    const expected = named.map((pool, i) => requested[i] ?? model.next(pool));
    const result = ledger.allocate({
      pools: named,
      attachment: who,
      owner: pod(`${step}`),
      network: random.pick(["net-a", "net-b"]),
      deviceID: "",
      requested,
      choice: { type: "next" },
      allowStaticInOtherBlocks: false,
      now: NOW + step,
    });
    if (!result.ok) counts.refused++;
    if (holding.length === named.length) {
      const heldAddresses = holding.flatMap(({ addresses }) => addresses);
      const same = requested.every((each) => heldAddresses.some((held) => sameAddress(held, each)));
      assert.is(result.ok, same, "a repeated ADD");
      if (result.ok) assert.equal(texts(result.value).sort(), heldAddresses.map(formatAddress).sort());
      if (result.ok) counts.repeated++;
    } else if (holding.length > 0) {
      assert.is(!result.ok && result.error.status, "AlreadyExists");
    } else if (expected.some((each, i) => each === undefined || model.isHeld(named[i] ?? pools[0], each))) {
      assert.is(!result.ok && result.error.status, "ResourceExhausted");
    } else {
      assert.ok(result.ok);
      if (!result.ok) return;
      assert.equal(
        texts(result.value),
        expected.map((each) => (each === undefined ? "" : formatAddress(each))),
      );
      counts.given++;
      model.take(result.value);
    }
  }

  function someAddress(pool: NodePool): Address {
    return random.pick(walks.get(pool) as [Address, ...Address[]]);
  }

  function deallocate(who: Attachment, named: readonly NodePool[]): void {
    const network = random.pick(["net-a", "net-b", ""]);
    const inPools = model.of(who, named);
    const inNetwork = model.of(who, pools).filter((each) => network !== "" && each.network === network);
    const gone = inPools.length > 0 ? inPools : inNetwork;
    const freed = ledger.deallocate({
      pools: named.map(({ id }) => id),
      attachment: who,
      network,
    });
    assert.is(freed, gone.length);
    counts.freed += freed;
    model.free(gone);
  }

  function check(who: Attachment, named: readonly NodePool[]): void {
    const { ok } = ledger.isAllocated({ pools: named.map(({ id }) => id), attachment: who, owner: { type: "none" } });
    assert.is(ok, model.of(who, named).length === named.length);
  }

  function collect(): void {
    const valid = Array.from({ length: 25 }, () => attachment(`c${random.below(30)}`));
    const gone = model.held.filter(
      (each) =>
        each.network === "net-b" &&
        !valid.some((known) => known.containerID === each.containerID && known.ifname === each.ifname),
    );
    assert.is(ledger.collectGarbage({ network: "net-b", valid }), gone.length);
    counts.freed += gone.length;
    model.free(gone);
  }

  function compareAll(): void {
    assert.equal(contents(ledger), model.held.map(line).sort());
    for (const pool of pools) {
      const ofPool = model.held.filter((each) => each.pool.name === pool.id.name);
      const { held, free } = ledger.usage(pool);
      assert.is(held, ofPool.length);
      const taken = (walks.get(pool) ?? []).filter((each) => model.isHeld(pool, each)).length;
      assert.is(free, BigInt((walks.get(pool) ?? []).length - taken));
    }
    const replayed = new Ledger();
    replayed.apply(changesOf(base));
    replayed.apply(journal);
    assert.equal(contents(replayed), contents(ledger));
    if (random.below(2) === 0) return;
    // Goes on with what a restarted daemon would have.
    base = replayed.image();
    journal = [];
    ledger = new Ledger();
    ledger.apply(changesOf(base));
    model.restart();
    counts.reloaded++;
  }
});

test("R1 an address that came back is not given again before the block has been gone round, in 200 random runs", () => {
  for (let run = 0; run < 200; run++) {
    const pool = random.pick(pools);
    const ledger = new Ledger();
    const usable = walks.get(pool) ?? [];
    const recent: string[] = [];
    for (let step = 0; step < usable.length * 3; step++) {
      const who = attachment(`c${step}`);
      const result = ledger.allocate({
        pools: [pool],
        attachment: who,
        owner: { type: "none" },
        network: "",
        deviceID: "",
        requested: [],
        choice: { type: "next" },
        allowStaticInOtherBlocks: false,
        now: NOW,
      });
      assert.ok(result.ok && contains(pool.block, result.value[0]?.address ?? { family: 4, value: 0n }));
      const [text = ""] = result.ok ? texts(result.value) : [];
      assert.not(recent.slice(-(usable.length - 1)).includes(text), `${text} came back too soon`);
      recent.push(text);
      ledger.deallocate({ pools: [pool.id], attachment: who, network: "" });
    }
  }
});

function texts(allocations: readonly Allocation[]): string[] {
  return allocations.map(({ address: given }) => formatAddress(given));
}

test.run();
