/** The CNI project's main plugins and cnitool call the installed plugin, in network namespaces of the test's own. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need, PEERS_BIN } from "../_need.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

need("root");
need("ip");
for (const tool of ["bridge", "macvlan", "ipvlan", "ptp", "cnitool"] as const) need(tool);

const run = promisify(execFile);
const name = `nvt${process.pid}`;
const [host, a, b] = [`${name}h`, `${name}a`, `${name}b`] as const;

interface CniResult {
  readonly cniVersion: string;
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
  readonly [member: string]: unknown;
}

interface Outcome {
  readonly exit: number | null;
  readonly stdout: string;
}

/** Runs a program in the namespace that plays the host, with a CNI configuration on stdin. */
function inHost(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  stdin = "",
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn("ip", ["netns", "exec", host, program, ...args], {
      env: { PATH: process.env.PATH ?? "", ...env },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on("error", () => undefined).end(stdin);
    child.once("error", reject).once("close", (exit) => resolve({ exit, stdout: stdout || stderr }));
  });
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
  // The master of macvlan and ipvlan: one end of a pair, the other end being what a switch would be.
  await ip("link", "add", "master0", "type", "veth", "peer", "name", "switch0");
  await ip("link", "set", "master0", "up");
  await ip("link", "set", "switch0", "up");
  await ip("link", "set", "lo", "up");
  await daemon.start();
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

const plugins: readonly {
  readonly type: string;
  readonly config: Record<string, unknown>;
  readonly prefixes?: readonly number[];
}[] = [
  { type: "bridge", config: { bridge: "nvbr0", isDefaultGateway: false } },
  { type: "macvlan", config: { master: "master0", mode: "bridge" } },
  { type: "ipvlan", config: { master: "master0", mode: "l2" } },
  // ptp puts a host route for each address, so that the namespace's own has no network.
  { type: "ptp", config: {}, prefixes: [16, 64] },
];

for (const { type, config } of plugins) {
  main(`${type} adds, checks and deletes interfaces with our addresses, which reach each other`, async () => {
    const network = { cniVersion: "1.1.0", name: `net-${type}`, type, ...config, ipam: ipam() };
    const call = (command: string, container: string, namespace: string, extra: Record<string, unknown> = {}) =>
      inHost(
        join(PEERS_BIN, type),
        [],
        environment(command, container, namespace),
        JSON.stringify({ ...network, ...extra }),
      );
    const results: CniResult[] = [];
    for (const [container, namespace] of [
      ["ca", a],
      ["cb", b],
    ] as const) {
      const added = await call("ADD", container, namespace);
      assert.is(added.exit, 0, added.stdout);
      const result = JSON.parse(added.stdout) as CniResult;
      results.push(result);
      assert.equal([...(await addressesIn(namespace))].sort(), result.ips.map(({ address }) => address).sort());
      const checked = await call("CHECK", container, namespace, { prevResult: result });
      assert.is(checked.exit, 0, checked.stdout);
    }
    assert.is(await reservations(), 4);
    for (const { address } of results[1]?.ips ?? []) {
      const target = address.split("/")[0] ?? "";
      const { stdout } = await run("ip", ["netns", "exec", a, "ping", "-c", "1", "-W", "10", target]);
      assert.match(stdout, /1 received/);
    }
    for (const [container, namespace] of [
      ["ca", a],
      ["cb", b],
    ] as const) {
      const deleted = await call("DEL", container, namespace);
      assert.is(deleted.exit, 0, deleted.stdout);
    }
    assert.is(await reservations(), 0);
  });

  main(`${type} passes STATUS and GC on, and what is not valid any more is freed`, async () => {
    const network = { cniVersion: "1.1.0", name: `net-${type}`, type, ...config, ipam: ipam() };
    const call = (command: string, extra: Record<string, unknown> = {}) =>
      inHost(join(PEERS_BIN, type), [], environment(command, "ca", a), JSON.stringify({ ...network, ...extra }));
    const status = await call("STATUS");
    assert.is(status.exit, 0, status.stdout);
    const added = await call("ADD");
    assert.is(added.exit, 0, added.stdout);
    const kept = await call("GC", { "cni.dev/valid-attachments": [{ containerID: "ca", ifname: "net1" }] });
    assert.is(kept.exit, 0, kept.stdout);
    assert.is(await reservations(), 2);
    const freed = await call("GC", { "cni.dev/valid-attachments": [] });
    assert.is(freed.exit, 0, freed.stdout);
    assert.is(await reservations(), 0);
    assert.is((await call("DEL")).exit, 0);
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
    assert.is(outcome.exit, 0, `cnitool ${args.join(" ")}: ${outcome.stdout}`);
    return outcome.stdout;
  };
  const namespace = `/var/run/netns/${a}`;
  const result = JSON.parse(await tool("add", "tool-net", namespace)) as CniResult;
  assert.is(result.ips.length, 2);
  await tool("check", "tool-net", namespace);
  await tool("status", "tool-net", namespace);
  assert.is(await reservations(), 2);
  await tool("gc", "tool-net", namespace);
  assert.is(await reservations(), 0, "GC without valid attachments frees all of the network");
  await tool("del", "tool-net", namespace);
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
  const away = JSON.parse((await call({ daemonSocket: "unix:///nowhere/daemon.sock" })).stdout);
  assert.is(away.code, 11);
  assert.match(away.msg, /\/nowhere\/daemon\.sock/);
});

main.run();
