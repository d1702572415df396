/** The service over a ledger whose way to the disk the test holds in its hand. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Pool } from "../../../src/lib/api/types.ts";
import { PoolTable } from "../../../src/lib/daemon/pool_table.ts";
import { Ledger } from "../../../src/lib/reservations/ledger.ts";
import type { Change } from "../../../src/lib/reservations/reservation.ts";
import { fail, ok, type Result } from "../../../src/lib/result.ts";
import type { AllocateRequest, IPAMParameters } from "../../../src/lib/rpc/generated/node.ts";
import { type DurableLedger, IpamService } from "../../../src/lib/rpc/server/ipam.ts";
import type { Caller } from "../../../src/lib/rpc/server/unary.ts";
import { smallPool } from "../../daemon/_local.ts";

type Commit = Result<void, { readonly message: string }>;

/** Commits wait until the test lets all of them through, or makes them fail. */
class HeldStore implements DurableLedger {
  readonly ledger = new Ledger();
  readonly written: Change["type"][] = [];
  admits: Commit = ok(undefined);
  #waiting: ((outcome: Commit) => void)[] = [];

  commit(): Promise<Commit> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  admitsReservations(): Commit {
    return this.admits;
  }

  /** Carries out everything that waits, and what follows from it until nothing waits any more. */
  async release(outcome: Commit = ok(undefined)): Promise<void> {
    while (this.#waiting.length > 0) {
      const changes = this.ledger.takeChanges();
      if (outcome.ok) this.written.push(...changes.map(({ type }) => type));
      else this.ledger.undo(changes);
      for (const resolve of this.#waiting.splice(0)) resolve(outcome);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

interface Scene {
  readonly store: HeldStore;
  readonly pools: PoolTable;
  readonly service: IpamService;
}

function scene(options: { readonly podOptional?: boolean; readonly pools?: readonly Pool[] } = {}): Scene {
  const store = new HeldStore();
  const pools = new PoolTable("node-1");
  pools.replace("IPPool", options.pools ?? [smallPool("pool1", "10.0.0", ["node-1"])]);
  pools.replace("CIDRPool", []);
  const settings = { podOptional: options.podOptional ?? false, allowStaticInOtherBlocks: false, now: () => 0 };
  return { store, pools, service: new IpamService(store, pools, settings) };
}

/** A caller that can go. */
class TestCaller implements Caller {
  hasGone = false;
  network = "net-a";
  gone(): boolean {
    return this.hasGone;
  }
  header(name: string): string {
    return name === "nv-ipam-network" ? this.network : "";
  }
}

function parameters(container: string, more: Partial<IPAMParameters> = {}): { parameters: IPAMParameters } {
  const metadata = { k8sPodName: "p", k8sPodNamespace: "d", k8sPodUid: `uid-${container}`, deviceId: "" };
  const common = { pools: ["pool1"], cniIfname: "net1", poolType: 1 as const, requestedIps: [] };
  return { parameters: { ...common, cniContainerid: container, metadata, ...more } };
}

function ips(answer: Awaited<ReturnType<IpamService["allocate"]>>): readonly string[] | string {
  return answer.ok ? answer.value.allocations.map(({ ip }) => ip) : answer.error.status;
}

test("R3 an ADD whose caller has gone when its turn comes is not begun", async () => {
  const { store, service } = scene();
  const caller = new TestCaller();
  caller.hasGone = true;
  assert.is(ips(await service.allocate(parameters("c1"), caller)), "Cancelled");
  assert.equal(store.ledger.takeChanges(), []);
});

test("R3 an ADD is answered when it is on the disk and not before", async () => {
  const { store, service } = scene();
  let isAnswered = false;
  const answer = service.allocate(parameters("c1"), new TestCaller()).finally(() => {
    isAnswered = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.not.ok(isAnswered);
  await store.release();
  assert.equal(ips(await answer), ["10.0.0.2/24"]);
});

test("R3 a reservation whose caller went before the reply is released by a record of its own", async () => {
  const { store, service } = scene();
  const caller = new TestCaller();
  const answer = service.allocate(parameters("c1"), caller);
  caller.hasGone = true;
  await store.release();
  assert.is(ips(await answer), "Cancelled");
  assert.is(store.ledger.size, 0);
  assert.equal(store.written, ["config", "cursor", "reserve", "release"]);
});

test("R3 a repeated ADD whose caller goes does not release what the first one was told", async () => {
  const { store, service } = scene();
  const first = service.allocate(parameters("c1"), new TestCaller());
  await store.release();
  const caller = new TestCaller();
  const second = service.allocate(parameters("c1"), caller);
  caller.hasGone = true;
  await store.release();
  assert.equal([ips(await first), ips(await second)], [["10.0.0.2/24"], "Cancelled"]);
  assert.is(store.ledger.size, 1);
});

test("R1 what a repeated ADD was told stays although the first one's caller went while both waited", async () => {
  const { store, service } = scene();
  const caller = new TestCaller();
  const first = service.allocate(parameters("c1"), caller);
  const second = service.allocate(parameters("c1"), new TestCaller());
  caller.hasGone = true;
  await store.release();
  assert.equal([ips(await first), ips(await second)], ["Cancelled", ["10.0.0.2/24"]]);
  assert.is(store.ledger.size, 1);
});

test("R3 nothing stays when all callers of a repeated ADD went", async () => {
  const { store, service } = scene();
  const callers = [new TestCaller(), new TestCaller(), new TestCaller()];
  const answers = callers.map((caller) => service.allocate(parameters("c1"), caller));
  for (const caller of callers) caller.hasGone = true;
  await store.release();
  assert.equal((await Promise.all(answers)).map(ips), ["Cancelled", "Cancelled", "Cancelled"]);
  assert.is(store.ledger.size, 0);
});

test("R3 an ADD that could not be written is Unavailable, with the store's reason, and nothing is held", async () => {
  const { store, service } = scene();
  const answer = service.allocate(parameters("c1"), new TestCaller());
  await store.release(fail({ message: "the disk is broken" }));
  assert.equal(await answer, fail({ status: "Unavailable", message: "the disk is broken" }));
  assert.is(store.ledger.size, 0);
  const again = service.allocate(parameters("c2"), new TestCaller());
  await store.release();
  assert.equal(ips(await again), ["10.0.0.2/24"]);
});

test("R3 DEL, CHECK and a refusal are answered only when what they build on is on the disk", async () => {
  const { store, service } = scene({ pools: [smallPool("pool1", "10.0.0", ["node-1"])] });
  const caller = new TestCaller();
  const answers = [
    service.allocate(parameters("c1"), caller),
    service.allocate(parameters("c1", { requestedIps: ["10.0.0.4"] }), caller),
    service.isAllocated(parameters("c1")),
    service.deallocate(parameters("c1"), caller),
  ];
  await store.release(fail({ message: "no" }));
  for (const answer of await Promise.all(answers)) assert.equal(answer, fail({ status: "Unavailable", message: "no" }));
  assert.is(store.ledger.size, 0);
});

test("R4 parallel ADDs of one attachment give one address", async () => {
  const { store, service } = scene();
  const answers = Array.from({ length: 20 }, () => service.allocate(parameters("c1"), new TestCaller()));
  await store.release();
  for (const answer of await Promise.all(answers)) assert.equal(ips(answer), ["10.0.0.2/24"]);
  assert.is(store.ledger.size, 1);
});

test("R1 of parallel ADDs exactly as many succeed as there are addresses, each with its own", async () => {
  const { store, service } = scene();
  const answers = Array.from({ length: 20 }, (_, index) => service.allocate(parameters(`c${index}`), new TestCaller()));
  await store.release();
  const outcomes = (await Promise.all(answers)).map(ips);
  const given = outcomes.flatMap((outcome) => (typeof outcome === "string" ? [] : outcome));
  assert.equal(given.sort(), ["10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24"]);
  assert.is(outcomes.filter((outcome) => outcome === "ResourceExhausted").length, 17);
});

test("R11 Allocate is Unavailable until the pools of its kind are known, the other methods answer", async () => {
  const store = new HeldStore();
  const pools = new PoolTable("node-1");
  const service = new IpamService(store, pools, { podOptional: false, allowStaticInOtherBlocks: false, now: () => 0 });
  const early = await service.allocate(parameters("c1"), new TestCaller());
  assert.equal(
    early,
    fail({ status: "Unavailable", message: "the IPPools are not known yet; the call will be tried again" }),
  );
  const others = [service.deallocate(parameters("c1"), new TestCaller()), service.isAllocated(parameters("c1"))];
  await store.release();
  const [deleted, checked] = await Promise.all(others);
  assert.ok(deleted?.ok);
  assert.is(checked?.ok === false && checked.error.status, "NotFound");
  pools.replace("IPPool", []);
  const known = await service.allocate(parameters("c1"), new TestCaller());
  assert.is(ips(known), "NotFound");
  assert.is(ips(await service.allocate(parameters("c1", { poolType: 2 }), new TestCaller())), "Unavailable");
});

test("R11 a store that admits nothing makes Allocate Unavailable with its reason; DEL goes on", async () => {
  const { store, service } = scene();
  store.admits = fail({ message: "the store was damaged" });
  const added = await service.allocate(parameters("c1"), new TestCaller());
  assert.equal(added, fail({ status: "Unavailable", message: "the store was damaged" }));
  const deleted = service.deallocate(parameters("c1"), new TestCaller());
  await store.release();
  assert.ok((await deleted).ok);
});

const dash = { k8sPodName: "-", k8sPodNamespace: "-", k8sPodUid: "", deviceId: "" };

test("a dash for the pod is refused where pods are required, but not by DEL", async () => {
  const { store, service } = scene();
  const added = await service.allocate(parameters("c1", { metadata: dash }), new TestCaller());
  assert.equal(added.ok ? "" : added.error, {
    status: "InvalidArgument",
    message: "parameters.metadata.k8s_pod_name is required: this daemon serves pods only",
  });
  const deleted = service.deallocate(parameters("c1", { metadata: dash }), new TestCaller());
  await store.release();
  assert.ok((await deleted).ok);
});

test("with podOptional a dash for the pod is a reservation of nobody", async () => {
  const { store, service } = scene({ podOptional: true });
  const added = service.allocate(parameters("c1", { metadata: dash }), new TestCaller());
  await store.release();
  assert.equal(ips(await added), ["10.0.0.2/24"]);
  assert.equal(store.ledger.list({ limit: 1 }).reservations[0]?.owner, { type: "none" });
});

test("with podOptional a pod name must still be said, by a dash at least", async () => {
  const { service } = scene({ podOptional: true });
  const nameless = { ...dash, k8sPodName: "" };
  assert.is(ips(await service.allocate(parameters("c1", { metadata: nameless }), new TestCaller())), "InvalidArgument");
});

test("the network's name is kept with the reservation, and one without end is refused", async () => {
  const { store, service } = scene();
  const added = service.allocate(parameters("c1"), new TestCaller());
  await store.release();
  await added;
  assert.is(store.ledger.list({ limit: 1 }).reservations[0]?.network, "net-a");
  const caller = new TestCaller();
  caller.network = "x".repeat(1025);
  assert.is(ips(await service.allocate(parameters("c2"), caller)), "InvalidArgument");
});

const LONG = "x".repeat(1025);
const pod = { k8sPodName: "p", k8sPodNamespace: "d", k8sPodUid: "u", deviceId: "" };
const bad: readonly [what: string, request: AllocateRequest, message: RegExp][] = [
  ["no parameters", {}, /^parameters is required$/],
  ["no pool", parameters("c", { pools: [] }), /one or two pools/],
  ["three pools", parameters("c", { pools: ["a", "b", "c"] }), /one or two pools/],
  ["100,000 pools", parameters("c", { pools: Array(100_000).fill("a") }), /one or two pools/],
  ["an empty pool name", parameters("c", { pools: ["pool1", ""] }), /pools\[1\] must not be empty/],
  ["one pool twice", parameters("c", { pools: ["pool1", "pool1"] }), /two different pools/],
  ["an unknown pool type", parameters("c", { poolType: 9 as never }), /pool_type must be/],
  ["a pool type below zero", parameters("c", { poolType: -1 as never }), /pool_type must be/],
  ["no container id", parameters(""), /cni_containerid is required/],
  ["no interface", parameters("c", { cniIfname: "" }), /cni_ifname is required/],
  ["no metadata", parameters("c", { metadata: undefined } as never), /metadata is required/],
  ["no pod name", parameters("c", { metadata: { ...pod, k8sPodName: "" } }), /k8s_pod_name is required/],
  ["no namespace", parameters("c", { metadata: { ...pod, k8sPodNamespace: "" } }), /k8s_pod_namespace is required/],
  ["a long container id", parameters(LONG), /parameters\.cni_containerid must not have more than 1024 characters/],
  ["a long interface", parameters("c", { cniIfname: LONG }), /parameters\.cni_ifname must not have more than 1024/],
  ["a long pool name", parameters("c", { pools: ["a", LONG] }), /parameters\.pools\[1\] must not have more than 1024/],
  ["a long pod name", parameters("c", { metadata: { ...pod, k8sPodName: LONG } }), /\.k8s_pod_name must not have more/],
  ["a long pod uid", parameters("c", { metadata: { ...pod, k8sPodUid: LONG } }), /\.k8s_pod_uid must not have more/],
  ["a long device id", parameters("c", { metadata: { ...pod, deviceId: LONG } }), /\.device_id must not have more/],
  ["what was no UTF-8", parameters("c\ufffd"), /parameters\.cni_containerid is not valid UTF-8/],
  ["an address that is none", parameters("c", { requestedIps: ["10.0.0.3", "x"] }), /requested_ips\[1\] must be/],
  ["an address with a length", parameters("c", { requestedIps: ["10.0.0.3/24"] }), /requested_ips\[0\] must be/],
  ["an empty address", parameters("c", { requestedIps: [""] }), /requested_ips\[0\] must be/],
  [
    "addresses without end",
    parameters("c", { requestedIps: Array(100_000).fill("10.0.0.3") }),
    /requested_ips must not have more than 64/,
  ],
  [
    "a negative index",
    parameters("c", { features: { allocateDefaultGateway: false, allocateIpWithIndex: -1 } }),
    /allocate_ip_with_index must not be negative/,
  ],
  [
    "gateway and index",
    parameters("c", { features: { allocateDefaultGateway: true, allocateIpWithIndex: 0 } }),
    /allocate_default_gateway can't be used together with allocate_ip_with_index/,
  ],
  [
    "gateway and address",
    parameters("c", { requestedIps: ["10.0.0.3"], features: { allocateDefaultGateway: true } }),
    /allocate_default_gateway can't be used together with requested/,
  ],
  [
    "index and address",
    parameters("c", {
      requestedIps: ["10.0.0.3"],
      features: { allocateDefaultGateway: false, allocateIpWithIndex: 0 },
    }),
    /allocate_ip_with_index can't be used together with requested/,
  ],
];
for (const [what, request, message] of bad) {
  test(`a request with ${what} is InvalidArgument, for each method, and changes nothing`, async () => {
    const { store, service } = scene();
    const caller = new TestCaller();
    const answers = [
      service.allocate(request, caller),
      service.isAllocated(request),
      service.deallocate(request, caller),
    ];
    for (const answer of await Promise.all(answers)) {
      assert.is(answer.ok ? "" : answer.error.status, "InvalidArgument");
      assert.match(answer.ok ? "" : answer.error.message, message);
    }
    assert.equal(store.ledger.takeChanges(), []);
  });
}

test.run();
