/** Random histories of pods, containers, outages and rounds of the stale cleaner, watched by somebody who knows the truth. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { StaleCleaner } from "../../src/lib/node/stale_cleaner.ts";
import type { Reservation } from "../../src/lib/reservations/reservation.ts";
import { seededRandom } from "../random.ts";
import { attachment, NOW, pool6 } from "../reservations/_pools.ts";
import { FakePods, LogLines, MemoryStore, pod } from "./_node.ts";

const random = seededRandom("stale cleaner");
const HISTORIES = 300;
const STEPS = 60;

/** A pod of few names, so that names come back with other UIDs. Static pods come back with the same. */
interface Life {
  readonly name: string;
  readonly uid: string;
  readonly isStatic: boolean;
}

class World {
  readonly store = new MemoryStore();
  readonly pods = new FakePods();
  readonly cleaner = new StaleCleaner({
    store: this.store,
    pods: this.pods,
    log: new LogLines(),
  });
  readonly lives: Life[] = [];
  /** Answered rounds in a row in which the reservation's pod was missing when it was asked for. */
  missed = new Map<string, number>();
  #steps = 0;
  #freed = new Set<string>();

  /** One thing that happens to the node, at any time. */
  happen(): void {
    this.#steps++;
    const kind = random.below(100);
    if (kind < 30) this.#addContainer();
    else if (kind < 45) this.#deleteContainer();
    else if (kind < 60) this.#begin();
    else if (kind < 80) this.#end();
    else if (kind < 95) this.pods.catchUp();
    else this.pods.setReachable(this.pods.trouble !== undefined);
  }

  exists({ owner }: Reservation): boolean {
    if (owner.type === "none") return true;
    const found = this.pods.truth.get(`${owner.namespace}/${owner.name}`);
    return owner.uid === "" ? found !== undefined : found?.uid === owner.uid;
  }

  /** A round in which things happen, and what must be true of it. */
  async round(): Promise<void> {
    const before = new Map(this.reservations().map((each) => [keyOf(each), each]));
    const answered = new Set<string>();
    const there = new Set([...before].filter(([, each]) => this.exists(each)).map(([key]) => key));
    this.#freed = new Set();
    this.pods.beforeAnswer = () => {
      for (let things = random.below(4); things > 0; things--) this.happen();
      if (this.pods.trouble !== undefined) return;
      for (const [key, each] of before) if (!this.exists(each)) answered.add(key);
    };
    const told = this.cleaner.released;
    await this.cleaner.round(new AbortController().signal);
    this.pods.beforeAnswer = () => undefined;
    const missed = new Map<string, number>();
    for (const key of before.keys()) {
      const count = (this.missed.get(key) ?? 0) + (answered.has(key) ? 1 : 0);
      // Where the watch knew it for the whole round, nobody was asked.
      missed.set(key, !answered.has(key) && there.has(key) && this.#isSeen(before.get(key)) ? 0 : count);
    }
    this.missed = missed;
    const after = new Set(this.reservations().map(keyOf));
    const released = [...before].filter(([key]) => !after.has(key) && !this.#freed.has(key));
    assert.is(this.cleaner.released - told, released.length);
    for (const [key, each] of released) {
      assert.not(each.owner.type === "none", `${key} has no pod`);
      assert.not(this.exists(each) && there.has(key), `${key} was released while its pod exists`);
      assert.ok((missed.get(key) ?? 0) >= 4, `${key} was released after ${missed.get(key)} rounds`);
    }
  }

  reservations(): readonly Reservation[] {
    return this.store.ledger.snapshot().reservations;
  }

  #isSeen(reservation: Reservation | undefined): boolean {
    if (reservation?.owner.type !== "pod") return true;
    const { namespace, name, uid } = reservation.owner;
    const seen = this.pods.pods.get(`${namespace}/${name}`);
    return uid === "" ? seen !== undefined : seen?.uid === uid;
  }

  #begin(): void {
    const isStatic = random.below(4) === 0;
    const name = `${isStatic ? "static" : "pod"}${random.below(5)}`;
    const uid = isStatic ? `hash-of-${name}` : `uid-${this.#steps}`;
    const annotations = isStatic ? { "kubernetes.io/config.hash": uid } : {};
    const made = pod({ name, uid: isStatic ? `mirror-${this.#steps}` : uid, annotations });
    this.pods.truth.set(made.key, made);
    this.lives.push({ name, uid, isStatic });
  }

  #end(): void {
    const keys = [...this.pods.truth.keys()];
    const key = keys[random.below(Math.max(1, keys.length))];
    if (key !== undefined) this.pods.truth.delete(key);
  }

  #addContainer(): void {
    const life = this.lives[random.below(Math.max(1, this.lives.length))];
    const withoutPod = life === undefined || random.below(10) === 0;
    const uid = random.below(8) === 0 ? "" : (life?.uid ?? "");
    this.store.ledger.allocate({
      pools: [pool6],
      attachment: attachment(`c${random.below(12)}`),
      owner: withoutPod ? { type: "none" } : { type: "pod", namespace: "default", name: `pod-${life.name}`, uid },
      network: "net-a",
      deviceID: "",
      requested: [],
      choice: { type: "next" },
      allowStaticInOtherBlocks: false,
      now: NOW + this.#steps,
    });
  }

  #deleteContainer(): void {
    const who = attachment(`c${random.below(12)}`);
    for (const each of this.reservations()) {
      if (each.containerID === who.containerID) this.#freed.add(keyOf(each));
    }
    this.store.ledger.deallocate({ pools: [pool6.id], attachment: who, network: "net-a" });
  }
}

/** The same text means the same reservation. */
function keyOf({ containerID, ifname, createdAt }: Reservation): string {
  return `${containerID}/${ifname} of ${createdAt}`;
}

test(`R1 in ${HISTORIES} random histories nothing is released whose pod exists, and all whose pod is gone in the end`, async () => {
  let released = 0;
  let kept = 0;
  for (let history = 0; history < HISTORIES; history++) {
    const world = new World();
    for (let step = 0; step < STEPS; step++) {
      if (random.below(3) === 0) await world.round();
      else world.happen();
    }
    released += world.cleaner.released;
    world.pods.setReachable(true);
    world.pods.catchUp();
    const alive = world
      .reservations()
      .filter((each) => world.exists(each))
      .map(keyOf);
    for (let round = 0; round < 4; round++) {
      world.pods.beforeAnswer = () => undefined;
      await world.cleaner.round(new AbortController().signal);
    }
    assert.equal(world.reservations().map(keyOf).sort(), alive.sort());
    kept += alive.length;
  }
  console.log({ released, kept });
  assert.ok(released > 100, `only ${released} were released on the way`);
  assert.ok(kept > 100, `only ${kept} were kept`);
});

test.run();
