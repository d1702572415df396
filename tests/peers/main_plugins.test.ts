/** The CNI project's main plugins and cnitool call the installed plugin, in network namespaces of the test's own. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { type FoundAttachment, readLibcniCache } from "../../src/lib/node/libcni_cache.ts";
import { need, PEERS_BIN } from "../_need.ts";
import { type Outcome, runProgram } from "../program.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

need("root");
need("ip");
need("ping");
for (const tool of ["bridge", "macvlan", "ipvlan", "ptp", "cnitool"] as const) need(tool);

const run = promisify(execFile);
const name = `nvt${process.pid}`;
const [host, a, b] = [`${name}h`, `${name}a`, `${name}b`] as const;

interface CniResult {
  readonly cniVersion: string;
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
  readonly [member: string]: unknown;
}

/** Runs a program in the namespace that plays the host, with a CNI configuration on stdin. */
function inHost(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  input = "",
): Promise<Outcome> {
  return runProgram("ip", ["netns", "exec", host, program, ...args], { env, input });
}

function said({ stdout, stderr }: Outcome): string {
  return `${stdout}${stderr}`;
}

const main = suite("main plugins");
const daemon = new StandaloneDaemon({
  manifests: {
    "pools.yaml": [
      ipPool("pool4", { subnet: "10.244.0.0/16", perNodeBlockSize: 100, gateway: "10.244.0.1" }),
      ipPool("pool6", { subnet: "fd00:244::/64", perNodeBlockSize: 100, gateway: "fd00:244::1" }),
    ]
      .map((manifest) => JSON.stringify(manifest))
      .join("\n---\n"),
  },
});

main.before(async () => {
  for (const namespace of [host, a, b]) await run("ip", ["netns", "add", namespace]);
  const ip = (...args: string[]) => run("ip", ["-n", host, ...args]);
  // The masters of macvlan and ipvlan: one end of a pair, the other end being what a switch would be.
  for (const number of [0, 1]) {
    await ip("link", "add", `master${number}`, "type", "veth", "peer", "name", `switch${number}`);
    await ip("link", "set", `master${number}`, "up");
    await ip("link", "set", `switch${number}`, "up");
  }
  await ip("link", "set", "lo", "up");
  await daemon.start();
});

main.after.each(async () => {
  // What a failed test leaves would fail the next one too.
  for (const namespace of [a, b]) await run("ip", ["-n", namespace, "link", "delete", "net1"]).catch(() => undefined);
});

main.after(async () => {
  await daemon.remove();
  for (const namespace of [host, a, b]) await run("ip", ["netns", "delete", namespace]).catch(() => undefined);
});

const ipam = () => ({ type: "nv-ipam", poolName: "pool4,pool6", confDir: daemon.conf });

