/** The installed plugin against the standalone daemon, as podman, nerdctl and plain containerd call it: without a pod. */
import { spawn } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { DaemonClient } from "../daemon_client.ts";
import { EXECUTABLE } from "../plugin.ts";
import type { Outcome } from "../program.ts";
import { type Call, ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

need("dist/nv-ipam");
need("root");

const prefixes = {
  apiVersion: "nv-ipam.nvidia.com/v1alpha1",
  kind: "CIDRPool",
  metadata: { name: "pool1" },
  spec: { cidr: "10.9.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 },
};
const test = suite("plugin and standalone daemon");
const daemon = new StandaloneDaemon({
  manifests: {
    "pool1.json": ipPool("pool1", { subnet: "10.1.0.0/24", perNodeBlockSize: 6, gateway: "10.1.0.1" }),
    "pool6.yaml":
      "apiVersion: nv-ipam.nvidia.com/v1alpha1\nkind: IPPool\nmetadata: {name: pool6}\n" +
      'spec: {subnet: "fd00::/64", perNodeBlockSize: 100}\n---\n' +
      JSON.stringify(prefixes),
  },
});
const client = new DaemonClient(`unix://${daemon.socket}`);
test.before(async () => {
  await daemon.start();
  while ((await client.pools()).pools.length < 3) await delay(10);
});
test.after.each(async () => {
  // What a failed test left must not fail the next one.
  await client.collectGarbage("net-a", []);
});
test.after(async () => {
  client.close();
  await daemon.remove();
});

const pool1 = { ipam: { poolName: "pool1" } };

async function held(): Promise<readonly string[]> {
  return (await client.reservations()).flatMap(({ addresses }) => addresses).sort();
}

async function add(container: string, more: Partial<Call> = {}): Promise<Outcome> {
  return daemon.cni({ command: "ADD", container, config: pool1, ...more });
}

async function deleteAll(...containers: readonly string[]): Promise<void> {
  const calls = containers.map((container) => daemon.cni({ command: "DEL", container, config: pool1 }));
  for (const { exit, stdout } of await Promise.all(calls)) assert.equal([exit, stdout], [0, ""]);
  assert.equal(await held(), []);
}

test("nv-ipam.conf has podOptional, which only standalone writes", () => {
  assert.is(JSON.parse(readFileSync(join(daemon.conf, "nv-ipam.conf"), "utf8")).podOptional, true);
});

test("without CNI_ARGS an address is given, checked, shown as nobody's, and freed", async () => {
  const added = await add("plain");
  assert.is(added.exit, 0, added.stdout);
  const result = JSON.parse(added.stdout);
  assert.equal(result.ips, [{ address: "10.1.0.2/24", gateway: "10.1.0.1" }]);
  const config = { ...pool1, prevResult: result };
  assert.equal((await daemon.cni({ command: "CHECK", container: "plain", config })).exit, 0);
  const [item] = await daemon.inspect("reservations");
  assert.equal([item?.pod, item?.network, item?.how], [null, "net-a", "dynamic"]);
  await deleteAll("plain");
});

test("with CNI_ARGS the pod is kept", async () => {
  await add("podded", { args: "K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop;K8S_POD_UID=u-1;IgnoreUnknown=1" });
  const [item] = await daemon.inspect("reservations");
  assert.equal(item?.pod, { namespace: "shop", name: "web", uid: "u-1" });
  await deleteAll("podded");
});

test("two pools give two addresses, and pools of both kinds may have one name", async () => {
  const added = await add("both", { config: { ipam: { poolName: "pool1,pool6" } } });
  const addresses = JSON.parse(added.stdout).ips.map(({ address }: { address: string }) => address);
  assert.match(addresses[0], /^10\.1\.0\.\d\/24$/);
  assert.match(addresses[1], /^fd00::/);
  const prefix = await add("prefix", { config: { ipam: { poolName: "pool1", poolType: "cidrpool" } } });
  assert.is(JSON.parse(prefix.stdout).ips[0].address, "10.9.0.2/24");
  await daemon.cni({ command: "DEL", container: "both", config: { ipam: { poolName: "pool1,pool6" } } });
  await daemon.cni({
    command: "DEL",
    container: "prefix",
    config: { ipam: { poolName: "pool1", poolType: "cidrpool" } },
  });
  assert.equal(await held(), []);
});

test("R1 of twelve parallel ADDs five get the block's five addresses, the others are told that it is full", async () => {
  const containers = Array.from({ length: 12 }, (_, index) => `many${index}`);
  const outcomes = await Promise.all(containers.map((container) => add(container)));
  const given = outcomes.flatMap(({ exit, stdout }) => (exit === 0 ? [JSON.parse(stdout).ips[0].address] : []));
  assert.equal(given.sort(), ["10.1.0.2/24", "10.1.0.3/24", "10.1.0.4/24", "10.1.0.5/24", "10.1.0.6/24"]);
  const refused = outcomes.filter(({ exit }) => exit !== 0).map(({ stdout }) => JSON.parse(stdout));
  assert.is(refused.length, 7);
  for (const { msg } of refused) assert.match(msg, /no free|exhausted|all/i);
  await deleteAll(...containers);
});

test("R4 parallel ADDs of one attachment give one address", async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => add("same")));
  assert.is(new Set(outcomes.map(({ stdout }) => stdout)).size, 1, outcomes[0]?.stdout ?? "");
  assert.is((await held()).length, 1);
  await deleteAll("same");
});

