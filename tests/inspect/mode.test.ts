/** The command from outside. */
import { spawn } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { need } from "../_need.ts";
import { EXECUTABLE } from "../plugin.ts";
import { type Outcome, runProgram } from "../program.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";
import { schemaErrors } from "./_schema.ts";

need("dist/nv-ipam");

const test = suite("inspect");
const daemon = new StandaloneDaemon({
  manifests: {
    "a.json": ipPool("pool1", {
      subnet: "10.0.0.0/24",
      perNodeBlockSize: 8,
      gateway: "10.0.0.1",
      exclusions: [{ startIP: "10.0.0.3", endIP: "10.0.0.4" }],
    }),
    "b.json": ipPool("pool6", { subnet: "fd00::/48", perNodeBlockSize: 2 ** 31 - 1 }),
  },
});
test.before(async () => {
  await daemon.start();
  while ((await daemon.inspect("pools")).length < 2) await delay(20);
  const args = "K8S_POD_NAME=web;K8S_POD_NAMESPACE=shop;K8S_POD_UID=u-1;IgnoreUnknown=1";
  const config = { ipam: { poolName: "pool1,pool6" }, deviceID: "0000:03:00.2" };
  const podded = await daemon.cni({ command: "ADD", container: "c1", config, args });
  const plain = await daemon.cni({ command: "ADD", container: "c2", config: { ipam: { poolName: "pool1" } } });
  assert.equal([podded.exit, plain.exit], [0, 0]);
});
test.after(() => daemon.remove());

function inspect(...args: readonly string[]): Promise<Outcome> {
  const places = [`--daemon-socket=unix://${daemon.socket}`, `--store-file=${daemon.store}`];
  return runProgram(EXECUTABLE, ["inspect", ...places, ...args]);
}

const DAEMON = { type: "daemon", place: `unix://${daemon.socket}`, node: "node-1" };
const STORE = { type: "store", place: daemon.store, node: "" };
const NO_DAEMON = `no daemon answers; this is what ${daemon.store} holds`;

const reservations = {
  apiVersion: "inspect.nv-ipam.nvidia.com/v1",
  kind: "ReservationList",
  source: DAEMON,
  notes: [],
  items: [
    {
      pool: "pool1",
      poolKind: "IPPool",
      poolUID: "…",
      addresses: ["10.0.0.2"],
      node: "node-1",
      containerID: "c1",
      ifname: "net1",
      pod: { namespace: "shop", name: "web", uid: "u-1" },
      network: "net-a",
      deviceID: "0000:03:00.2",
      how: "dynamic",
      createdAt: "…",
    },
    {
      pool: "pool6",
      poolKind: "IPPool",
      poolUID: "…",
      addresses: ["fd00::1"],
      node: "node-1",
      containerID: "c1",
      ifname: "net1",
      pod: { namespace: "shop", name: "web", uid: "u-1" },
      network: "net-a",
      deviceID: "0000:03:00.2",
      how: "dynamic",
      createdAt: "…",
    },
    {
      pool: "pool1",
      poolKind: "IPPool",
      poolUID: "…",
      addresses: ["10.0.0.5"],
      node: "node-1",
      containerID: "c2",
      ifname: "net1",
      pod: null,
      network: "net-a",
      deviceID: "",
      how: "dynamic",
      createdAt: "…",
    },
  ],
};
const pools = {
  apiVersion: "inspect.nv-ipam.nvidia.com/v1",
  kind: "PoolList",
  source: DAEMON,
  notes: [],
  items: [
    {
      pool: "pool1",
      poolKind: "IPPool",
      uid: "…",
      subnet: "10.0.0.0/24",
      gateway: "10.0.0.1",
      block: { startIP: "10.0.0.1", endIP: "10.0.0.8" },
      addresses: { total: "8", excluded: "3", used: "2", free: "3" },
      lastAddress: "10.0.0.5",
      blocks: null,
      problem: "",
    },
    {
      pool: "pool6",
      poolKind: "IPPool",
      uid: "…",
      subnet: "fd00::/48",
      gateway: "",
      block: { startIP: "fd00::1", endIP: "fd00::7fff:ffff" },
      addresses: { total: "2147483647", excluded: "0", used: "1", free: "2147483646" },
      lastAddress: "fd00::1",
      blocks: null,
      problem: "",
    },
  ],
};
const nothingWrong = {
  apiVersion: "inspect.nv-ipam.nvidia.com/v1",
  kind: "FindingList",
  source: DAEMON,
  notes: [],
  items: [],
};

