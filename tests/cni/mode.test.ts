/** The role as a process: real stdin, stdout, files, socket and gRPC. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { grpcService, type UnaryHandlers } from "../../src/lib/rpc/definition.ts";
import { IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";
import { CONFIG, POD_ARGS } from "./_plugin.ts";

const ENTRY = `import { run } from ${JSON.stringify(new URL("../../src/modes/cni.ts", import.meta.url).href)};
process.exitCode = await run();`;

interface Place {
  folder: string;
  /** Ends what the test started. */
  ends: (() => void)[];
  config: { readonly name: string; readonly ipam: object } & Readonly<Record<string, unknown>>;
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const test = suite<Place>("the CNI role");

test.before.each((place) => {
  const folder = mkdtempSync(join(tmpdir(), "nv-ipam-cni-"));
  const ipam = { daemonSocket: `unix://${folder}/daemon.sock`, confDir: folder, logFile: join(folder, "log") };
  Object.assign(place, { folder, ends: [], config: { ...CONFIG, ipam: { ...CONFIG.ipam, ...ipam } } });
});

test.after.each(({ folder, ends }) => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true });
});

function environment(command: string): Record<string, string> {
  const attachment = { CNI_CONTAINERID: "c1", CNI_IFNAME: "net1", CNI_NETNS: "/n", CNI_PATH: "/b", CNI_ARGS: POD_ARGS };
  return { PATH: process.env.PATH ?? "", CNI_COMMAND: command, ...attachment };
}

function nodeArgs(...options: readonly string[]): string[] {
  return ["--disable-warning=ExperimentalWarning", ...options, "--input-type=module", "-e", ENTRY];
}

function start(command: string, ...options: readonly string[]): ChildProcess {
  return spawn(process.execPath, nodeArgs(...options), { env: environment(command) });
}

function ended(child: ChildProcess): Promise<Ended> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
  });
}

async function call(command: string, stdin: string | Uint8Array, ...options: readonly string[]): Promise<Ended> {
  const child = start(command, ...options);
  // A plugin that refuses early does not read all of its input.
  child.stdin?.on("error", () => undefined).end(stdin);
  return ended(child);
}

/** A daemon on the place's socket that answers each Allocate with this many routes. */
async function daemonWith(routes: number, { folder, ends }: Place): Promise<void> {
  const server = new Server();
  ends.push(() => server.forceShutdown());
  const allocation = { pool: "pool1", ip: "10.0.0.2/24", gateway: "10.0.0.1", poolType: 1 as const };
  const destinations = Array.from({ length: routes }, (_, index) => ({ dest: `10.${index >> 8}.${index & 255}.0/24` }));
  const handlers: UnaryHandlers<typeof IPAMServiceDefinition> = {
    allocate: (_, reply) => reply(null, { allocations: [{ ...allocation, routes: destinations }] }),
    deallocate: (_, reply) => reply(null, {}),
    isAllocated: (_, reply) => reply(null, {}),
  };
  server.addService(grpcService(IPAMServiceDefinition), handlers);
  const address = `unix:${folder}/daemon.sock`;
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

/** Somebody who takes connections on the place's socket and says nothing. */
function silentDaemon({ folder, ends }: Place): void {
  const server = createServer().listen(join(folder, "daemon.sock"));
  ends.push(() => server.close());
}

test("answers VERSION without waiting for stdin", async () => {
  const child = start("VERSION");
  const { code, stdout } = await ended(child);
  assert.is(code, 0);
  assert.is(JSON.parse(stdout).cniVersion, "1.1.0");
});

test("carries ADD, CHECK and DEL out with a daemon, and logs it", async (place) => {
  await daemonWith(1, place);
  const added = await call("ADD", JSON.stringify(place.config));
  assert.equal([added.code, added.stderr], [0, ""]);
  assert.equal(JSON.parse(added.stdout).ips, [{ address: "10.0.0.2/24", gateway: "10.0.0.1" }]);
  for (const command of ["CHECK", "DEL", "STATUS", "GC"]) {
    assert.equal(await call(command, JSON.stringify(place.config)), { code: 0, stdout: "", stderr: "" });
  }
  assert.match(readFileSync(join(place.folder, "log"), "utf8"), "[info] ADD network=net-a container=c1 ifname=net1");
});

test("names the socket where no daemon is, with error 11, and prints nothing else", async (place) => {
  for (const command of ["ADD", "DEL", "CHECK"]) {
    const { code, stdout, stderr } = await call(command, JSON.stringify(place.config));
    assert.equal([code, stderr], [1, ""]);
    const answer = JSON.parse(stdout);
    assert.equal([answer.cniVersion, answer.code], ["1.1.0", 11]);
    assert.match(answer.msg, `${place.folder}/daemon.sock`);
  }
});

test("says that the socket is a directory", async (place) => {
  mkdirSync(join(place.folder, "daemon.sock"));
  const { code, stdout } = await call("ADD", JSON.stringify(place.config));
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).code, 11);
  assert.match(JSON.parse(stdout).msg, "it is a directory, not a socket");
});