const refusals: readonly [what: string, config: object, code: number, message: RegExp][] = [
  ["three pools", { ipam: { poolName: "a,b,c" } }, 7, /names 3 pools; at most 2/],
  ["one pool twice", { ipam: { poolName: "pool1,pool1" } }, 7, /two different pools/],
  ["an unknown pool", { ipam: { poolName: "nope" } }, 100, /IPPool "nope": there is no IPPool of this name/],
  ["a negative index", { ...pool1, args: { cni: { allocateIPWithIndex: -1 } } }, 7, /allocateIPWithIndex/],
  ["an index beyond the block", { ...pool1, args: { cni: { allocateIPWithIndex: 6 } } }, 102, /index 6/],
  [
    "an IPv4 address for an IPv6 pool",
    { ipam: { poolName: "pool6" }, args: { cni: { ips: ["10.1.0.3"] } } },
    102,
    /10\.1\.0\.3 can be given/,
  ],
  ["the broadcast address", { ...pool1, args: { cni: { ips: ["10.1.0.255"] } } }, 102, /broadcast/],
];
for (const [what, config, code, message] of refusals) {
  test(`ADD with ${what} is refused in one line that says what is wrong, and nothing is kept`, async () => {
    const refused = await add("refused", { config: config as Call["config"] });
    assert.is(refused.exit, 1);
    const answer = JSON.parse(refused.stdout);
    assert.match(answer.msg, message);
    assert.not.match(answer.msg, "\n");
    assert.is(answer.code, code);
    assert.equal(await held(), []);
  });
}

test("R4 ADD with another address than the attachment holds is refused, and it keeps what it has", async () => {
  const withAddress = (address: string) => add("kept", { config: { ...pool1, args: { cni: { ips: [address] } } } });
  assert.is((await withAddress("10.1.0.3")).exit, 0);
  const refused = JSON.parse((await withAddress("10.1.0.6")).stdout);
  assert.is(refused.code, 103);
  assert.match(refused.msg, "already holds 10.1.0.3, not 10.1.0.6");
  assert.equal(await held(), ["10.1.0.3"]);
  await deleteAll("kept");
});