/** The document with what differs from run to run checked for its shape and taken out. */
function stable(document: { readonly items: readonly Record<string, unknown>[] }): unknown {
  const items = document.items.map((item) => {
    const copy = { ...item };
    for (const [member, shape] of [
      ["poolUID", /^[0-9a-f-]{36}$/],
      ["uid", /^[0-9a-f-]{36}$/],
      ["createdAt", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/],
    ] as const) {
      if (!(member in copy)) continue;
      assert.match(String(copy[member]), shape);
      copy[member] = "…";
    }
    return copy;
  });
  return { ...document, items };
}

const documents = [
  ["pools", pools],
  ["reservations", reservations],
  ["check", nothingWrong],
] as const;

for (const [what, expected] of documents) {
  test(`${what} as JSON and YAML is exactly this document`, async () => {
    const json = await inspect(what, "-o", "json");
    assert.equal([json.exit, json.stderr], [0, ""]);
    assert.equal(stable(JSON.parse(json.stdout)), expected);
    assert.is(schemaErrors(JSON.parse(json.stdout)), "");
    const yaml = await inspect(what, "--output=yaml");
    assert.equal(stable(parse(yaml.stdout)), expected);
  });
}

test("tables are for people, who are told what was read", async () => {
  const table = await inspect("reservations");
  assert.is(table.stderr, `nv-ipam inspect: read from the daemon at unix://${daemon.socket} (node node-1)\n`);
  const [heading, ...rows] = table.stdout.trimEnd().split("\n");
  assert.match(heading ?? "", /^POOL +ADDRESSES +POD +INTERFACE +CONTAINER +NETWORK +HOW +SINCE$/);
  assert.match(rows[0] ?? "", /^pool1 +10\.0\.0\.2 +shop\/web +net1 +c1 +net-a +dynamic +\d{4}-/);
  assert.match(rows[2] ?? "", /^pool1 +10\.0\.0\.5 +- +net1 +c2 +net-a +dynamic +\d{4}-/);
  assert.is((await inspect("check", "--output", "table")).stdout, "nothing wrong found\n");
});

test("a node is what its daemon says", async () => {
  for (const args of [["node"], ["node", "node-1"]]) {
    const { exit, stdout } = await inspect(...args, "-o", "json");
    const report = JSON.parse(stdout);
    assert.equal([exit, schemaErrors(report)], [0, ""]);
    assert.equal([report.kind, report.node, report.resting, report.findings], ["NodeReport", "node-1", [], []]);
    assert.equal(stable({ items: report.pools }), { items: pools.items });
  }
  const other = await inspect("node", "node-2");
  assert.equal([other.exit, other.stdout], [1, ""]);
  assert.match(other.stderr, /is that of node-1; give --kubeconfig to look at node-2/);
});

test("a pod is its interfaces with their pools, addresses and blocks", async () => {
  const { exit, stdout } = await inspect("pod", "shop/web", "-o", "json");
  const report = JSON.parse(stdout);
  assert.equal([exit, schemaErrors(report)], [0, ""]);
  assert.equal([report.node, report.uid, report.interfaces.length], ["node-1", "u-1", 1]);
  const [{ ifname, network, ipam, pools: held }] = report.interfaces;
  assert.equal([ifname, network, ipam], ["net1", "net-a", "nv-ipam"]);
  const facts = ["pool", "addresses", "reserved", "containerID", "how", "problem"] as const;
  assert.equal(
    held.map((pool: Record<string, unknown>) => facts.map((fact) => pool[fact])),
    [
      ["pool1", ["10.0.0.2"], "yes", "c1", "dynamic", ""],
      ["pool6", ["fd00::1"], "yes", "c1", "dynamic", ""],
    ],
  );
  assert.equal(held[0].block, { startIP: "10.0.0.1", endIP: "10.0.0.8" });
  const table = await inspect("pod", "web", "-n", "shop");
  assert.match(table.stdout, /^Pod shop\/web on node-1\n\nINTERFACE +NETWORK +POOL/);
  const nobody = await inspect("pod", "shop/nobody");
  assert.equal([nobody.exit, nobody.stdout], [1, ""]);
  assert.match(nobody.stderr, /node-1 knows no pod shop\/nobody/);
});

