/** The Go original's place is taken over on a node with running pods, and given back. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ReservationItem } from "../../src/lib/inspect/report.ts";
import { installCrds, installOriginalCrds, type Kind, must, type PoolJson } from "../cluster/_pools.ts";
import { until } from "../cluster/_wait.ts";
import { attachment } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import { BRIDGED, defineNetwork, MACVLAN } from "./_networks.ts";
import { type OriginalEntry, originalStore, readOriginalStore } from "./_original.ts";

const NODE = "n1";
const OTHER_NODE = "n2";
const POOLS: readonly [kind: Kind, name: "flat" | "six" | "routed"][] = [
  ["IPPool", "flat"],
  ["IPPool", "six"],
  ["CIDRPool", "routed"],
];
/** The pools' status.allocations as the original writes them: these members, the nodes in the order of their names. */
const ALLOCATIONS = {
  flat: [
    { nodeName: NODE, startIP: "10.10.0.1", endIP: "10.10.0.100" },
    { nodeName: OTHER_NODE, startIP: "10.10.0.101", endIP: "10.10.0.200" },
  ],
  six: [
    { nodeName: NODE, startIP: "fd40::1", endIP: "fd40::a" },
    { nodeName: OTHER_NODE, startIP: "fd40::b", endIP: "fd40::14" },
  ],
  routed: [
    { nodeName: NODE, prefix: "10.20.0.0/24", gateway: "10.20.0.1" },
    { nodeName: OTHER_NODE, prefix: "10.20.1.0/24", gateway: "10.20.1.1" },
  ],
};
/** As the original notes them on the first node. */
const CONFIGS = {
  flat: config("10.10.0.0/16", "10.10.0.1", "10.10.0.100", "10.10.0.1"),
  six: config("fd40::/64", "fd40::1", "fd40::a", ""),
  "cidrpool/routed": config("10.20.0.0/24", "10.20.0.1", "10.20.0.254", "10.20.0.1"),
};

const cluster = await Cluster.start({ nodes: [NODE] });
const { pods, pools } = cluster;
const { ipam, machine } = cluster.node(NODE);
const directory = join(machine.root, "var/lib/cni/nv-ipam");
const storeFile = join(directory, "store");
const plugin = join(machine.root, "opt/cni/bin/nv-ipam");
const test = suite("takeover");
test.after(() => cluster.remove());

function config(subnet: string, startIP: string, endIP: string, gateway: string): string {
  return JSON.stringify({ subnet, startIP, endIP, gateway, exclusions: [], routes: [], defaultGateway: false });
}

/** What is reserved, as the original would note it. */
async function entries(): Promise<readonly OriginalEntry[]> {
  return (await ipam.reservations()).map(toEntry).sort(byAddress);
}

function toEntry(item: ReservationItem): OriginalEntry {
  const { pool, poolKind, containerID, ifname, addresses, pod } = item;
  assert.ok(pod !== null);
  const [address = ""] = addresses;
  return { pool: poolKind === "CIDRPool" ? `cidrpool/${pool}` : pool, containerID, ifname, address, pod };
}

function byAddress(a: OriginalEntry, b: OriginalEntry): number {
  return a.address < b.address ? -1 : 1;
}

async function blocks(): Promise<readonly string[]> {
  return (await Promise.all(POOLS.map(([kind, name]) => pools.blocks(kind, name)))).flat();
}

/** What the pods hold, and which blocks the node has, before any of ours is there. */
let held: readonly OriginalEntry[] = [];
let dealt: readonly string[] = [];

await cluster.switch.answer("10.10.0.1/16");
await Promise.all([
  cluster.definePool("IPPool", "flat", { subnet: "10.10.0.0/16", perNodeBlockSize: 100, gateway: "10.10.0.1" }),
  cluster.definePool("IPPool", "six", { subnet: "fd40::/64", perNodeBlockSize: 10 }),
  cluster.definePool("CIDRPool", "routed", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 }),
  defineNetwork(cluster, "dual", MACVLAN, { poolName: "flat,six" }),
  defineNetwork(cluster, "routed", BRIDGED, { poolName: "routed", poolType: "cidrpool" }),
]);
await pods.run(...["old-1", "old-2"].map((name) => ({ name, node: NODE, networks: ["dual", "routed"] })));
held = await entries();
dealt = await blocks();
assert.is(held.length, 6);
await leaveTheOriginals();

/** Leaves of ours nothing, and instead what the original would have left. */
async function leaveTheOriginals(): Promise<void> {
  await Promise.all([ipam, ...cluster.controllers].map(({ process }) => process.end("SIGTERM")));
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  writeFileSync(storeFile, originalStore(held, CONFIGS), { mode: 0o644 });
  rmSync(plugin);
  writeFileSync(plugin, "The original's plugin.", { mode: 0o755 });
  await installOriginalCrds(cluster.client);
  // A write under the original's schema leaves its fields alone.
  for (const [kind, name] of POOLS) {
    const allocations = ALLOCATIONS[name].filter(({ nodeName }) => nodeName === NODE);
    must(await pools.patchStatus(kind, name, { allocations }));
  }
  await statusesAreTheOriginals([NODE]);
}

