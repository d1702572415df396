import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openStore, type Store } from "../../src/lib/journal/store.ts";
import { Rebuild } from "../../src/lib/node/rebuild.ts";
import type { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { PoolOnNode } from "../../src/lib/reservations/pool.ts";
import { poolOnNode } from "../../src/lib/reservations/pool.ts";
import type { Reservation } from "../../src/lib/reservations/reservation.ts";
import { FakeClock } from "../fake_clock.ts";
import { type Fault, SimDisk } from "../journal/sim_disk.ts";
import { SimStorage } from "../journal/sim_storage.ts";
import { SILENT, SMALL_SIZES, STORE_FILE, textOf } from "../journal/story.ts";
import { CONFIG, LibcniCache } from "../libcni_cache.ts";
import { seededRandom } from "../random.ts";
import { add, attachment, ipPool, line, NODE, outcome, pool1 } from "../reservations/_pools.ts";
import { FakePods, LogLines } from "./_node.ts";

const random = seededRandom("rebuild");

const onNode = (pool: Parameters<typeof poolOnNode>[0]): PoolOnNode => poolOnNode(pool, NODE);
const POOLS: readonly PoolOnNode[] = [
  onNode(
    ipPool(
      "pool1",
      { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.1" },
      "192.168.0.1-192.168.0.24",
    ),
  ),
  onNode(ipPool("pool2", { subnet: "10.10.0.0/24", perNodeBlockSize: 4 }, "10.10.0.9-10.10.0.12")),
];

/** What Multus writes about a pod. */
function told(...networks: readonly { readonly interface?: string; readonly ips: readonly string[] }[]) {
  return { "k8s.v1.cni.cncf.io/network-status": JSON.stringify(networks) };
}

interface Opened {
  readonly store: Store<Ledger>;
  readonly rebuild: Rebuild;
  readonly log: LogLines;
}

/** A node whose store is on a simulated disk, with a real cache of libcni. */
class Scene {
  readonly storage = new SimStorage();
  readonly directory = mkdtempSync(join(tmpdir(), "nv-ipam-rebuild-"));
  readonly cache = new LibcniCache(this.directory);
  readonly pods = new FakePods();
  readonly clock = new FakeClock();
  poolsKnown = Promise.resolve();
  podsKnown = Promise.resolve();

  /** Starts a daemon's store; undefined when the fault ended it. */
  async open(disk = new SimDisk(this.storage, { random })): Promise<Opened | undefined> {
    const options = { storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES, rebuilds: true };
    const opened = await Promise.race([openStore(options), disk.died]);
    if (typeof opened === "string" || !opened.ok) return undefined;
    const store = opened.value;
    if (store.awaitsRebuild) store.ledger.beginRebuild();
    const log = new LogLines();
    const rebuild = new Rebuild({
      store,
      pools: { known: this.poolsKnown, all: () => POOLS.map((pool) => ({ onNode: pool })) },
      pods: { known: this.podsKnown, missing: "not read yet: forbidden", pods: this.pods.pods },
      cacheDirectories: [this.directory, join(this.directory, "none")],
      log,
      clock: this.clock,
    });
    return { store, rebuild, log };
  }

  /** Starts one that has to start. */
  async start(): Promise<Opened> {
    const opened = await this.open();
    if (opened === undefined) throw new Error("the store did not open");
    return opened;
  }

  /** Starts one and lets it rebuild. */
  async rebuilt(): Promise<Opened> {
    const opened = await this.start();
    await opened.rebuild.run(new AbortController().signal);
    return opened;
  }

  /** All that the store knows is lost: its files are gone, maybe the notice as well. */
  lose(): void {
    for (const path of this.storage.paths("/var/nv-ipam")) this.storage.remove(path);
  }

  /** An attachment in libcni's cache. */
  cached(container: string, addresses: readonly string[], more: Parameters<LibcniCache["add"]>[0] = {}): void {
    const file = { container, addresses: addresses.map((address) => `${address}/16`), ...more };
    this.cache.add(file);
    utimesSync(
      join(this.directory, "results", `${file.network ?? "net-a"}-${container}-${file.ifname ?? "net1"}`),
      0,
      1_700_000_000,
    );
  }

  /** A pod that says that its interface net1 has these addresses. */
  shown(name: string, ...ips: string[]): void {
    this.pods.add({ name, annotations: told({ interface: "net1", ips }) });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

function scene(name: string, tell: (scene: Scene) => Promise<void>): void {
  test(name, async () => {
    const made = new Scene();
    try {
      await tell(made);
    } finally {
      made.remove();
    }
  });
}

/** What is reserved, with its owner. */
const held = ({ ledger }: Store<Ledger>): readonly string[] =>
  ledger
    .snapshot()
    .reservations.map((each: Reservation) => `${line(each)} ${each.owner.type === "pod" ? each.owner.uid : "-"}`)
    .sort();

scene("a new store waits for the pools and the pods, then the first ADD is served", async (node) => {
  const [pools, pods] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  node.poolsKnown = pools.promise;
  node.podsKnown = pods.promise;
  const { store, rebuild, log } = await node.start();
  const admitted = store.admitsReservations();
  assert.match(admitted.ok ? "admitted" : admitted.error.message, /until those in use on this node are known/);
  const running = rebuild.run(new AbortController().signal);
  assert.match(rebuild.missing ?? "", "the pools are not known yet");
  pools.resolve();
  await node.clock.advance(0);
  assert.match(rebuild.missing ?? "", "the pods of this node are not read yet: forbidden");
  pods.resolve();
  await running;
  assert.is(rebuild.missing, undefined);
  assert.ok(store.admitsReservations().ok);
  assert.equal(log.lines, ['info The addresses in use on this node are known {"restored":0,"reservations":0}']);
  await store.close();

  const again = await node.start();
  assert.ok(again.store.admitsReservations().ok);
  assert.is(again.rebuild.missing, undefined);
  await again.rebuild.run(new AbortController().signal);
  assert.equal(again.log.lines, []);
});

scene("a store that was not rebuilt yet waits again after a restart, however it ended", async (node) => {
  const first = await node.start();
  const closed = await first.store.close();
  assert.match(closed.ok ? "exported" : closed.error.message, /until those in use/);
  const second = await node.start();
  assert.not(second.store.admitsReservations().ok);
  assert.is(second.store.state(), "damaged");
});

scene("R1 the addresses of the cache and of the pods are taken, each once", async (node) => {
  node.cached("c1", ["192.168.0.2"]);
  node.cached("c2", ["192.168.0.3", "10.10.0.9"], { config: { ipam: { ...CONFIG.ipam, poolName: "pool1,pool2" } } });
  node.cached("c3", ["192.168.0.4"], { config: { type: "macvlan", ipam: { type: "host-local" } } });
  node.shown("c1", "192.168.0.2");
  node.shown("c4", "192.168.0.5", "10.244.0.7");
  node.pods.add({ name: "c5", phase: "Succeeded", annotations: told({ interface: "net1", ips: ["192.168.0.6"] }) });
  const { store, log } = await node.rebuilt();
  assert.equal(held(store), [
    "IPPool/pool1 /net1 192.168.0.5 adopted uid-c4",
    "IPPool/pool1 c1/net1 192.168.0.2 adopted uid-c1",
    "IPPool/pool1 c2/net1 192.168.0.3 adopted uid-c2",
    "IPPool/pool2 c2/net1 10.10.0.9 adopted uid-c2",
  ]);
  assert.equal(log.lines, ['info The addresses in use on this node are known {"restored":4,"reservations":4}']);
  assert.equal(outcome(add(store.ledger, "c9", [pool1])), ["192.168.0.4"]);
  assert.equal(outcome(add(store.ledger, "c8", [pool1])), ["192.168.0.6"]);
});

scene("the cache tells network, device and time of an attachment, and GC works on it", async (node) => {
  node.cached("c1", ["192.168.0.2"], { network: "net-b", config: { ...CONFIG, deviceID: "0000:3b:00.2" } });
  const { store } = await node.rebuilt();
  const [only] = store.ledger.snapshot().reservations;
  assert.equal(only, {
    ...attachment("c1"),
    pool: { kind: "IPPool", name: "pool1", uid: "" },
    addresses: [{ family: 4, value: 0xc0a80002n }],
    owner: { type: "pod", namespace: "default", name: "pod-c1", uid: "uid-c1" },
    network: "net-b",
    deviceID: "0000:3b:00.2",
    how: "adopted",
    createdAt: "2023-11-14T22:13:20.000Z",
  });
  assert.is(store.ledger.collectGarbage({ network: "net-b", valid: [] }), 1);
});

scene("a static pod is known as its runtime knows it", async (node) => {
  node.pods.add({
    name: "c1",
    uid: "mirror",
    annotations: { ...told({ interface: "net1", ips: ["192.168.0.2"] }), "kubernetes.io/config.hash": "hash" },
  });
  const { store } = await node.rebuilt();
  assert.equal(held(store), ["IPPool/pool1 /net1 192.168.0.2 adopted hash"]);
});

scene("an interface name of a pod that no interface can have counts as not told", async (node) => {
  node.pods.add({
    name: "c1",
    annotations: told({ interface: "x".repeat(100_000), ips: ["192.168.0.2"] }, { ips: ["192.168.0.3"] }),
  });
  const { store } = await node.rebuilt();
  assert.equal(held(store), ["IPPool/pool1 / 192.168.0.2 adopted uid-c1", "IPPool/pool1 / 192.168.0.3 adopted uid-c1"]);
});

scene("R1 two claims of one address stand until both are gone, and are told", async (node) => {
  node.cached("c1", ["192.168.0.2"]);
  node.cached("c2", ["192.168.0.2"]);
  const { store, log } = await node.rebuilt();
  assert.is(store.ledger.size, 2);
  const warning = log.lines.find((text) => text.startsWith("warning")) ?? "";
  assert.match(warning, /192\.168\.0\.2.*IPPool\/pool1.*pod default\/pod-c/);
});

scene("files that cannot be read are told, and do not stand in the way", async (node) => {
  node.cached("c1", ["192.168.0.2"]);
  for (let i = 0; i < 25; i++) writeFileSync(join(node.directory, "results", `broken${i}`), "{");
  const { store, log } = await node.rebuilt();
  assert.is(store.ledger.size, 1);
  assert.is(log.lines.filter((text) => text.includes("broken")).length, 20);
  assert.ok(
    log.lines.some((text) => text.includes('left out {"count":5}')),
    log.lines.join("\n"),
  );
});

scene("what a damaged store still has is kept, and what it lost is found", async (node) => {
  const first = await node.rebuilt();
  for (const container of ["c1", "c2", "c3"]) {
    add(first.store.ledger, container, [pool1]);
    await first.store.commit();
  }
  await first.store.close({ exportLegacy: false });
  damage(node.storage, "c2|");
  for (const [container, address] of [
    ["c1", "192.168.0.2"],
    ["c2", "192.168.0.3"],
    ["c3", "192.168.0.4"],
  ] as const) {
    node.cached(container, [address]);
  }
  const { store, log } = await node.rebuilt();
  assert.match(log.lines.join(), '"restored":1,"reservations":3');
  assert.equal(held(store), [
    "IPPool/pool1 c1/net1 192.168.0.2 dynamic uid-c1",
    "IPPool/pool1 c2/net1 192.168.0.3 adopted uid-c2",
    "IPPool/pool1 c3/net1 192.168.0.4 dynamic uid-c3",
  ]);
});

scene("R3 what is deleted before the rebuild comes to it does not come back", async (node) => {
  const pods = Promise.withResolvers<void>();
  node.podsKnown = pods.promise;
  node.cached("c1", ["192.168.0.2"]);
  node.cached("c2", ["192.168.0.3"]);
  const { store, rebuild } = await node.start();
  const running = rebuild.run(new AbortController().signal);
  assert.is(store.ledger.deallocate({ pools: [pool1.id], attachment: attachment("c1"), network: "net-a" }), 0);
  pods.resolve();
  await running;
  assert.equal(held(store), ["IPPool/pool1 c2/net1 192.168.0.3 adopted uid-c2"]);
});

scene("a rebuild that is stopped leaves the store waiting", async (node) => {
  node.podsKnown = new Promise(() => undefined);
  const { store, rebuild } = await node.start();
  const stop = new AbortController();
  const running = rebuild.run(stop.signal);
  await node.clock.advance(0);
  stop.abort();
  await running;
  assert.ok(store.awaitsRebuild);
});

/** Changes a letter of the text in a journal. */
function damage(storage: SimStorage, text: string): void {
  for (const path of storage.paths("/var/nv-ipam").filter((each) => each.includes(".journal."))) {
    const bytes = storage.content(path) ?? Buffer.alloc(0);
    const at = bytes.indexOf(text);
    if (at < 0) continue;
    bytes[at] = 0x21;
    storage.put(path, bytes);
    return;
  }
  throw new Error(`no journal has ${text}`);
}

/** A cache and pods with something of everything, more than one record of the journal takes. */
function fill(node: Scene): void {
  for (let i = 0; i < 12; i++) node.cached(`c${i}`, [`192.168.0.${2 + i}`]);
  for (let i = 0; i < 60; i++) node.cached(`s${i}`, [`192.168.7.${i}`], { args: [["IP", `192.168.7.${i}`]] });
  node.cached("twice", ["192.168.0.2"]);
  for (let i = 0; i < 6; i++) node.shown(`c${i}`, `192.168.0.${2 + i}`);
  for (let i = 0; i < 4; i++) node.shown(`p${i}`, `10.10.0.${9 + i}`);
}

/** One daemon that rebuilds until it is done, or until the fault ends it. */
async function live(
  node: Scene,
  faults: readonly Fault[],
): Promise<{ readonly asked: number; readonly isDone: boolean }> {
  const disk = new SimDisk(node.storage, { random, faults });
  const opened = await node.open(disk);
  const stop = new AbortController();
  const running = opened?.rebuild.run(stop.signal);
  if (opened !== undefined) {
    let hasEnded = false;
    void Promise.race([running, disk.died]).then(() => {
      hasEnded = true;
    });
    // A failed write is tried again five seconds later.
    for (const limit = performance.now() + 30_000; !hasEnded && performance.now() < limit; ) {
      await node.clock.advance(5000);
    }
    assert.ok(hasEnded, "the rebuild does not end");
  }
  const isDone = opened !== undefined && opened.rebuild.missing === undefined;
  stop.abort();
  disk.end("power");
  node.storage.losePower(random);
  return { asked: disk.asked, isDone };
}

const KINDS = [
  { name: "the process is killed before", type: "kill", when: "before" },
  { name: "power is lost after", type: "power", when: "after" },
  { name: "an I/O error meets", type: "error", code: "EIO" },
] as const;

for (const { name, ...kind } of KINDS) {
  scene(`R1 R3 the result is the same when ${name} any single thing that a rebuild asks of its disk`, async (node) => {
    fill(node);
    const whole = await node.rebuilt();
    const expected = textOf(whole.store.ledger.snapshot());
    assert.is(whole.store.ledger.size, 12 + 60 + 1 + 4);
    await whole.store.close();
    node.lose();
    const { asked } = await live(node, []);
    assert.ok(asked > 20, `${asked}`);
    for (let at = 1; at <= asked; at++) {
      node.lose();
      const { isDone } = await live(node, [{ ...kind, at }]);
      const next = await node.start();
      // What was done is known without looking.
      if (isDone) assert.not(next.store.awaitsRebuild, `${at}`);
      await next.rebuild.run(new AbortController().signal);
      assert.equal(textOf(next.store.ledger.snapshot()), expected, `${at}`);
      assert.ok(next.store.admitsReservations().ok);
      await next.store.close({ exportLegacy: false });
    }
  });
}

test.run();