const addresses: readonly [address: string, summary: string][] = [
  [
    "10.0.0.1",
    "in the block 10.0.0.1-10.0.0.8 of node-1 in IPPool/pool1, the gateway, that a pod gets only by asking for it; nobody on this node has it",
  ],
  [
    "10.0.0.3",
    "in the block 10.0.0.1-10.0.0.8 of node-1 in IPPool/pool1, excluded, so that a pod gets it only by asking for it; nobody on this node has it",
  ],
  ["10.0.0.7", "in the block 10.0.0.1-10.0.0.8 of node-1 in IPPool/pool1; nobody on this node has it"],
  ["10.0.0.99", "in IPPool/pool1, in no node's block; nobody on this node has it"],
  [
    "10.0.0.255",
    "in IPPool/pool1, in no node's block, the broadcast address, that nobody gets; nobody on this node has it",
  ],
  ["192.0.2.1", "in no pool; nobody on this node has it"],
];
for (const [address, summary] of addresses) {
  test(`${address} is ${summary}`, async () => {
    const { exit, stdout } = await inspect("ip", address, "-o", "json");
    const report = JSON.parse(stdout);
    assert.equal([exit, schemaErrors(report), report.summary], [0, "", `${address}: ${summary}`]);
  });
}

test("an address that is held is told with its holder", async () => {
  const { stdout } = await inspect("ip", "10.0.0.2", "-o", "json");
  const { holders, summary } = JSON.parse(stdout);
  assert.match(summary, /; held \(dynamic\) by container c1 interface net1 of pod shop\/web on node-1 since \d{4}-/);
  assert.is(holders.length, 1);
});

test("the store beside the daemon is shown with its files", async () => {
  const { exit, stdout } = await runProgram(EXECUTABLE, [
    "inspect",
    "store",
    `--store-file=${daemon.store}`,
    "-o",
    "json",
  ]);
  const report = JSON.parse(stdout);
  assert.equal([exit, schemaErrors(report)], [0, ""]);
  assert.equal([report.state, report.content, report.reservations, report.pools], ["whole", "journal", 3, 2]);
  assert.ok(report.files.some(({ name }: { name: string }) => name === "store.journal.1"));
});

test("--watch shows what changes, until it is told to end", async () => {
  const child = spawn(EXECUTABLE, [
    "inspect",
    "pools",
    `--daemon-socket=unix://${daemon.socket}`,
    "-w",
    "--interval=100ms",
  ]);
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
  });
  const until = async (words: RegExp): Promise<void> => {
    for (let waited = 0; !words.test(shown); waited += 20) {
      if (waited > 20_000) throw new Error(shown);
      await delay(20);
    }
  };
  await until(/pool1 .* 2 +3 +3 +-\n/);
  const call = { container: "c3", config: { ipam: { poolName: "pool1" } }, args: "IP=10.0.0.7;IgnoreUnknown=1" };
  assert.is((await daemon.cni({ command: "ADD", ...call })).exit, 0);
  await until(/pool1 .* 3 +2 +3 +-\n/);
  assert.is((await daemon.cni({ command: "DEL", ...call })).exit, 0);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  assert.is(await ended, 0);
  assert.not.match(shown, "\u001b");
});

test("colours are only for terminals", async () => {
  const command = `${EXECUTABLE} inspect pools --daemon-socket=unix://${daemon.socket}`;
  const onTerminal = async (more: Readonly<Record<string, string>>): Promise<string> => {
    const env = { ...process.env, TERM: "xterm", NO_COLOR: "", ...more };
    return (await runProgram(need("script"), ["-qec", command, "/dev/null"], { env })).stdout;
  };
  assert.match(await onTerminal({}), "\u001b[1mKIND\u001b[0m");
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) assert.not.match(await onTerminal(env), "\u001b");
});

