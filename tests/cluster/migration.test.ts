/** docs/migration.md, step by step, with its own commands: a cluster as the original leaves it is taken over, and given back. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatLegacy, type LegacyEntry, type LegacyPool, parseLegacy } from "../../src/lib/journal/legacy.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import { need } from "../_need.ts";
import { EXECUTABLE } from "../plugin.ts";
import { type Outcome, runProgram } from "../program.ts";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installOriginalCrds, type Json, must, Pools, startWith, until } from "./_pools.ts";

const ROOT = join(import.meta.dirname, "../..");
const KUBECTL = need("kubectl");
const PODS: Resource = { group: "", version: "v1", plural: "pods" };
const PAGE = readFileSync(join(ROOT, "docs/migration.md"), "utf8");

const { server, client } = await startWith(installOriginalCrds);
const pools = new Pools(client, "kube-system");
const daemon = new NodeDaemon({ kubeconfig: server.kubeconfig, namespace: "kube-system", nodeName: "node-a" });
let controller: ControllerProcess | undefined;

const test = suite("migration");
test.after(async () => {
  await controller?.kill();
  await daemon.remove();
  await server.remove();
});

/** Runs a command that the page shows, where `nv-ipam` and `kubectl` are ours and the kubeconfig is the cluster's. */
function shown(command: string, ...more: readonly string[]): Promise<Outcome> {
  assert.match(PAGE, `\n    ${command}\n`);
  const [program = "", ...words] = command
    .split(" ")
    .filter((word) => word !== "--kubeconfig" && word !== "admin.conf");
  const path = program === "kubectl" ? KUBECTL : EXECUTABLE;
  const env = { KUBECONFIG: server.kubeconfig, HOME: server.directory };
  return runProgram(path, [...words, ...more], { cwd: ROOT, env });
}

const SPECS = {
  IPPool: { subnet: "10.0.0.0/24", perNodeBlockSize: 8, gateway: "10.0.0.1" },
  CIDRPool: { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 },
};
const BLOCKS = {
  IPPool: [
    { nodeName: "node-a", startIP: "10.0.0.1", endIP: "10.0.0.8" },
    { nodeName: "node-b", startIP: "10.0.0.9", endIP: "10.0.0.16" },
  ],
  CIDRPool: [
    { nodeName: "node-a", prefix: "10.20.0.0/24", gateway: "10.20.0.1" },
    { nodeName: "node-b", prefix: "10.20.1.0/24", gateway: "10.20.1.1" },
  ],
};
const KINDS = ["IPPool", "CIDRPool"] as const;

function entry(container: string, address: string): LegacyEntry {
  const metadata = {
    create_time: "2026-11-22T08:00:00.123456789Z",
    pod_uuid: `uid-${container}`,
    pod_name: `pod-${container}`,
    pod_namespace: "default",
    device_id: "",
    pool_config_snapshot: "",
  };
  return { container_id: container, interface_name: "net1", ip_address: address, metadata };
}

function legacyPool(name: string, last: string, ...entries: readonly LegacyEntry[]): readonly [string, LegacyPool] {
  const byKey = new Map(entries.map((each) => [`${each.container_id}_net1`, each]));
  return [name, { name, entries: byKey, last_pool_config: "", last_reserved_ip: last }];
}

/** What the original wrote on node-a. */
const STORE = new Map([
  legacyPool("pool", "10.0.0.3", entry("c1", "10.0.0.2"), entry("c2", "10.0.0.3")),
  legacyPool("cidrpool/pool", "10.20.0.2", entry("c1", "10.20.0.2")),
]);

/** What a store file has for the original: addresses by pool and attachment. */
function legacyAddresses(): readonly string[] {
  const read = parseLegacy(readFileSync(daemon.store, "utf8"));
  if (!read.ok) throw new Error(read.error.message);
  return [...(read.value.store ?? [])]
    .flatMap(([pool, { entries }]) =>
      [...(entries ?? [])].map(([key, { ip_address }]) => `${pool} ${key} ${ip_address}`),
    )
    .sort();
}

async function held(): Promise<readonly string[]> {
  const place = [`--daemon-socket=unix://${daemon.socket}`, "-o", "json"];
  const { stdout } = await runProgram(EXECUTABLE, ["inspect", "reservations", ...place]);
  return JSON.parse(stdout)
    .items.map(({ poolKind, containerID, addresses }: Json) => `${poolKind} ${containerID} ${addresses}`)
    .sort();
}

/** The pools' blocks as they are stored. */
async function blocks(): Promise<readonly unknown[]> {
  return Promise.all(KINDS.map(async (kind) => must(await pools.get(kind, "pool")).status?.allocations));
}