/** The plugin as a user who is nobody. */
function asNobody(config: unknown): Promise<{ readonly exit: number | null; readonly stdout: string }> {
  const env = {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "net1",
    CNI_NETNS: "/run/netns/x",
    CNI_PATH: "/opt/cni/bin",
    CNI_ARGS: "K8S_POD_NAME=p;K8S_POD_NAMESPACE=n",
  };
  const child = spawn(EXECUTABLE, [], { uid: 65534, gid: 65534, env, stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.end(JSON.stringify(config));
  let stdout = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  return new Promise((resolve) => child.once("close", (exit) => resolve({ exit, stdout })));
}

test("R13 another user is kept out by the socket's mode, and told so", async () => {
  const ipam = { type: "nv-ipam", poolName: "pool1", daemonSocket: `unix://${daemon.socket}`, confDir: "/nonexistent" };
  const config = { cniVersion: "1.1.0", name: "net-a", type: "x", ipam };
  const insideDirectory = await asNobody(config);
  // Even where the directories let everybody through.
  for (const directory of [daemon.directory, join(daemon.directory, "run")]) chmodSync(directory, 0o755);
  const atSocket = await asNobody(config);
  for (const { exit, stdout } of [insideDirectory, atSocket]) {
    assert.is(exit, 1);
    const { code, msg } = JSON.parse(stdout);
    assert.is(code, 11);
    assert.match(msg, daemon.socket);
    assert.match(msg, /permission|not allowed|may not/i);
  }
  assert.equal(await held(), []);
});

test("R3 an ADD that the daemon would answer after its deadline fails in time, and leaves nothing behind", async () => {
  const config = { ipam: { poolName: "pool1", daemonCallTimeoutSeconds: 1 } };
  daemon.signal("SIGSTOP");
  const late = await add("late", { config }).finally(() => daemon.signal("SIGCONT"));
  assert.is(late.exit, 1);
  assert.match(JSON.parse(late.stdout).msg, /did not answer within 1 s/);
  assert.equal(await held(), []);
});

test("addresses and blocks are the same after a stop and after a kill", async () => {
  await add("before");
  const [mine] = await held();
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await daemon.end(signal);
    await daemon.start();
    assert.equal(await held(), [mine]);
    while ((await client.pools()).pools.length < 3) await delay(10);
    const again = await add("before");
    assert.is(JSON.parse(again.stdout).ips[0].address, `${mine}/24`);
  }
  await deleteAll("before");
});

test("ADD and DEL that come while the daemon is restarted are served by the next one", async () => {
  const held = await add("restart-0");
  assert.is(held.exit, 0);
  await daemon.end("SIGKILL");
  const calls = [
    ...["restart-1", "restart-2"].map((container) => add(container)),
    daemon.cni({ command: "DEL", container: "restart-0", config: pool1 }),
  ];
  await daemon.start();
  for (const { exit, stdout } of await Promise.all(calls)) assert.is(exit, 0, stdout);
  await deleteAll("restart-1", "restart-2");
});

test("R2 an address that is held under a pool that was deleted is not dealt by the pool of the same name", async () => {
  const first = JSON.parse((await add("old")).stdout).ips[0].address;
  daemon.writeManifest("pool1.json", { apiVersion: "v1", kind: "List", items: [] });
  while ((await client.pools()).pools.some(({ kind, name }) => `${kind}/${name}` === "IPPool/pool1")) await delay(20);
  assert.match(JSON.parse((await add("meanwhile")).stdout).msg, /there is no IPPool of this name/);
  const same = ipPool("pool1", { subnet: "10.1.0.0/24", perNodeBlockSize: 6, gateway: "10.1.0.1" });
  daemon.writeManifest("pool1.json", same as object);
  while (!(await client.pools()).pools.some(({ kind, name }) => `${kind}/${name}` === "IPPool/pool1")) await delay(20);
  const given = await Promise.all(["n1", "n2", "n3", "n4"].map((container) => add(container)));
  const addresses = given.map(({ stdout }) => JSON.parse(stdout).ips[0].address);
  assert.is(new Set([first, ...addresses]).size, 5);
  assert.is((await add("n5")).exit, 1);
  const findings = (await daemon.inspect("check")).map(({ reason }) => reason);
  assert.ok(findings.includes("FormerPool"), findings.join());
  await deleteAll("old", "n1", "n2", "n3", "n4");
});

test.run();