test("as kubectl's plugin it is about a cluster, and says what it is called", async () => {
  const plugin = join(daemon.directory, "kubectl-nvipam");
  symlinkSync(EXECUTABLE, plugin);
  const help = await runProgram(plugin, ["--help"]);
  assert.match(help.stdout, /Usage:\n {2}kubectl nvipam \[what\] \[name\] \[flags\]/);
  const pools = await runProgram(plugin, ["pools", `--kubeconfig=${join(daemon.directory, "none")}`]);
  assert.equal([pools.exit, pools.stdout], [1, ""]);
  assert.match(pools.stderr, /^kubectl nvipam: the kubeconfig .*none cannot be read/);
  const local = await runProgram(plugin, ["reservations", `--daemon-socket=unix://${daemon.socket}`, "-o", "json"]);
  assert.is(JSON.parse(local.stdout).items.length, 3);
});

const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ["nothing to show", [], /say what to show: pools, node \[NAME\]/],
  ["an unknown subject", ["nodes"], /nodes: did you mean node\?/],
  ["two subjects", ["pools", "check"], /pools takes no name: leave out check/],
  ["an unknown format", ["pools", "-o", "xml"], /--output=xml: use table, wide, json or yaml/],
  ["an unknown reason", ["check", "--ignore=Resting,OutsideBlok"], /did you mean OutsideBlock\?/],
  ["an unknown severity", ["check", "--fail-on=info"], /use error, warning or never/],
  ["a node and a cluster at once", ["pools", "--context=prod"], /give either/],
  ["an unknown flag", ["pools", "--outptu=json"], /did you mean --output\?/],
];
for (const [what, args, message] of wrong) {
  test(`${what} exits with 2 and one line`, async () => {
    const { exit, stdout, stderr } = await inspect(...args);
    assert.equal([exit, stdout], [2, ""]);
    assert.match(stderr, /^nv-ipam inspect: .*\n$/);
    assert.match(stderr, message);
  });
}

test("--help says what there is", async () => {
  const { exit, stdout } = await inspect("--help");
  assert.is(exit, 0);
  for (const part of ["ip ADDRESS, reservations, check, store", "--output string", "--daemon-socket", "--store-file"]) {
    assert.match(stdout, part);
  }
});

test("a pool in trouble and an address outside its block are found, and the exit code is 1 but for what is not to count", async () => {
  const edited = ipPool("pool6", { subnet: "fd00::/48", perNodeBlockSize: 100 });
  daemon.writeManifest("b.json", edited);
  await daemon.logged("WouldMoveBlocks");
  const { exit, stdout } = await inspect("check", "-o", "json");
  assert.is(exit, 1);
  const [finding] = JSON.parse(stdout).items;
  assert.equal([finding.severity, finding.reason, finding.pool], ["warning", "PoolProblem", "pool6"]);
  assert.is((await inspect("check", "--fail-on=error")).exit, 0);
  const annotations = { "nv-ipam.nvidia.com/allow-reallocation": "true" };
  const moved = ipPool("pool1", { subnet: "10.7.0.0/24", perNodeBlockSize: 8 }) as { metadata: object };
  daemon.writeManifest("a.json", { ...moved, metadata: { ...moved.metadata, annotations } });
  await daemon.logged("10.7.0.1-10.7.0.8");
  const broken = await inspect("check", "-o", "json");
  assert.is(broken.exit, 1);
  assert.is(schemaErrors(JSON.parse(broken.stdout)), "");
  for (const [flag, exit] of [
    ["--fail-on=never", 0],
    ["--ignore=OutsideBlock,PoolProblem", 0],
    ["--ignore=Exhausted", 1],
  ] as const) {
    assert.is((await inspect("check", flag)).exit, exit, flag);
  }
  const outside = JSON.parse(broken.stdout).items.filter(({ reason }: { reason: string }) => reason === "OutsideBlock");
  assert.is(outside.length, 2);
  assert.match(outside[0].message, /10\.0\.0\.2 is held by container c1 interface net1 of pod shop\/web outside/);
});

test("without a daemon the store is shown, and stderr says so", async () => {
  // The daemon's own files, also after a kill.
  await daemon.end("SIGKILL");
  for (const [what, expected] of documents) {
    if (what === "check") continue;
    const { exit, stdout, stderr } = await inspect(what, "-o", "json");
    assert.is(exit, 0);
    assert.is(stderr, `nv-ipam inspect: ${NO_DAEMON}\n`);
    const items = expected.items.map((item) => ("node" in item ? { ...item, node: "" } : item));
    assert.equal(stable(JSON.parse(stdout)), { ...expected, source: STORE, notes: [NO_DAEMON], items });
  }
});

test.run();
