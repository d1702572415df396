import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkNode } from "../../src/lib/inspect/check_node.ts";
import type { NodeContent } from "../../src/lib/inspect/content.ts";
import type { PoolItem, ReservationItem } from "../../src/lib/inspect/report.ts";
import type { PodView } from "../../src/lib/rpc/generated/daemon.ts";
import { nodeContent, pool, reservation } from "./_node.ts";

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
    ["info NotAdopted"],
  ],
  [
    "a block without a free address is told",
    [{ ...pool, addresses: { ...pool.addresses, free: "0" } }],
    [],
    ["warning Exhausted"],
  ],
  ["a pool's own problem is told", [{ ...pool, problem: "spec is invalid" }], [], ["warning PoolProblem"]],
  [
    "a block with a tenth of its addresses left is told",
    [{ ...pool, addresses: { total: "21", excluded: "1", used: "18", free: "2" } }],
    [],
    ["warning NearlyExhausted"],
  ],
  [
    "a small block is made for what it holds, and not nearly exhausted",
    [{ ...pool, addresses: { total: "10", excluded: "1", used: "8", free: "1" } }],
    [],
    [],
  ],
  [
    "a block of which nothing is usable is told as such",
    [{ ...pool, addresses: { total: "8", excluded: "8", used: "0", free: "0" } }],
    [],
    ["warning BlockWithoutAddresses"],
  ],
  [
    "R6 blocks that share addresses are an error: two pods can get the same one",
    [pool, { ...pool, pool: "pool2", uid: "u2", block: { startIP: "10.0.0.8", endIP: "10.0.0.9" } }],
    [],
    ["error OverlappingBlocks"],
  ],
  [
    "R1 one address from two pools is right where their networks do not meet",
    [pool, { ...pool, pool: "pool2", uid: "u2", block: { startIP: "10.1.0.0", endIP: "10.1.0.9" } }],
    [reservation, { ...reservation, pool: "pool2", poolUID: "u2", containerID: "c2", how: "static" }],
    ["warning AddressHeldTwice"],
  ],
  [
    "R1 a static address held twice in one pool is an error",
    [pool],
    [
      { ...reservation, addresses: ["10.0.0.77"], how: "static" },
      { ...reservation, addresses: ["10.0.0.77"], how: "static", containerID: "c2" },
    ],
    ["error AddressHeldTwice"],
  ],
];
for (const [name, pools, reservations, expected] of findings) {
  test(name, () => {
    assert.equal(
      checkNode(
        nodeContent({
          pools: pools === "stopped" ? [] : pools,
          isRunning: pools !== "stopped",
          reservations,
        }),
      ).map(({ severity, reason }) => `${severity} ${reason}`),
      expected,
    );
  });
}

const web: PodView = {
  namespace: "default",
  name: "web",
  uid: "p1",
  terminating: false,
  interfaces: [{ network: "net-a", ifname: "net1", addresses: ["10.0.0.2"] }],
};
const shows = (...addresses: readonly string[]): PodView => ({
  ...web,
  interfaces: [{ network: "net-a", ifname: "net1", addresses: [...addresses] }],
});

test("pools that are served as they were before are told with the reason", () => {
  const found = checkNode(nodeContent({ outdated: ["/pools/a.yaml:3: spec.subnet: Required value"] }));
  assert.equal(
    found.map(({ severity, reason, message }) => [severity, reason, message]),
    [["warning", "PoolProblem", "pools are served as they were before: /pools/a.yaml:3: spec.subnet: Required value"]],
  );
});

const byPods: readonly [string, Partial<NodeContent>, readonly string[]][] = [
  ["a pod that shows what is reserved for it is well", { pods: [web] }, []],
  ["where pods are not known nothing is said of them", { reservations: [] }, []],
  ["an address that nobody reserved is an error", { pods: [web], reservations: [] }, ["error UnreservedAddress"]],
  [
    "R1 an address that is reserved for another pod is an error",
    {
      pods: [web, { ...web, name: "other", uid: "p2", interfaces: [] }],
      reservations: [{ ...reservation, pod: { namespace: "default", name: "other", uid: "p2" } }],
    },
    ["error UnreservedAddress"],
  ],
  [
    "an address that was reserved for an earlier pod of the name is told twice",
    { pods: [web], reservations: [{ ...reservation, pod: { namespace: "default", name: "web", uid: "p0" } }] },
    ["error UnreservedAddress", "info StaleReservation"],
  ],
  [
    "a pod whose UID the runtime did not tell is known by its name",
    { pods: [web], reservations: [{ ...reservation, pod: { namespace: "default", name: "web", uid: "" } }] },
    [],
  ],
  [
    "a pod that is being deleted may have lost its address",
    { pods: [{ ...web, terminating: true }], reservations: [] },
    [],
  ],
  ["an address of no block of ours is another plugin's", { pods: [shows("10.0.0.2", "10.9.0.1")] }, []],
  ["a reservation whose pod is gone is told", { pods: [] }, ["info StaleReservation"]],
];
for (const [name, content, expected] of byPods) {
  test(name, () => {
    const found = checkNode(nodeContent(content));
    assert.equal(
      found.map(({ severity, reason }) => `${severity} ${reason}`),
      expected,
    );
    assert.ok(found.every(({ node }) => node === "node-1"));
  });
}

test("what keeps ADD from being served is an error about the node", () => {
  const [found] = checkNode(nodeContent({ problems: ["the store is damaged"] }));
  const { severity, reason, pool: about, message } = found ?? {};
  assert.equal([severity, reason, about, message], ["error", "NotServing", "", "the store is damaged"]);
});

test.run();
