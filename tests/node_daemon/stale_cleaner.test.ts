import { test } from "uvu";
import * as assert from "uvu/assert";
import { statusError } from "../../src/lib/kube/error.ts";
import { StaleCleaner } from "../../src/lib/node/stale_cleaner.ts";
import type { Owner } from "../../src/lib/reservations/reservation.ts";
import { FakeClock } from "../fake_clock.ts";
import { add, attachment, contents, pod as ownerOf, pool1, pool6, rebuilt } from "../reservations/_pools.ts";
import { FakePods, LogLines, MemoryStore, pod } from "./_node.ts";

/** A node with its cleaner. */
class Scene {
  readonly store = new MemoryStore();
  readonly pods = new FakePods();
  readonly log: LogLines;
  readonly clock = new FakeClock();
  readonly cleaner: StaleCleaner;
  readonly #stop = new AbortController();

  constructor(verbosity = 0) {
    this.log = new LogLines(verbosity);
    const { store, pods, log, clock } = this;
    this.cleaner = new StaleCleaner({ store, pods, log, clock });
  }

  /** Containers reserve an address each, for the pods of their names. */
  reserve(...containers: string[]): void {
    for (const container of containers) add(this.store.ledger, container, [pool6]);
    // As if they had been committed.
    this.store.ledger.takeChanges();
  }

  async rounds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.cleaner.round(this.#stop.signal);
  }

  /** The containers that hold something. */
  get holders(): readonly string[] {
    return this.store.ledger.snapshot().reservations.map(({ containerID }) => containerID);
  }
}

test("what a pod held that is gone is released in the fourth round, and nothing else", async () => {
  const scene = new Scene();
  scene.reserve("c1", "c2", "c3");
  scene.pods.add({ name: "c2" });
  await scene.rounds(3);
  assert.equal(scene.holders, ["c1", "c2", "c3"]);
  assert.equal(scene.log.lines, []);
  await scene.rounds(1);
  assert.equal(scene.holders, ["c2"]);
  assert.is(scene.cleaner.released, 2);
  assert.equal(scene.log.lines, ['info Released what pods held that are gone {"reservations":2}']);
  await scene.rounds(5);
  assert.equal(scene.holders, ["c2"]);
  assert.is(scene.cleaner.released, 2);
});

test("what could not be released is released in the next round that has an answer, not in one without", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  scene.store.isFailing = true;
  await scene.rounds(4);
  scene.store.isFailing = false;
  scene.pods.setReachable(false);
  await scene.rounds(1);
  assert.equal(scene.holders, ["c1"]);
  scene.pods.setReachable(true);
  await scene.rounds(1);
  assert.equal(scene.holders, []);
});

test("with -v=2 the line names the pods", async () => {
  const scene = new Scene(2);
  scene.reserve("c1");
  await scene.rounds(4);
  assert.match(scene.log.lines.join(), '"pods":"default/pod-c1"');
});

test("a round comes every minute, and none after the end", async () => {
  const scene = new Scene();
  const stop = new AbortController();
  scene.reserve("c1");
  const running = scene.cleaner.run(stop.signal);
  await scene.clock.advance(3 * 60_000);
  assert.equal(scene.holders, ["c1"]);
  await scene.clock.advance(59_000);
  assert.equal(scene.holders, ["c1"]);
  await scene.clock.advance(1_000);
  assert.equal(scene.holders, []);
  stop.abort();
  await running;
  assert.equal(scene.clock.waits, []);
});

test("the API server is asked once in a round, however many pods are missing, and not at all where none is", async () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) scene.reserve(`c${i}`);
  add(scene.store.ledger, "c0", [pool6], { ifname: "net2" });
  for (let i = 0; i < 30; i++) scene.pods.add({ name: `c${i}` });
  await scene.rounds(2);
  assert.is(scene.pods.asked, 0);
  for (let i = 0; i < 29; i++) scene.pods.delete(`c${i}`);
  await scene.rounds(4);
  assert.is(scene.pods.asked, 4);
  assert.equal(scene.holders, ["c29"]);
});

const present: readonly [name: string, prepare: (scene: Scene) => void][] = [
  ["the watch knows it", (scene) => scene.pods.add({ name: "c1" })],
  ["it has finished", (scene) => scene.pods.add({ name: "c1", phase: "Succeeded" })],
  [
    "the watch lags behind, and the API server knows it",
    (scene) => scene.pods.truth.set("default/pod-c1", pod({ name: "c1" })),
  ],
  [
    "it is a static pod's mirror",
    (scene) => scene.pods.add({ name: "c1", uid: "other", annotations: { "kubernetes.io/config.hash": "uid-c1" } }),
  ],
  [
    "it says falsely that it is a mirror",
    (scene) => scene.pods.add({ name: "c1", annotations: { "kubernetes.io/config.hash": "other" } }),
  ],
];

for (const [name, prepare] of present) {
  test(`nothing is released while the pod exists: ${name}`, async () => {
    const scene = new Scene();
    scene.reserve("c1");
    prepare(scene);
    await scene.rounds(10);
    assert.equal(scene.holders, ["c1"]);
  });
}

test("a pod of the same name with another UID is another pod", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  scene.pods.add({ name: "c1", uid: "another" });
  await scene.rounds(4);
  assert.equal(scene.holders, []);
});