/** Demands that the pools' statuses are those that the original would have written for these nodes, and nothing else. */
async function statusesAreTheOriginals(nodes: readonly string[]): Promise<void> {
  for (const [kind, name] of POOLS) {
    const allocations = ALLOCATIONS[name].filter(({ nodeName }) => nodes.includes(nodeName));
    // The API server may drop fields of the former schema a little later than it says that the new one is established.
    await untilStatus(kind, name, "has the original's status", (status) => isDeepStrictEqual(status, { allocations }));
  }
}

async function untilStatus(
  kind: Kind,
  name: string,
  what: string,
  isSo: (status: PoolJson["status"]) => boolean,
): Promise<void> {
  let status: PoolJson["status"];
  await until(
    async () => {
      status = must(await pools.get(kind, name)).status;
      return isSo(status);
    },
    `${kind} ${name} ${what}`,
    () => JSON.stringify(status),
  );
}

test("pods keep their addresses when the original's place is taken over", async () => {
  await Promise.all([cluster.startController(), ipam.start()]);
  assert.equal(await entries(), held);
  assert.equal(await blocks(), dealt);
  for (const name of ["old-1", "old-2"]) for (const ifname of ["net1", "net2"]) await attachment(cluster, name, ifname);
  await cluster.inside("old-1").ping("10.10.0.1");
  assert.ok(!readFileSync(plugin).subarray(0, 100).includes("original"), "the plugin is ours");
});

test("a pod gets none of the addresses that pods had from the original, and these free theirs", async () => {
  await pods.run({ name: "new", node: NODE, networks: ["dual", "routed"] });
  for (const ifname of ["net1", "net2"]) await attachment(cluster, "new", ifname);
  const own = (await entries()).filter(({ pod }) => pod.name === "new").map(({ address }) => address);
  assert.equal(
    own.filter((address) => held.some((entry) => entry.address === address)),
    [],
  );
  await pods.remove("old-1");
  assert.equal(new Set((await entries()).map(({ pod }) => pod.name)), new Set(["old-2", "new"]));
});

test("a clean stop leaves a file and statuses that the original goes on from", async () => {
  const before = await entries();
  await ipam.process.end("SIGTERM");
  await statusesAreTheOriginals([NODE]);
  assert.equal([...readOriginalStore(readFileSync(storeFile, "utf8"))].sort(byAddress), before);
});

test("what the original did meanwhile is taken over again", async () => {
  const [gone, ...others] = await entries();
  assert.ok(gone !== undefined);
  const pod = { ...gone.pod, uid: "of-the-original", name: "of-the-original" };
  const added = { pool: "flat", containerID: "of-the-original", ifname: "net1", address: "10.10.0.77", pod };
  const after = [...others, added].sort(byAddress);
  writeFileSync(storeFile, originalStore(after, CONFIGS));
  await ipam.start();
  assert.equal(await entries(), after);
});

test("a daemon that is killed leaves a file that the original refuses, until it is exported", async () => {
  const before = await entries();
  await ipam.process.end("SIGKILL");
  assert.throws(() => readOriginalStore(readFileSync(storeFile, "utf8")), /JSON/);
  await machine.run("/nv-ipam", "store", "export");
  assert.equal([...readOriginalStore(readFileSync(storeFile, "utf8"))].sort(byAddress), before);
});

test("with our CRDs in place the pools' status gets what the original's had no room for, and no block moves", async () => {
  await ipam.start();
  await installCrds(cluster.client);
  for (const [kind, name] of POOLS) {
    await untilStatus(kind, name, "has its spec in force", (status) => status?.appliedSpec !== undefined);
  }
  assert.equal(await blocks(), dealt);
  await pods.run({ name: "newer", node: NODE, networks: ["dual"] });
  await attachment(cluster, "newer", "net1");
});

test("given back, every pool has the blocks that our controller dealt as the original would have written them", async () => {
  await pools.addNode(OTHER_NODE);
  for (const [kind, name] of POOLS) {
    await untilStatus(kind, name, "has two blocks", (status) => status?.allocations?.length === 2);
  }
  const before = await entries();
  await Promise.all([ipam, ...cluster.controllers].map(({ process }) => process.end("SIGTERM")));
  await installOriginalCrds(cluster.client);
  await statusesAreTheOriginals([NODE, OTHER_NODE]);
  assert.equal([...readOriginalStore(readFileSync(storeFile, "utf8"))].sort(byAddress), before);
});

test.run();
