import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Condition, Pool } from "../../src/lib/api/types.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { poolView } from "../../src/lib/daemon/pool_view.ts";
import { toEntry } from "../../src/lib/reservations/entry.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { smallPool } from "./_local.ts";

function names(table: PoolTable): readonly string[] {
  return [...table.all()].map(({ onNode }) => `${onNode.id.kind}/${onNode.id.name} ${onNode.state}`);
}

function withStatus(pool: Pool, reason: string, message: string): Pool {
  const ready: Condition = { type: "Ready", status: "False", reason, message, lastTransitionTime: "" };
  return { ...pool, status: { ...pool.status, conditions: [ready] } } as Pool;
}

function view(pool: Pool, ledger = new Ledger()) {
  const table = new PoolTable("node-1");
  table.set(pool);
  const [found] = table.all();
  if (found === undefined) throw new Error("no pool");
  return poolView(found, ledger);
}

const own = smallPool("pool1", "10.0.0", ["node-1"]);

test("R11 a kind is known from the first time that all of its pools are told", () => {
  const table = new PoolTable("node-1");
  table.set(own);
  assert.not.ok(table.known("IPPool"));
  table.replace("IPPool", []);
  assert.ok(table.known("IPPool"));
  assert.not.ok(table.known("CIDRPool"));
});

test("R11 why a kind is not known is told, and what of a known one may be out of date", () => {
  const table = new PoolTable("node-1");
  assert.is(table.missing("IPPool"), "the IPPools are not known yet");
  table.explain((kind) => [`no ${kind} can be read`, "nor anything else"]);
  assert.is(table.missing("IPPool"), "the IPPools are not known yet: no IPPool can be read (and 1 more)");
  assert.equal(table.outdated(), []);
  table.markKnown("IPPool");
  assert.equal(
    [table.missing("IPPool"), table.outdated()],
    [undefined, ["no IPPool can be read", "nor anything else"]],
  );
});

test("replacing forgets what is not named, and nothing of the other kind", () => {
  const table = new PoolTable("node-1");
  const prefix: Pool = {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "CIDRPool",
    metadata: { name: "pool1" },
    spec: { cidr: "10.9.0.0/16", perNodeNetworkPrefix: 24 },
    status: { allocations: [{ nodeName: "node-1", prefix: "10.9.1.0/24" }] },
  };
  table.replace("CIDRPool", [prefix]);
  table.replace("IPPool", [own, smallPool("pool2", "10.0.2", [])]);
  assert.equal(names(table), ["IPPool/pool1 ready", "IPPool/pool2 no-block", "CIDRPool/pool1 ready"]);
  table.replace("IPPool", [smallPool("pool3", "10.0.3", ["node-1"])]);
  assert.equal(names(table), ["IPPool/pool3 ready", "CIDRPool/pool1 ready"]);
  table.delete("CIDRPool", "pool1");
  table.delete("CIDRPool", "pool1");
  assert.equal(names(table), ["IPPool/pool3 ready"]);
});

const unserved: readonly [what: string, pool: Pool | undefined, message: RegExp][] = [
  ["an unknown pool", undefined, /^IPPool "pool1": there is no IPPool of this name; create it/],
  ["a pool without a block here", smallPool("pool1", "10.0.0", ["node-2"]), /the pool has no block for node "node-1"/],
  [
    "a pool with an invalid spec",
    { ...own, spec: { ...own.spec, perNodeBlockSize: 0 } } as Pool,
    /the spec is invalid: .*perNodeBlockSize/,
  ],
];
for (const [what, pool, message] of unserved) {
  test(`${what} is NotFound with its reason`, () => {
    const table = new PoolTable("node-1");
    if (pool !== undefined) table.set(pool);
    const served = table.serve("IPPool", "pool1");
    assert.is(served.ok ? "" : served.error.status, "NotFound");
    assert.match(served.ok ? "" : served.error.message, message);
  });
}

test("the view of a pool counts its block, and knows the address given last", () => {
  const ledger = new Ledger();
  const table = new PoolTable("node-1");
  table.set(own);
  const served = table.serve("IPPool", "pool1");
  if (!served.ok) throw new Error(served.error.message);
  ledger.allocate({
    pools: [served.value],
    attachment: { containerID: "c1", ifname: "net1" },
    owner: { type: "none" },
    network: "",
    deviceID: "",
    requested: [],
    choice: { type: "next" },
    allowStaticInOtherBlocks: false,
    now: 0,
  });
  assert.equal(view(own, ledger), {
    kind: "IPPool",
    name: "pool1",
    uid: "uid-of-pool1",
    subnet: "10.0.0.0/24",
    gateway: "10.0.0.1",
    startIp: "10.0.0.1",
    endIp: "10.0.0.4",
    total: "4",
    excluded: "1",
    used: "1",
    free: "2",
    cursor: "10.0.0.2",
    problem: "",
  });
});

test("a pool that lost its block here still counts what is held in it, and one that nothing was given from counts 0", () => {
  const ledger = new Ledger();
  assert.is(view({ ...own, status: {} } as Pool, ledger).used, "0");
  const reservation = {
    pool: { kind: "IPPool", name: "pool1", uid: "uid-of-pool1" },
    addresses: [{ family: 4, value: 0x0a000002n }],
    containerID: "c1",
    ifname: "net1",
    owner: { type: "none" },
    network: "",
    deviceID: "",
    how: "dynamic",
    createdAt: "",
  } as const;
  ledger.apply([{ type: "reserve", place: 0, entry: toEntry(reservation) }]);
  assert.is(view({ ...own, status: {} } as Pool, ledger).used, "1");
  assert.is(view({ ...own, spec: { ...own.spec, subnet: "x" }, status: {} } as Pool, ledger).used, "1");
});

test("a pool without a block here shows none, and why there is none where the planner says it", () => {
  const none = smallPool("pool1", "10.0.0", []);
  const { startIp, total, problem } = view(none);
  assert.equal([startIp, total, problem], ["", "0", ""]);
  assert.is(view(withStatus(none, "NoFreeBlocks", "no free block for node-1")).problem, "no free block for node-1");
});

test("R5 a pool whose spec is not the one in force says so beside its block", () => {
  const { startIp, problem } = view(withStatus(own, "WouldMoveBlocks", "the spec is not accepted"));
  assert.equal([startIp, problem], ["10.0.0.1", "the spec is not accepted"]);
});

test("what keeps other nodes waiting is not this node's problem", () => {
  assert.is(view(withStatus(own, "NoFreeBlocks", "no free block for node-9")).problem, "");
});

test("a pool whose spec is invalid says why", () => {
  assert.match(view({ ...own, spec: { ...own.spec, subnet: "x" } } as Pool).problem, /the spec is invalid: .*subnet/);
});

test.run();
