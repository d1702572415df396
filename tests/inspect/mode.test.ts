/** The command from outside: with a daemon, without one, and with what is none. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { need } from "../_need.ts";
import { EXECUTABLE } from "../plugin.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

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

interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

function inspect(...args: readonly string[]): Promise<Outcome> {
  const places = [`--daemon-socket=unix://${daemon.socket}`, `--store-file=${daemon.store}`];
  return new Promise((resolve) => {
    execFile(EXECUTABLE, ["inspect", ...places, ...args], (error, stdout, stderr) => {
      const exit = error === null ? 0 : Number(error.code ?? -1);
      resolve({ exit, stdout, stderr });
    });
  });
}

const reservations = {
  apiVersion: "inspect.nv-ipam.nvidia.com/v1",
  kind: "ReservationList",
  items: [
    {
      pool: "pool1",
      poolKind: "IPPool",
      poolUID: "…",
      addresses: ["10.0.0.2"],
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
      problem: "",
    },
  ],
};
const nothingWrong = { apiVersion: "inspect.nv-ipam.nvidia.com/v1", kind: "FindingList", items: [] };

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
    const yaml = await inspect(what, "--output=yaml");
    assert.equal(stable(parse(yaml.stdout)), expected);
  });
}

test("tables are for people", async () => {
  const table = await inspect("reservations");
  const [heading, ...rows] = table.stdout.trimEnd().split("\n");
  assert.match(heading ?? "", /^POOL +ADDRESSES +POD +INTERFACE +CONTAINER +NETWORK +HOW +SINCE$/);
  assert.match(rows[0] ?? "", /^pool1 +10\.0\.0\.2 +shop\/web +net1 +c1 +net-a +dynamic +\d{4}-/);
  assert.match(rows[2] ?? "", /^pool1 +10\.0\.0\.5 +- +net1 +c2 +net-a +dynamic +\d{4}-/);
  assert.is((await inspect("check", "--output", "table")).stdout, "nothing wrong found\n");
});

const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ["nothing to show", [], /missing required args/],
  ["an unknown subject", ["nodes"], /nodes: use pools, reservations or check/],
  ["two subjects", ["pools", "check"], /check/],
  ["an unknown format", ["pools", "-o", "xml"], /--output=xml: use table, json or yaml/],
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
  for (const part of ["pools, reservations or check", "--output string", "--daemon-socket", "--store-file"]) {
    assert.match(stdout, part);
  }
});

test("a pool in trouble and an address outside its block are found, and the exit code is 1 for errors only", async () => {
  const edited = ipPool("pool6", { subnet: "fd00::/48", perNodeBlockSize: 100 });
  daemon.writeManifest("b.json", edited);
  await daemon.logged("WouldMoveBlocks");
  const { exit, stdout } = await inspect("check", "-o", "json");
  assert.is(exit, 0);
  const [finding] = JSON.parse(stdout).items;
  assert.equal([finding.severity, finding.reason, finding.pool], ["warning", "PoolProblem", "pool6"]);
  const annotations = { "nv-ipam.nvidia.com/allow-reallocation": "true" };
  const moved = ipPool("pool1", { subnet: "10.7.0.0/24", perNodeBlockSize: 8 }) as { metadata: object };
  daemon.writeManifest("a.json", { ...moved, metadata: { ...moved.metadata, annotations } });
  await daemon.logged("10.7.0.1-10.7.0.8");
  const broken = await inspect("check", "-o", "json");
  assert.is(broken.exit, 1);
  const outside = JSON.parse(broken.stdout).items.filter(({ reason }: { reason: string }) => reason === "OutsideBlock");
  assert.is(outside.length, 2);
  assert.match(outside[0].message, /10\.0\.0\.2 is held by container c1 interface net1 of pod shop\/web outside/);
});

async function answering(server: Server, path: string, work: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await work();
  } finally {
    server.close();
  }
}

test("what answers garbage instead of a daemon is an error, and the store is not shown for it", async () => {
  const path = join(daemon.directory, "garbage.sock");
  const garbage = createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await answering(garbage, path, async () => {
    const { exit, stdout, stderr } = await inspect("pools", `--daemon-socket=unix://${path}`);
    assert.equal([exit, stdout], [1, ""]);
    assert.match(stderr, /^nv-ipam inspect: .*garbage\.sock.*\n$/);
  });
});

test("a daemon that does not answer is an error after ten seconds", async () => {
  const path = join(daemon.directory, "silent.sock");
  const silent = createServer((socket) => socket.on("error", () => undefined).resume());
  await answering(silent, path, async () => {
    const { exit, stderr } = await inspect("reservations", `--daemon-socket=unix://${path}`);
    assert.is(exit, 1);
    assert.match(stderr, /did not answer within 10 s/);
  });
});

test("without a daemon the store is shown, and stderr says so", async () => {
  // The daemon's own files, also after a kill.
  await daemon.end("SIGKILL");
  for (const [what, expected] of documents) {
    const { exit, stdout, stderr } = await inspect(what, "-o", "json");
    assert.is(exit, 0);
    assert.is(stderr, `nv-ipam inspect: no daemon answers; this is what ${daemon.store} holds\n`);
    assert.equal(stable(JSON.parse(stdout)), expected);
  }
});

test("without a daemon a damaged store is an error that check finds", async () => {
  for (const name of readdirSync(dirname(daemon.store)).filter((file) => /snapshot|journal/.test(file))) {
    const path = join(dirname(daemon.store), name);
    const bytes = readFileSync(path);
    bytes.fill("!", 10, 40);
    writeFileSync(path, bytes);
  }
  const { exit, stdout } = await inspect("check", "-o", "json");
  assert.is(exit, 1);
  const [finding] = JSON.parse(stdout).items;
  assert.equal([finding.severity, finding.reason], ["error", "NotServing"]);
  assert.match(finding.message, `the store ${daemon.store} is damaged; nv-ipam store repair mends it`);
});

test("without a daemon and a store both are told", async () => {
  const { exit, stdout, stderr } = await inspect("pools", "--store-file=/nonexistent/store");
  assert.equal([exit, stdout], [1, ""]);
  assert.match(stderr, daemon.socket);
  assert.match(stderr, "nor is there a store at /nonexistent/store");
});

test.run();
