/**
 * The executable from outside: what role it takes, and what it does not listen to. Where a role must say what it sees, one is
 * built in that the product does not have; all else is as in the product.
 */
import { type SpawnSyncOptions, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readBuildInfo, roleNames } from "../../scripts/_bundle.ts";
import { writeExecutable } from "../../scripts/_executable.ts";
import { productParts } from "../../scripts/_product.ts";
import { need } from "../_need.ts";

const PRODUCT = need("dist/nv-ipam");
const SCRIPT = need("script");
need("strip");

const PROBES = new Map([
  ["controller", `exports.run = async (args) => console.log(JSON.stringify(["controller", ...args]))`],
  ["node", `exports.run = async (args) => console.log(JSON.stringify(["node", ...args]))`],
  ["certificates", `exports.run = async () => console.log(require("node:tls").getCACertificates("extra").length)`],
  ["process", `exports.run = async (args) => console.log(JSON.stringify([process.pid, process.argv0, ...args]))`],
  ["require", `exports.run = async () => { try { require("evil") } catch (e) { console.log(e.code) } }`],
  ["warning", `exports.run = async () => process.emitWarning("be warned")`],
  ["status", `exports.run = async () => 7`],
  ["throws", `exports.run = async () => { throw new Error("one\\n  two") }`],
  ["throws-later", `exports.run = () => new Promise(() => setImmediate(() => { throw new Error("late") }))`],
  ["throws-at-once", `throw new Error("early")`],
]);