function environment(command: string, container: string, namespace: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/var/run/netns/${namespace}`,
    CNI_IFNAME: "net1",
    CNI_PATH: `${daemon.bin}:${PEERS_BIN}`,
  };
}

async function addressesIn(namespace: string): Promise<readonly string[]> {
  const { stdout } = await run("ip", ["-n", namespace, "-j", "address", "show", "dev", "net1"]);
  const [link] = JSON.parse(stdout) as { addr_info: { local: string; prefixlen: number; scope: string }[] }[];
  return (link?.addr_info ?? [])
    .filter(({ scope }) => scope === "global")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

async function reservations(): Promise<number> {
  return (await daemon.inspect("reservations")).length;
}

/** What libcni, where cnitool has it, remembers of a network. */
async function cachedOf(network: string): Promise<readonly FoundAttachment[]> {
  const found: FoundAttachment[] = [];
  for await (const each of readLibcniCache(["/var/lib/cni"])) {
    if (each.ok && each.value.network === network) found.push(each.value);
  }
  return found;
}

interface MainPlugin {
  readonly type: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const plugins: readonly MainPlugin[] = [
  { type: "bridge", config: { bridge: "nvbr0" } },
  { type: "macvlan", config: { master: "master0", mode: "bridge" } },
  { type: "ptp", config: {} },
];
const ipvlan: MainPlugin = { type: "ipvlan", config: { master: "master1", mode: "l2" } };

function caller({ type, config }: MainPlugin, container: string, namespace: string) {
  const network = { cniVersion: "1.1.0", name: `net-${type}`, type, ...config, ipam: ipam() };
  return (command: string, extra: Record<string, unknown> = {}) =>
    inHost(
      join(PEERS_BIN, type),
      [],
      environment(command, container, namespace),
      JSON.stringify({ ...network, ...extra }),
    );
}

async function wholeLife(plugin: MainPlugin): Promise<void> {
  const callA = caller(plugin, "ca", a);
  const callB = caller(plugin, "cb", b);
  let others: CniResult["ips"] = [];
  for (const [call, namespace] of [
    [callA, a],
    [callB, b],
  ] as const) {
    const added = await call("ADD");
    assert.is(added.exit, 0, said(added));
    const result = JSON.parse(added.stdout) as CniResult;
    others = result.ips;
    assert.equal([...(await addressesIn(namespace))].sort(), result.ips.map(({ address }) => address).sort());
    const checked = await call("CHECK", { prevResult: result });
    assert.is(checked.exit, 0, said(checked));
  }
  assert.is(await reservations(), 4);
  for (const { address } of others) {
    const { stdout } = await run("ip", [
      "netns",
      "exec",
      a,
      "ping",
      "-c",
      "1",
      "-W",
      "10",
      address.split("/")[0] ?? "",
    ]);
    assert.match(stdout, /1 received/);
  }
  for (const call of [callA, callB]) {
    const deleted = await call("DEL");
    assert.is(deleted.exit, 0, said(deleted));
  }
  assert.is(await reservations(), 0);
}

for (const plugin of plugins) {
  main(`${plugin.type} adds, checks and deletes interfaces with our addresses, which reach each other`, () =>
    wholeLife(plugin),
  );
}

main("ipvlan does the same where the kernel has it", async () => {
  const made = await run("ip", ["-n", host, "link", "add", "probe0", "link", "master1", "type", "ipvlan"]).then(
    () => true,
    () => false,
  );
  if (made) {
    await run("ip", ["-n", host, "link", "delete", "probe0"]);
    await wholeLife(ipvlan);
    return;
  }
  console.log("left out: this kernel has no ipvlan, so only its DEL reaches our plugin");
  const deleted = await caller(ipvlan, "ca", a)("DEL");
  assert.is(deleted.exit, 0, said(deleted));
});

for (const plugin of [...plugins, ipvlan]) {
  main(`${plugin.type} passes STATUS on, and says what is missing when the daemon is away`, async () => {
    const call = caller(plugin, "ca", a);
    const ready = await call("STATUS");
    assert.is(ready.exit, 0, said(ready));
    const away = await call("STATUS", { ipam: { ...ipam(), daemonSocket: "unix:///nowhere/daemon.sock" } });
    assert.is(away.exit, 1);
    assert.match(said(away), /\/nowhere\/daemon\.sock/);
  });
}

main("cnitool adds, checks, deletes and collects garbage through a configuration list", async () => {
  const directory = join(daemon.directory, "net.d");
  mkdirSync(directory);
  const list = { cniVersion: "1.1.0", name: "tool-net", plugins: [{ type: "bridge", bridge: "nvbr1", ipam: ipam() }] };
  writeFileSync(join(directory, "10-tool-net.conflist"), JSON.stringify(list));
  const tool = async (...args: string[]) => {
    const env = { NETCONFPATH: directory, CNI_PATH: `${daemon.bin}:${PEERS_BIN}`, CNI_IFNAME: "net1" };
    const outcome = await inHost(join(PEERS_BIN, "cnitool"), args, env);
    assert.is(outcome.exit, 0, `cnitool ${args.join(" ")}: ${said(outcome)}`);
    return outcome.stdout;
  };
  const namespace = `/var/run/netns/${a}`;
  const result = JSON.parse(await tool("add", "tool-net", namespace)) as CniResult;
  assert.is(result.ips.length, 2);
  const [cached, ...further] = await cachedOf("tool-net");
  assert.equal(further, []);
  assert.is(cached?.attachment.ifname, "net1");
  assert.equal(
    cached?.addresses.map(formatAddress),
    result.ips.map(({ address }) => address.split("/")[0]),
  );
  assert.equal(cached?.request.pools, ["pool4", "pool6"]);
  await tool("check", "tool-net", namespace);
  await tool("status", "tool-net", namespace);
  assert.is(await reservations(), 2);
  await tool("del", "tool-net", namespace);
  assert.equal(await cachedOf("tool-net"), []);
  assert.is(await reservations(), 0);
  await tool("add", "tool-net", namespace);
  // libcni deletes what its cache knows and the caller does not name.
  await tool("gc", "tool-net", namespace);
  assert.is(await reservations(), 0);
});

main("an unknown pool and a daemon that is away are told through the main plugin", async () => {
  const network = { cniVersion: "1.1.0", name: "net-x", type: "bridge", bridge: "nvbr0" };
  const call = (extra: Record<string, unknown>) =>
    inHost(
      join(PEERS_BIN, "bridge"),
      [],
      environment("ADD", "cx", a),
      JSON.stringify({ ...network, ipam: { ...ipam(), ...extra } }),
    );
  const unknown = JSON.parse((await call({ poolName: "nope" })).stdout);
  assert.match(unknown.msg, /IPPool "nope"/);
  // The bridge plugin leaves its interface behind when IPAM fails.
  await run("ip", ["-n", a, "link", "delete", "net1"]);
  const away = JSON.parse((await call({ daemonSocket: "unix:///nowhere/daemon.sock" })).stdout);
  assert.match(away.msg, /\/nowhere\/daemon\.sock/);
});

main.run();
