/** The command from outside: flags, and what ends it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { DaemonClient } from "../daemon_client.ts";
import { ipPool } from "../standalone_daemon.ts";
import { Process, run } from "./_process.ts";

need("dist/nv-ipam");

interface Place {
  directory: string;
  socket: string;
  store: string;
  flags: readonly string[];
  processes: Process[];
}

const test = suite<Place>("standalone");
test.before.each((place) => {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-mode-"));
  const [socket, store, pools] = ["daemon.sock", "state/store", "pools"].map((name) => join(directory, name));
  mkdirSync(join(directory, "pools"));
  const pool = ipPool("pool1", { subnet: "10.0.0.0/24", perNodeBlockSize: 8 });
  writeFileSync(join(directory, "pools", "a.json"), JSON.stringify(pool));
  const flags = [
    `--pools=${pools}`,
    "--node-name=node-1",
    `--store-file=${store}`,
    `--bind-address=unix://${socket}`,
    "--cni-skip-nv-ipam-binary-copy",
    "--cni-skip-nv-ipam-config-creation",
  ];
  Object.assign(place, { directory, socket, store, flags, processes: [] });
});
test.after.each(async ({ directory, processes }) => {
  for (const { child, ended } of processes) {
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(directory, { recursive: true });
});

async function start(place: Place, more: readonly string[] = [], options = {}): Promise<Process> {
  const started = new Process(["standalone", ...place.flags, ...more], options);
  place.processes.push(started);
  await started.logged("This node's block");
  return started;
}

async function assertServes({ socket }: Place): Promise<void> {
  const client = new DaemonClient(`unix://${socket}`);
  assert.is((await client.allocate({ pools: ["pool1"], container: "c1" })).length, 1);
  await client.deallocate({ pools: ["pool1"], container: "c1" });
  client.close();
}

test("--help shows every group of flags and exits with 0", async () => {
  const { exit, stdout, stderr } = await run("standalone", "--help");
  assert.equal([exit, stderr], [0, ""]);
  for (const part of [
    "--pools string",
    "--nodes string",
    "--block-release-delay duration",
    "--node-name",
    "--v Level",
  ]) {
    assert.match(stdout, part);
  }
});

const wrong: readonly [what: string, args: readonly string[], message: RegExp][] = [
  ["no directory", ["--node-name=a"], /--pools is needed/],
  ["no node name", ["--pools=/x"], /--node-name=: name this node/],
  ["a node name in capitals", ["--pools=/x", "--node-name=A"], /--node-name=A: name this node/],
  ["an unknown flag", ["--poolz=/x"], /unknown flag --poolz: did you mean --pools\?/],
  ["a flag without its value", ["--pools"], /--pools needs a value/],
  ["an argument", ["--pools=/x", "--node-name=a", "extra"], /extra/],
  ["a delay without unit", ["--block-release-delay=5"], /this is no duration/],
  ["a store file without a name", ["--pools=/x", "--node-name=a", "--store-file="], /--store-file=: name a file/],
  ["a negative delay", ["--pools=/x", "--node-name=a", "--block-release-delay=-1s"], /cannot be negative/],
  ["an unknown log format", ["--pools=/x", "--node-name=a", "--logging-format=xml"], /use text or json/],
];
for (const [what, args, message] of wrong) {
  test(`${what} exits with 2 and one line`, async () => {
    const { exit, stdout, stderr } = await run("standalone", ...args);
    assert.equal([exit, stdout], [2, ""]);
    assert.match(stderr, /^nv-ipam standalone: .*\n$/);
    assert.match(stderr, message);
  });
}

test("R13 tcp beyond loopback exits with 1 and touches nothing", async ({ flags, store }) => {
  const { exit, stderr } = await run("standalone", ...flags, "--bind-address=tcp://0.0.0.0:0");
  assert.is(exit, 1);
  assert.match(stderr, "--allow-insecure-bind");
  assert.throws(() => readFileSync(`${store}.lock`), /ENOENT/);
});

test("R13 a second daemon on the store exits with 1 and names the lock, and the first goes on", async (place) => {
  await start(place);
  const { exit, stderr } = await run(
    "standalone",
    ...place.flags,
    `--bind-address=unix://${place.directory}/other.sock`,
  );
  assert.is(exit, 1);
  assert.match(stderr, `${place.store}.lock`);
  await assertServes(place);
});

test("R2 a damaged state file exits with 1, says what to do, and leaves all as it is", async (place) => {
  const first = await start(place);
  first.child.kill("SIGTERM");
  assert.is((await first.ended).exit, 0);
  writeFileSync(`${place.store}.pools`, "{");
  const { exit, stderr } = await run("standalone", ...place.flags);
  assert.is(exit, 1);
  assert.match(stderr, `${place.store}.pools: is damaged; restore it from a backup, or move it away`);
  assert.is(readFileSync(`${place.store}.pools`, "utf8"), "{");
});

test("a directory that cannot be written for the plugin is told, and serving goes on", async (place) => {
  const binDir = join(place.directory, "pools", "a.json", "bin");
  const daemon = await start(place, ["--cni-skip-nv-ipam-binary-copy=false", `--cni-bin-dir=${binDir}`]);
  await daemon.logged("The plugin could not be installed");
  assert.match(daemon.stderr, `${binDir}/nv-ipam`);
  assert.match(daemon.stderr, "--cni-bin-dir");
  await assertServes(place);
});

test("neither start nor stop waits for an installation that hangs", async (place) => {
  // Nobody writes into the pipe that is to be copied.
  const pipe = join(place.directory, "pipe");
  spawnSync("mkfifo", [pipe]);
  const binDir = `--cni-bin-dir=${join(place.directory, "bin")}`;
  const copy = ["--cni-skip-nv-ipam-binary-copy=false", `--cni-nv-ipam-bin-file=${pipe}`, binDir];
  const daemon = await start(place, copy);
  await assertServes(place);
  daemon.child.kill("SIGTERM");
  await daemon.logged('"Stopped"');
  assert.throws(() => readFileSync(place.socket), /ENOENT/);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} stops it cleanly although a client keeps its connection`, async (place) => {
    const daemon = await start(place);
    const client = new DaemonClient(`unix://${place.socket}`);
    await client.status();
    daemon.child.kill(signal);
    const { exit, stderr } = await daemon.ended;
    client.close();
    assert.is(exit, 0);
    assert.match(stderr, /"Stopped"\n$/);
    assert.throws(() => readFileSync(place.socket), /ENOENT/);
  });
}

test("a signal that comes while it starts stops it as well", async (place) => {
  const daemon = new Process(["standalone", ...place.flags]);
  place.processes.push(daemon);
  await daemon.logged('"Starting"');
  daemon.child.kill("SIGTERM");
  assert.is((await daemon.ended).exit, 0);
});

test("it goes on when nobody reads its log any more", async (place) => {
  const daemon = await start(place, ["-v=4"]);
  daemon.child.stderr?.destroy();
  await assertServes(place);
  await assertServes(place);
  assert.is(daemon.child.exitCode, null);
});

test("R13 it goes on when its file descriptors are used up", async (place) => {
  const limit = ["sh", "-c", 'ulimit -n 40; exec "$0" "$@"'];
  const daemon = await start(place, [], { enter: limit });
  const sockets = Array.from({ length: 100 }, () => connect({ path: place.socket }).on("error", () => undefined));
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const socket of sockets) socket.destroy();
  await assertServes(place);
  assert.is(daemon.child.exitCode, null);
  assert.ok(daemon.stderr.length < 100_000, `${daemon.stderr.length} characters were logged`);
});

test("R13 NODE_OPTIONS, NODE_PATH, NODE_EXTRA_CA_CERTS and OPENSSL_CONF change nothing of the daemon", async (place) => {
  const { directory } = place;
  const marker = join(directory, "was-here");
  writeFileSync(join(directory, "evil.cjs"), `require("fs").writeFileSync(${JSON.stringify(marker)}, "")`);
  mkdirSync(join(directory, "modules/consola"), { recursive: true });
  writeFileSync(join(directory, "modules/consola/index.js"), `require(${JSON.stringify(join(directory, "evil.cjs"))})`);
  writeFileSync(join(directory, "openssl.cnf"), "nodejs_conf = section\n[section]\nproviders = none\n[broken\n");
  writeFileSync(join(directory, "ca.pem"), rootCertificates[0] ?? "");
  const env = {
    NODE_OPTIONS: `--require ${join(directory, "evil.cjs")}`,
    NODE_PATH: join(directory, "modules"),
    NODE_EXTRA_CA_CERTS: join(directory, "ca.pem"),
    OPENSSL_CONF: join(directory, "openssl.cnf"),
  };
  const daemon = await start(place, [], { env });
  await assertServes(place);
  assert.throws(() => readFileSync(marker), /ENOENT/);
  const environment = readFileSync(`/proc/${daemon.child.pid}/environ`, "utf8");
  assert.match(environment, "NODE_OPTIONS");
  assert.not.match(environment, "NODE_EXTRA_CA_CERTS");
});

test("R10 an address of the block of another node in the nodes' file is refused, unless the flag allows it", async (place) => {
  const nodes = join(place.directory, "nodes.yaml");
  writeFileSync(nodes, "- node-1\n- node-2\n");
  for (const [flags, expected] of [
    [[], "INVALID_ARGUMENT"],
    [["--allow-static-ip-in-other-blocks"], "10.0.0.12/24"],
  ] as const) {
    const daemon = await start(place, [`--nodes=${nodes}`, ...flags]);
    const client = new DaemonClient(`unix://${place.socket}`);
    const asked = client.allocate({ pools: ["pool1"], container: "c1", requested: ["10.0.0.12"] });
    assert.is(await asked.then(String, ({ status }) => status), expected);
    client.close();
    daemon.child.kill("SIGTERM");
    await daemon.ended;
  }
});

test("with --logging-format=json each line of the log is JSON", async (place) => {
  const daemon = await start(place, ["--logging-format=json", "-v=4"]);
  await assertServes(place);
  daemon.child.kill("SIGTERM");
  const lines = (await daemon.ended).stderr.trimEnd().split("\n");
  const answered = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "Answered");
  assert.equal(
    answered.map(({ method, status }) => `${method} ${status}`),
    ["Allocate OK", "Deallocate OK"],
  );
});

test.run();