const test = suite("executable");
const dir = mkdtempSync(join(tmpdir(), "nv-ipam-executable-"));
const probe = join(dir, "nv-ipam");
await writeExecutable(await productParts(readBuildInfo(), "x64", PROBES), probe);
test.after(() => rmSync(dir, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(path: string, args: readonly string[], options: SpawnSyncOptions = {}): Outcome {
  const env = { PATH: process.env.PATH ?? "", ...options.env };
  const { status, stdout, stderr } = spawnSync(path, args, { ...options, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

/** Asserts that the variable changes plain Node and nothing of the executable, in any role. */
function assertIgnored(env: NodeJS.ProcessEnv, doesAffect: (plain: Outcome) => boolean): void {
  const plain = run(process.execPath, ["-e", ""], { env });
  assert.ok(doesAffect(plain), `plain Node is not affected: ${JSON.stringify(plain)}`);
  for (const [args, more] of [
    [[], { CNI_COMMAND: "VERSION" }],
    [["version"], {}],
    [["install", "--help"], {}],
  ] as const) {
    assert.equal(run(PRODUCT, args, { env: { ...env, ...more } }), run(PRODUCT, args, { env: more }));
  }
}

test("V8 takes the code caches that the build made", async () => {
  const { assets, arch } = await productParts(readBuildInfo(), "x64");
  const main = `
    const { getAssetKeys, getRawAsset } = require("node:sea");
    const { Script } = require("node:vm");
    for (const filename of getAssetKeys().filter((name) => !name.endsWith(".cache"))) {
      const code = Buffer.from(getRawAsset(filename)).toString("latin1");
      const cachedData = Buffer.from(getRawAsset(filename + ".cache"));
      if (cachedData.length === 0 || new Script(code, { filename, cachedData }).cachedDataRejected) console.log(filename);
      else console.log("ok");
    }
  `;
  await writeExecutable({ main, assets, arch }, join(dir, "cache-probe"));
  assert.is(run(join(dir, "cache-probe"), []).stdout, "ok\n".repeat(1 + roleNames().length));
});

test("R13 NODE_OPTIONS loads no code into any role", () => {
  const evil = join(dir, "evil.cjs");
  writeFileSync(evil, `console.log("evil")`);
  assertIgnored({ NODE_OPTIONS: `--require ${evil}` }, ({ stdout }) => stdout === "evil\n");
});

test("R13 a NODE_OPTIONS that Node refuses stops no role", () => {
  assertIgnored({ NODE_OPTIONS: "--no-such-option" }, ({ status }) => status !== 0);
});

test("R13 OPENSSL_CONF is not read in any role", () => {
  const conf = join(dir, "openssl.cnf");
  writeFileSync(conf, "nodejs_conf = section\n[section]\nproviders = none\n[broken\n");
  assertIgnored({ OPENSSL_CONF: conf }, ({ status }) => status !== 0);
});

test("R13 NODE_PATH brings no module into a role", () => {
  mkdirSync(join(dir, "modules/evil"), { recursive: true });
  writeFileSync(join(dir, "modules/evil/index.js"), `console.log("evil")`);
  const env = { NODE_PATH: join(dir, "modules") };
  assert.is(run(process.execPath, ["-e", `require("evil")`], { env }).stdout, "evil\n");
  assert.equal(run(probe, ["require"], { env }), { status: 0, stdout: "MODULE_NOT_FOUND\n", stderr: "" });
});

test("R13 NODE_EXTRA_CA_CERTS brings no certificate into a role", () => {
  const file = join(dir, "ca.pem");
  writeFileSync(file, rootCertificates[0] ?? "");
  const env = { NODE_EXTRA_CA_CERTS: file };
  const script = `console.log(require("node:tls").getCACertificates("extra").length)`;
  assert.is(run(process.execPath, ["-e", script], { env }).stdout, "1\n");
  assert.equal(run(probe, ["certificates"], { env }), { status: 0, stdout: "0\n", stderr: "" });
});

test("R13 a role that starts anew without NODE_EXTRA_CA_CERTS keeps its process, name and arguments", () => {
  const env = { NODE_EXTRA_CA_CERTS: join(dir, "absent.pem") };
  const { stdout } = run("bash", ["-c", `echo $$; exec -a renamed "$0" process "a b" --x`, probe], { env });
  const [pid, seen] = stdout.split("\n");
  assert.equal(JSON.parse(seen ?? ""), [Number(pid), "renamed", "a b", "--x"]);
});

const NAMES = [
  { name: "ipam-controller", role: "controller" },
  { name: "/nv-ipam-controller", role: "controller" },
  { name: "/usr/bin/ipam-node", role: "node" },
  { name: "nv-ipam-node", role: "node" },
];
for (const { name, role } of NAMES) {
  test(`called ${name} it is the ${role}, and all arguments are that role's`, () => {
    const { stdout } = run(probe, ["version", "--v=1"], { argv0: name });
    assert.equal(JSON.parse(stdout), [role, "version", "--v=1"]);
  });
}

test("with CNI_COMMAND it is the plugin, whatever its name and arguments are", () => {
  const options = { argv0: "ipam-node", env: { CNI_COMMAND: "VERSION" } };
  assert.is(JSON.parse(run(probe, ["controller"], options).stdout).cniVersion, "1.1.0");
});

test("with an empty CNI_COMMAND it is not the plugin", () => {
  assert.equal(run(probe, ["status"], { env: { CNI_COMMAND: "" } }), { status: 7, stdout: "", stderr: "" });
});

test("a role's status is the exit status", () => {
  assert.is(run(probe, ["status"]).status, 7);
});

test("an unknown role is an error that names the closest", () => {
  assert.equal(run(PRODUCT, ["instal"]), {
    status: 2,
    stdout: "",
    stderr: `nv-ipam: unknown command "instal": did you mean install?\n`,
  });
});

test("an unknown role that resembles none is an error that lists all", () => {
  const { status, stderr } = run(PRODUCT, ["../../evil"]);
  assert.is(status, 2);
  assert.match(stderr, /^nv-ipam: unknown command "\.\.\/\.\.\/evil": known are controller, .*version\n$/);
});

test("the plugin is no command", () => {
  assert.is(run(PRODUCT, ["cni"]).status, 2);
});

test("without anything it says in one line on stderr which plugin it is", () => {
  const { status, stdout, stderr } = run(PRODUCT, []);
  assert.equal([status, stdout], [0, ""]);
  assert.match(stderr, /^CNI plugin nv-ipam \d+\.\d+\.\d+; CNI versions supported: 0\.1\.0, .*, 1\.1\.0\n$/);
});

test("without anything on a terminal it helps", () => {
  const { status, stdout } = run(SCRIPT, ["--quiet", "--return", "--command", PRODUCT, "/dev/null"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  assert.is(status, 0);
  assert.match(stdout, "Usage: nv-ipam COMMAND");
});

for (const args of [["help"], ["--help"], ["-h"]]) {
  test(`${args} lists the commands`, () => {
    const { status, stdout, stderr } = run(PRODUCT, args);
    assert.equal([status, stderr], [0, ""]);
    assert.match(stdout, "Usage: nv-ipam COMMAND");
    assert.match(stdout, /^ {2}install /m);
  });
}

test("help with a command is that command's help", () => {
  const { status, stdout } = run(PRODUCT, ["help", "install"]);
  assert.is(status, 0);
  assert.match(stdout, "--cni-bin-dir string");
  assert.is(stdout, run(PRODUCT, ["install", "--help"]).stdout);
});

test("licenses prints those of the project, of Node, and of what is bundled", () => {
  const { status, stdout } = run(PRODUCT, ["licenses"]);
  assert.is(status, 0);
  for (const part of ["Apache License", "OpenSSL, located at deps/openssl", "@grpc/grpc-js", "prom-client"]) {
    assert.ok(stdout.includes(part), part);
  }
});

for (const args of [["version"], ["--version"]]) {
  test(`${args} says version, commit and date in one line`, () => {
    const { status, stdout, stderr } = run(PRODUCT, args);
    assert.equal([status, stderr], [0, ""]);
    assert.match(stdout, /^nv-ipam \d+\.\d+\.\d+, commit \S+ of \S+; CNI .*, 1\.1\.0; Node v24\.\S+\n$/);
  });
}

for (const [name, message] of [
  ["throws", "one; two"],
  ["throws-later", "late"],
  ["throws-at-once", "early"],
] as const) {
  test(`a role that ${name} ends with one line and no stack`, () => {
    const stderr = `nv-ipam ${name}: internal error: ${message}\n`;
    assert.equal(run(probe, [name]), { status: 1, stdout: "", stderr });
  });
}

test("Node's warnings reach nobody", () => {
  assert.equal(run(probe, ["warning"]), { status: 0, stdout: "", stderr: "" });
});

test.run();