test("where the runtime told no UID the pod's name on this node counts", async () => {
  const scene = new Scene();
  const owner: Owner = { ...ownerOf("c1"), uid: "" };
  add(scene.store.ledger, "c1", [pool1], { owner });
  scene.pods.add({ name: "c1", uid: "whatever" });
  await scene.rounds(5);
  assert.equal(scene.holders, ["c1"]);
  scene.pods.delete("c1");
  await scene.rounds(4);
  assert.equal(scene.holders, []);
});

test("reservations without a pod are never touched, nor asked about", async () => {
  const scene = new Scene();
  add(scene.store.ledger, "c1", [pool1], { owner: { type: "none" } });
  await scene.rounds(10);
  assert.equal(scene.holders, ["c1"]);
  assert.is(scene.pods.asked, 0);
});

test("what was rebuilt without a container id is released when its pod is gone", async () => {
  const scene = new Scene();
  scene.store.ledger.restore(rebuilt(pool1, "c1", "192.168.0.7"));
  scene.pods.add({ name: "c1" });
  await scene.rounds(5);
  assert.is(scene.store.ledger.size, 1);
  scene.pods.delete("c1");
  await scene.rounds(4);
  assert.is(scene.store.ledger.size, 0);
});

test("nothing happens before the pods were listed", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  scene.pods.isKnown = false;
  await scene.rounds(10);
  assert.is(scene.pods.asked, 0);
  scene.pods.isKnown = true;
  await scene.rounds(3);
  assert.equal(scene.holders, ["c1"]);
  await scene.rounds(1);
  assert.equal(scene.holders, []);
});

test("R12 rounds in which the API server does not answer count for nothing, and it is not pestered", async () => {
  const scene = new Scene();
  for (let i = 0; i < 30; i++) scene.reserve(`c${i}`);
  await scene.rounds(2);
  scene.pods.setReachable(false);
  await scene.rounds(20);
  assert.is(scene.holders.length, 30);
  assert.is(scene.pods.asked, 22);
  assert.equal(scene.log.lines.filter((line) => line.startsWith("warning")).length, 1, scene.log.lines.join("\n"));
  scene.pods.setReachable(true);
  await scene.rounds(1);
  assert.is(scene.holders.length, 30);
  await scene.rounds(1);
  assert.equal(scene.holders, []);
});

test("a missing right to read pods releases nothing, and is told once", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  scene.pods.trouble = statusError("GET pods", { code: 403, reason: "Forbidden", message: "pods is forbidden" });
  await scene.rounds(10);
  assert.equal(scene.holders, ["c1"]);
  assert.is(scene.log.lines.length, 1);
  assert.match(scene.log.lines[0] ?? "", "pods is forbidden");
});

test("a pod that shows up in time begins anew", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  await scene.rounds(3);
  scene.pods.add({ name: "c1" });
  await scene.rounds(1);
  scene.pods.delete("c1");
  await scene.rounds(3);
  assert.equal(scene.holders, ["c1"]);
  await scene.rounds(1);
  assert.equal(scene.holders, []);
});

test("a pod that shows up while the question is under way keeps what it holds", async () => {
  const scene = new Scene();
  scene.reserve("c1", "c2");
  await scene.rounds(3);
  scene.pods.beforeAnswer = () => scene.pods.pods.set("default/pod-c1", pod({ name: "c1" }));
  await scene.rounds(1);
  assert.equal(scene.holders, ["c1"]);
});

test("what was released and made anew while the question was under way is another reservation", async () => {
  const scene = new Scene();
  add(scene.store.ledger, "c1", [pool1], { requested: ["192.168.0.7"] });
  await scene.rounds(3);
  scene.pods.beforeAnswer = () => {
    const { ledger } = scene.store;
    ledger.deallocate({ pools: [pool1.id], attachment: attachment("c1"), network: "net-a" });
    add(ledger, "c1", [pool1], { requested: ["192.168.0.7"], now: Date.UTC(2026, 0, 3) });
  };
  await scene.rounds(1);
  assert.equal(contents(scene.store.ledger), ["IPPool/pool1 c1/net1 192.168.0.7 static"]);
  assert.is(scene.cleaner.released, 0);
  scene.pods.beforeAnswer = () => undefined;
  await scene.rounds(3);
  assert.equal(scene.holders, ["c1"]);
  await scene.rounds(1);
  assert.equal(scene.holders, []);
});

test("R3 a release that cannot be written is taken back, told, and tried again", async () => {
  const scene = new Scene();
  scene.reserve("c1", "c2");
  scene.store.isFailing = true;
  await scene.rounds(4);
  assert.is(scene.holders.length, 2);
  assert.is(scene.cleaner.released, 0);
  assert.match(scene.log.lines.join(), "the disk is full");
  scene.store.isFailing = false;
  await scene.rounds(4);
  assert.equal(scene.holders, []);
  assert.is(scene.cleaner.released, 2);
});

test("many are released by few records", async () => {
  const scene = new Scene();
  for (let i = 0; i < 400; i++) scene.reserve(`c${i}`);
  await scene.rounds(4);
  assert.is(scene.cleaner.released, 400);
  assert.is(scene.store.commits, Math.ceil(400 / 64));
});

test("a stop in the middle of a round releases nothing more", async () => {
  const scene = new Scene();
  scene.reserve("c1");
  await scene.rounds(3);
  const stop = new AbortController();
  scene.pods.beforeAnswer = () => stop.abort();
  await scene.cleaner.round(stop.signal);
  assert.equal(scene.holders, ["c1"]);
});

test.run();