test("gives up on a daemon that does not answer in time", async (place) => {
  silentDaemon(place);
  const config = { ...place.config, ipam: { ...place.config.ipam, daemonCallTimeoutSeconds: 1 } };
  const { code, stdout } = await call("ADD", JSON.stringify(config));
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).code, 11);
  assert.match(JSON.parse(stdout).msg, "did not answer within 1 s");
});

test("asks no more when whoever started it was killed while the daemon restarts", async ({ folder, ends, config }) => {
  writeFileSync(join(folder, "config"), JSON.stringify(config));
  const script = '"$@" <"$CONFIG" & wait';
  const env = { ...environment("ADD"), CONFIG: join(folder, "config") };
  const starter = spawn("sh", ["-c", script, "sh", process.execPath, ...nodeArgs()], { env });
  let calls = 0;
  const server = createServer((connection) => {
    if (++calls > 1) connection.destroy();
    // The kernel gives the plugin another parent before it tells of the end of this one.
    else starter.once("exit", () => connection.destroy()).kill("SIGKILL");
  }).listen(join(folder, "daemon.sock"));
  ends.push(() => server.close());
  const { stdout } = await ended(starter);
  assert.is(JSON.parse(stdout).code, 11);
  assert.is(calls, 1);
});

test("refuses 10 MB on stdin with error 6", async (place) => {
  const { code, stdout, stderr } = await call("ADD", JSON.stringify({ ...place.config, x: "x".repeat(10_000_000) }));
  assert.equal([code, stderr], [1, ""]);
  assert.is(JSON.parse(stdout).code, 6);
  assert.match(JSON.parse(stdout).msg, "larger than 4194304 bytes");
});

test("takes a config of several megabytes", async (place) => {
  await daemonWith(0, place);
  const { code } = await call("ADD", JSON.stringify({ ...place.config, x: "x".repeat(4_000_000) }));
  assert.is(code, 0);
});

test("says that stdin cannot be read", async () => {
  const stdin = openSync(tmpdir(), "r");
  const child = spawn(process.execPath, nodeArgs(), { env: environment("ADD"), stdio: [stdin, "pipe", "pipe"] });
  const { code, stdout } = await ended(child);
  closeSync(stdin);
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).code, 5);
});

test("says that nv-ipam.conf cannot be read", async (place) => {
  mkdirSync(join(place.folder, "nv-ipam.conf"));
  const { stdout } = await call("ADD", JSON.stringify(place.config));
  assert.is(JSON.parse(stdout).code, 5);
  assert.match(JSON.parse(stdout).msg, `cannot read ${place.folder}/nv-ipam.conf: EISDIR`);
});

test("does without nv-ipam.conf where confDir is no directory", async (place) => {
  await daemonWith(0, place);
  const { code } = await call(
    "ADD",
    JSON.stringify({ ...place.config, ipam: { ...place.config.ipam, confDir: "/dev/null" } }),
  );
  assert.is(code, 0);
});