test.before(async () => {
  for (const node of ["node-a", "node-b"]) await pools.addNode(node);
  for (const kind of KINDS) {
    must(await pools.create(kind, "pool", SPECS[kind]));
    must(await pools.patchStatus(kind, "pool", { allocations: BLOCKS[kind] }));
  }
  for (const [name, address] of [
    ["c1", "10.0.0.2"],
    ["c2", "10.0.0.3"],
  ] as const) {
    const status = JSON.stringify([{ name: "default/net-a", interface: "net1", ips: [address] }]);
    const metadata = { name: `pod-${name}`, annotations: { "k8s.v1.cni.cncf.io/network-status": status } };
    const spec = { nodeName: "node-a", containers: [{ name: "c", image: "x" }] };
    must(await client.create(PODS, "default", { apiVersion: "v1", kind: "Pod", metadata, spec }));
  }
  mkdirSync(dirname(daemon.store), { recursive: true });
  writeFileSync(daemon.store, formatLegacy(STORE).text);
});

test("1. nothing is in the way, and the original's store can be looked at", async () => {
  const looked = await shown("nv-ipam inspect migration --kubeconfig admin.conf");
  assert.equal([looked.exit, looked.stdout], [0, "nothing wrong found\n"]);
  const text = readFileSync(daemon.store, "utf8");
  for (const what of ["check", "reservations"]) {
    const command = `nv-ipam inspect ${what} --store-file /var/lib/cni/nv-ipam/store`;
    assert.match(PAGE, `\n    ${command}\n`);
    const read = await runProgram(EXECUTABLE, ["inspect", what, "--store-file", daemon.store]);
    assert.is(read.exit, 0, read.stderr);
    if (what === "reservations") assert.match(read.stdout, /\npool +10\.0\.0\.2 +default\/pod-c1 +net1 +c1 /);
  }
  assert.is(readFileSync(daemon.store, "utf8"), text);
});

test("2. the CRDs are applied over the original's, and what is stored stays", async () => {
  const applied = await shown("kubectl apply --server-side --force-conflicts -k manifests/crds");
  assert.is(applied.exit, 0, applied.stderr);
  assert.equal(await blocks(), [BLOCKS.IPPool, BLOCKS.CIDRPool]);
});

test("3. R5 the controller keeps every block, and adds what is its own", async () => {
  controller = await ControllerProcess.start({ kubeconfig: server.kubeconfig, namespace: "kube-system" });
  for (const kind of KINDS) {
    await until(
      async () => must(await pools.get(kind, "pool")).status?.appliedSpec !== undefined,
      `the controller has written ${kind}`,
      () => controller?.output,
    );
  }
  assert.equal(await blocks(), [BLOCKS.IPPool, BLOCKS.CIDRPool]);
});

test("3. R1 R3 the daemon takes every reservation over, and gives none of them again", async () => {
  await daemon.start();
  const before = ["CIDRPool c1 10.20.0.2", "IPPool c1 10.0.0.2", "IPPool c2 10.0.0.3"];
  assert.equal(await held(), before);
  assert.is(parseLegacy(readFileSync(daemon.store, "utf8")).ok, false);
  assert.equal(await daemon.add("c3", { poolName: "pool" }), ["10.0.0.4/24"]);
  assert.is((await daemon.cni({ command: "CHECK", container: "c1", ipam: { poolName: "pool" } })).exit, 0);
  assert.is((await daemon.cni({ command: "DEL", container: "c2", ipam: { poolName: "pool" } })).exit, 0);
});

test("4. a check finds nothing wrong", async () => {
  const cluster = await shown("nv-ipam inspect check --kubeconfig admin.conf");
  assert.is(cluster.exit, 0, cluster.stdout);
});

const AFTER = ["cidrpool/pool c1_net1 10.20.0.2", "pool c1_net1 10.0.0.2", "pool c3_net1 10.0.0.4"];

test("going back: a clean stop leaves the original a file with every reservation", async () => {
  assert.is(await daemon.end("SIGTERM"), 0);
  assert.equal(legacyAddresses(), AFTER);
});

test("going back: after a crash the original refuses to start until the file is written", async () => {
  await daemon.start();
  await daemon.end("SIGKILL");
  assert.is(parseLegacy(readFileSync(daemon.store, "utf8")).ok, false);
  const written = await shown("nv-ipam store export", `--store-file=${daemon.store}`);
  assert.is(written.exit, 0, written.stderr);
  assert.equal(legacyAddresses(), AFTER);
});

test("going back: under the original's CRDs the blocks are what they were", async () => {
  await controller?.kill();
  await installOriginalCrds(client);
  assert.equal(await blocks(), [BLOCKS.IPPool, BLOCKS.CIDRPool]);
});

test.run();
