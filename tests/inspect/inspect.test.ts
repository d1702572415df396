import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { check } from "../../src/lib/inspect/check.ts";
import { print } from "../../src/lib/inspect/print.ts";
import { list, type PoolItem, type ReservationItem } from "../../src/lib/inspect/report.ts";

const pool: PoolItem = {
  pool: "pool1",
  poolKind: "IPPool",
  uid: "u1",
  subnet: "10.0.0.0/24",
  gateway: "10.0.0.1",
  block: { startIP: "10.0.0.1", endIP: "10.0.0.8" },
  addresses: { total: "8", excluded: "1", used: "1", free: "6" },
  lastAddress: "10.0.0.2",
  problem: "",
};
const reservation: ReservationItem = {
  pool: "pool1",
  poolKind: "IPPool",
  poolUID: "u1",
  addresses: ["10.0.0.2"],
  containerID: "c1",
  ifname: "net1",
  pod: { namespace: "default", name: "web", uid: "p1" },
  network: "net-a",
  deviceID: "",
  how: "dynamic",
  createdAt: "2026-11-22T08:00:00Z",
};

const findings: readonly [string, readonly PoolItem[] | "stopped", readonly ReservationItem[], readonly string[]][] = [
  ["nothing is found where all is well", [pool], [reservation], []],
  [
    "an address held twice is an error",
    [pool],
    [reservation, { ...reservation, containerID: "c2" }],
    ["error AddressHeldTwice"],
  ],
  [
    "an address held twice is found without the daemon as well",
    "stopped",
    [reservation, { ...reservation, containerID: "c2" }],
    ["error AddressHeldTwice"],
  ],
  [
    "an address outside the node's block is an error",
    [pool],
    [{ ...reservation, addresses: ["10.0.0.77"] }],
    ["error OutsideBlock"],
  ],
  [
    "an address that was asked for by name may lie outside the block",
    [pool],
    [{ ...reservation, addresses: ["10.0.0.77"], how: "static" }],
    [],
  ],
  ["a reservation of a pool that is gone is told", [], [reservation], ["warning UnknownPool"]],
  [
    "R2 a reservation under a former pool of the name is told",
    [pool],
    [{ ...reservation, poolUID: "u0" }],
    ["warning FormerPool"],
  ],
  [
    "a reservation that was rebuilt and not taken over is told",
    [pool],
    [{ ...reservation, containerID: "" }],
    ["warning NotAdopted"],
  ],
  [
    "a block without a free address is told",
    [{ ...pool, addresses: { ...pool.addresses, free: "0" } }],
    [],
    ["warning Exhausted"],
  ],
  ["a pool's own problem is told", [{ ...pool, problem: "spec is invalid" }], [], ["warning PoolProblem"]],
  [
    "blocks that share addresses are told",
    [pool, { ...pool, pool: "pool2", uid: "u2", block: { startIP: "10.0.0.8", endIP: "10.0.0.9" } }],
    [],
    ["warning OverlappingBlocks"],
  ],
];
for (const [name, pools, reservations, expected] of findings) {
  test(name, () => {
    assert.equal(
      check({
        pools: pools === "stopped" ? [] : pools,
        isRunning: pools !== "stopped",
        reservations,
        problems: [],
      }).map(({ severity, reason }) => `${severity} ${reason}`),
      expected,
    );
  });
}

test("what keeps ADD from being served is an error about the node", () => {
  const findings = check({ pools: [], isRunning: true, reservations: [], problems: ["the store is damaged"] });
  assert.equal(findings, [
    { severity: "error", reason: "NotServing", poolKind: "", pool: "", message: "the store is damaged" },
  ]);
  assert.match(print(list("FindingList", findings), "table"), /\nerror +NotServing +- +the store is damaged\n$/);
});

test("JSON and YAML hold the same document with its apiVersion and kind", () => {
  const report = list("ReservationList", [reservation]);
  const expected = JSON.parse(JSON.stringify(report));
  assert.equal(JSON.parse(print(report, "json")), expected);
  assert.equal(parse(print(report, "yaml")), expected);
  assert.is(expected.apiVersion, "inspect.nv-ipam.nvidia.com/v1");
  assert.is(expected.kind, "ReservationList");
});

test("a table has a heading, aligned columns, and a dash for what is empty", () => {
  const lines = print(list("PoolList", [pool]), "table").split("\n");
  assert.match(lines[0] ?? "", /^KIND +POOL +SUBNET +GATEWAY +BLOCK/);
  assert.match(lines[1] ?? "", /^IPPool +pool1 +10\.0\.0\.0\/24 +10\.0\.0\.1 +10\.0\.0\.1 - 10\.0\.0\.8 +1 +6 +1 +-$/);
  assert.is(lines[0]?.indexOf("SUBNET"), lines[1]?.indexOf("10.0.0.0/24"));
});

test("a name cannot draw over the table", () => {
  const evil = { ...reservation, network: "a\nb\u001b[2J" };
  const text = print(list("ReservationList", [evil]), "table");
  assert.is(text.split("\n").length, 3);
  assert.not.ok(text.includes("\u001b"));
});

test.run();