test("waits for a stdin that does not block", async (place) => {
  const { reader, writer } = pipe(place.folder, "stdin");
  const up = 'process.stderr.write("up")';
  // libuv makes a child's first three descriptors block; the shell leaves the fourth as it is.
  const child = spawn(
    "sh",
    ["-c", 'exec "$@" <&3', "sh", process.execPath, ...nodeArgs("--import", `data:text/javascript,${up}`)],
    {
      env: environment("ADD"),
      stdio: ["ignore", "pipe", "pipe", reader],
    },
  );
  closeSync(reader);
  const end = ended(child);
  await new Promise((resolve) => child.stderr?.once("data", resolve));
  const config = JSON.stringify(place.config);
  // Time to find that nothing is there yet, twice.
  await pause(500);
  writeSync(writer, config.slice(0, 20));
  await pause(50);
  writeSync(writer, config.slice(20));
  closeSync(writer);
  const { code, stdout } = await end;
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).code, 11);
});

test("writes all of a long result to a stdout that does not block", async (place) => {
  await daemonWith(5000, place);
  const { reader, writer } = pipe(place.folder, "stdout");
  const child = spawn("sh", ["-c", 'exec "$@" >&3', "sh", process.execPath, ...nodeArgs()], {
    env: environment("ADD"),
    stdio: ["pipe", "ignore", "pipe", writer],
  });
  closeSync(writer);
  child.stdin?.end(JSON.stringify(place.config));
  const end = ended(child);
  while (!existsSync(join(place.folder, "log")) && child.exitCode === null) await pause(10);
  // Time to fill the pipe and to find that it would have to wait.
  await pause(100);
  const cat = spawn("cat", { stdio: [reader, "pipe", "inherit"] });
  closeSync(reader);
  const { stdout: result } = await ended(cat);
  const { code } = await end;
  assert.is(code, 0);
  assert.is(JSON.parse(result).routes.length, 5000);
});

test("ends with 1 where nobody reads its answer", async (place) => {
  await daemonWith(5000, place);
  const child = start("ADD");
  child.stdout?.destroy();
  child.stdin?.end(JSON.stringify(place.config));
  const { code, stderr } = await ended(child);
  assert.equal([code, stderr], [1, ""]);
});

test("answers an exception that nobody caught with error 999 and no stack trace", async (place) => {
  silentDaemon(place);
  const bug = `const timer = setInterval(() => {
    if (process.listenerCount("uncaughtException") === 0) return;
    clearInterval(timer);
    throw new Error("boom");
  }, 5).unref();`;
  const { code, stdout, stderr } = await call(
    "ADD",
    JSON.stringify(place.config),
    "--import",
    `data:text/javascript,${bug}`,
  );
  assert.equal([code, stderr], [1, ""]);
  const msg = "internal error of the nv-ipam plugin, please report it: boom";
  assert.equal(JSON.parse(stdout), { cniVersion: "1.1.0", code: 999, msg });
});

test("goes on where the log cannot be written", async (place) => {
  await daemonWith(0, place);
  writeFileSync(join(place.folder, "none"), "");
  const ipam = { ...place.config.ipam, logFile: join(place.folder, "none/log") };
  const { code, stderr } = await call("ADD", JSON.stringify({ ...place.config, ipam }));
  assert.equal([code, stderr], [0, ""]);
  assert.is(readFileSync(join(place.folder, "none"), "utf8"), "");
});

test("makes the directory of its log", async (place) => {
  await daemonWith(0, place);
  const logFile = join(place.folder, "none/at all/log");
  const config = { ...place.config, ipam: { ...place.config.ipam, logFile } };
  assert.is((await call("ADD", JSON.stringify(config))).code, 0);
  assert.match(readFileSync(logFile, "utf8"), "[info] ADD");
});

/** A pipe both of whose ends do not block. */
function pipe(folder: string, name: string): { reader: number; writer: number } {
  const path = join(folder, name);
  assert.is(spawnSync("mkfifo", [path]).status, 0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

test.run();
