/** R13: who can reach the socket, and what is never removed for it. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Listener, listen } from "../../../src/lib/rpc/server/listen.ts";

interface Place {
  directory: string;
  path: string;
  sockets: Socket[];
}

const test = suite<Place>("listening");

test.before.each((place) => {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-listen-"));
  Object.assign(place, { directory, path: join(directory, "run", "daemon.sock"), sockets: [] });
});
test.after.each(({ directory, sockets }) => {
  for (const socket of sockets) socket.destroy();
  rmSync(directory, { recursive: true });
});

const handlers = {
  onConnection: (socket: Socket) => socket.destroy(),
  onError: (error: Error) => {
    throw error;
  },
};

async function open(path: string): Promise<Listener> {
  const listener = await listen({ type: "unix", path }, handlers);
  if (!listener.ok) throw new Error(listener.error);
  return listener.value;
}

async function refused(path: string): Promise<string> {
  const listener = await listen({ type: "unix", path }, handlers);
  if (!listener.ok) return listener.error;
  await listener.value.close(1000);
  throw new Error("it listens");
}

function mode(path: string): number {
  return lstatSync(path).mode & 0o777;
}

test("R13 the socket has mode 0600 in a directory of mode 0700, whatever the umask, and goes when it is closed", async ({
  path,
  directory,
}) => {
  const before = process.umask(0);
  const listener = await open(path);
  const after = process.umask(before);
  assert.is(after, 0);
  assert.is(mode(path), 0o600);
  assert.is(mode(join(directory, "run")), 0o700);
  assert.equal(readdirSync(join(directory, "run")), ["daemon.sock"]);
  await listener.close(1000);
  assert.equal(readdirSync(join(directory, "run")), []);
});

test("R13 the socket is made under a temporary name with mode 0600, and appears complete", async ({
  path,
  directory,
}) => {
  mkdirSync(join(directory, "run"));
  const seen: [name: string, mode: number][] = [];
  const watcher = watch(join(directory, "run"), (_, name) => {
    const found = join(directory, "run", name ?? "");
    if (existsSync(found)) seen.push([name ?? "", mode(found)]);
  });
  const before = process.umask(0);
  const listener = await open(path);
  process.umask(before);
  await delay(50);
  watcher.close();
  assert.ok(seen.some(([name]) => name === "daemon.sock"));
  assert.ok(seen.every(([, found]) => found === 0o600));
  await listener.close(1000);
});

test("R13 a directory that is there keeps its mode", async ({ path, directory }) => {
  mkdirSync(join(directory, "run"));
  chmodSync(join(directory, "run"), 0o755);
  const listener = await open(path);
  assert.is(mode(join(directory, "run")), 0o755);
  await listener.close(1000);
});

const notSockets: readonly [what: string, make: (path: string) => void, check: (path: string) => void][] = [
  ["a file", (path) => writeFileSync(path, "x"), (path) => assert.is(readFileSync(path, "utf8"), "x")],
  ["a directory", (path) => mkdirSync(path), (path) => assert.ok(statSync(path).isDirectory())],
  ["a symbolic link", (path) => symlinkSync("elsewhere", path), (path) => assert.is(readlinkSync(path), "elsewhere")],
];
for (const [what, make, check] of notSockets) {
  test(`R13 ${what} at the socket's path is told and never removed`, async ({ path, directory }) => {
    mkdirSync(join(directory, "run"));
    make(path);
    assert.match(await refused(path), `${path}: this is not a socket`);
    check(path);
  });

  test(`R13 ${what} at the temporary name is told and never removed`, async ({ path, directory }) => {
    mkdirSync(join(directory, "run"));
    make(`${path}~`);
    assert.match(await refused(path), `${path}~`);
    check(`${path}~`);
  });
}

test("R13 a symbolic link to a socket is not followed", async ({ path, directory }) => {
  const listener = await open(join(directory, "run", "other.sock"));
  symlinkSync("other.sock", path);
  assert.match(await refused(path), "this is not a socket");
  await listener.close(1000);
});

/** A process that has made the socket and was killed. */
async function leaveSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  assert.ok(lstatSync(path).isSocket());
}

test("R13 sockets that a killed daemon left behind are replaced", async ({ path, directory }) => {
  mkdirSync(join(directory, "run"));
  await leaveSocket(path);
  await leaveSocket(`${path}~`);
  const listener = await open(path);
  assert.equal(readdirSync(join(directory, "run")), ["daemon.sock"]);
  await listener.close(1000);
});

test("R13 a socket at which somebody answers is not taken over", async ({ path }) => {
  const first = await open(path);
  assert.match(await refused(path), "another daemon answers there; stop it first");
  assert.ok(lstatSync(path).isSocket());
  await first.close(1000);
});

test("R13 a socket whose daemon is too busy to take connections is not taken over", async ({
  path,
  directory,
  sockets,
}) => {
  mkdirSync(join(directory, "run"));
  const script = `require("net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  child.kill("SIGSTOP");
  try {
    const fill = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ path });
        sockets.push(socket);
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      });
    while (await fill());
    assert.match(await refused(path), /another daemon may be there \(connect EAGAIN/);
  } finally {
    child.kill("SIGKILL");
  }
});

test("what is in the way of the temporary name and no socket is named and left", async ({ path }) => {
  mkdirSync(dirname(path));
  writeFileSync(`${path}~`, "mine");
  assert.match(await refused(path), `${path}~ is in the way and not a socket`);
  assert.is(readFileSync(`${path}~`, "utf8"), "mine");
});

test("closing leaves a socket alone that somebody else has put in its place", async ({ path }) => {
  const listener = await open(path);
  rmSync(path);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await listener.close(1000);
  assert.ok(lstatSync(path).isSocket());
  await new Promise((resolve) => other.close(resolve));
});

test("a TCP port of 0 is told as the port that it became, and one that is taken as taken", async () => {
  const listener = await listen({ type: "tcp", host: "127.0.0.1", port: 0 }, handlers);
  if (!listener.ok) throw new Error(listener.error);
  const { endpoint } = listener.value;
  assert.ok(endpoint.type === "tcp" && endpoint.port > 0);
  const second = await listen(endpoint, handlers);
  assert.match(second.ok ? "" : second.error, /^listen on tcp:\/\/127\.0\.0\.1:\d+: .*EADDRINUSE/);
  await listener.value.close(1000);
});

test("connections beyond 1024 at once are closed as they come", async ({ path, sockets }) => {
  const taken: Socket[] = [];
  const listener = await listen({ type: "unix", path }, { ...handlers, onConnection: (socket) => taken.push(socket) });
  if (!listener.ok) throw new Error(listener.error);
  let ended = 0;
  for (let count = 0; count < 1100; count++) {
    const socket = connect({ path });
    sockets.push(socket.on("error", () => undefined).once("close", () => ended++));
    socket.resume();
    // One after the other: the queue of connections that wait is short, and overflows on a busy machine.
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  while (ended < 1100 - 1024) await delay(5);
  assert.is(taken.length, 1024);
  for (const socket of taken) socket.destroy();
  await listener.value.close(1000);
});

test.run();
