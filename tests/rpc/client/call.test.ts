import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { decodeHeaders } from "../../../src/lib/rpc/client/_hpack.ts";
import { type CallFailure, call, type UnaryCall } from "../../../src/lib/rpc/client/call.ts";
import { answer, clientFrames, SETTINGS, trailersOnly } from "./_frames_of.ts";
import { end, listen, startReady, temporaryDirectory } from "./_peer_process.ts";
import { freePort } from "./_peers.ts";

const directory = temporaryDirectory();
const CLIENT = join(import.meta.dirname, "../../../src/lib/rpc/client/call.ts");

function options(target: string, more: Partial<UnaryCall> = {}): UnaryCall {
  return { target, path: "/s/M", message: Buffer.from("question"), timeoutMs: 60_000, ...more };
}

async function failure(target: string, more: Partial<UnaryCall> = {}): Promise<CallFailure> {
  const result = await call(options(target, more));
  if (result.ok) throw new Error("the call succeeded");
  return result.error;
}

/** Everything that a socket sends until it is closed. */
function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  return new Promise((resolve) => socket.on("close", () => resolve(Buffer.concat(chunks))));
}

const file = join(directory, "file");
writeFileSync(file, "");
const folder = join(directory, "folder");
mkdirSync(folder);
const abandoned = join(directory, "abandoned.sock");
spawnSync(process.execPath, [
  "-e",
  `require("net").createServer().listen(${JSON.stringify(abandoned)}, () => process.kill(process.pid, "SIGKILL"))`,
]);
const port = await freePort();

for (const [what, target, expected] of [
  ["is not there", `unix://${directory}/none.sock`, "no such file: is the nv-ipam node daemon running?"],
  ["is a directory", folder, "it is a directory, not a socket"],
  ["is a file", `unix:${file}`, "it is a file, not a socket"],
  ["lies in a file", `unix://${file}/x.sock`, "a part of the path is not a directory"],
  ["was left behind", abandoned, "refused: nobody listens on the socket; is the nv-ipam node daemon running?"],
  [
    "is a closed port",
    `tcp://127.0.0.1:${port}`,
    "refused: nobody listens on the port; is the nv-ipam node daemon running?",
  ],
] as const) {
  test(`a target that ${what} is told in one line`, async () => {
    const error = await failure(target);
    assert.equal(error, { type: "connect", status: 14, message: `connect ${target}: ${expected}` });
  });
}

test("a socket of somebody else says that permission is missing", () => {
  const theirs = join(directory, "theirs.sock");
  const server = createServer().listen(theirs);
  chmodSync(directory, 0o755);
  chmodSync(theirs, 0o600);
  const script = `
    const { call } = await import(${JSON.stringify(CLIENT)});
    if (process.getuid() === 0) process.setuid(65534);
    const result = await call({ target: ${JSON.stringify(theirs)}, path: "/s/M", message: Buffer.alloc(0), timeoutMs: 60000 });
    console.log(result.error.message);`;
  if (process.getuid?.() !== 0) chmodSync(theirs, 0);
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  server.close();
  assert.is(
    stdout.trim(),
    `connect ${theirs}: permission denied: the plugin must run as the daemon's user, usually root`,
  );
});

for (const [what, more, expected] of [
  ["a target without sense", { target: "http://x\n" }, { type: "target", status: 3 }],
  ["a path without its slash", { path: "s/M" }, { type: "protocol", status: 3 }],
  ["a path with a blank", { path: "/s/M M" }, { type: "protocol", status: 3 }],
  ["an upper-case metadata name", { metadata: { Name: "v" } }, { type: "protocol", status: 3 }],
  ["a reserved metadata name", { metadata: { "grpc-timeout": "1m" } }, { type: "protocol", status: 3 }],
  ["a binary metadata name", { metadata: { "x-bin": "v" } }, { type: "protocol", status: 3 }],
  ["an empty metadata name", { metadata: { "": "v" } }, { type: "protocol", status: 3 }],
  ["a pseudo-header as metadata", { metadata: { ":path": "/" } }, { type: "protocol", status: 3 }],
  ["a metadata value in another script", { metadata: { name: "é" } }, { type: "protocol", status: 3 }],
  ["a metadata value of two lines", { metadata: { name: "a\r\nb" } }, { type: "protocol", status: 3 }],
  ["a metadata value with a blank behind", { metadata: { name: "a " } }, { type: "protocol", status: 3 }],
] as const) {
  test(`${what} is refused before anything is sent`, async () => {
    const { type, status, message } = await failure(join(directory, "none.sock"), more);
    assert.equal({ type, status }, expected);
    assert.match(message, /^\S.{20,}$/);
  });
}

test("the time that the server is told is a little shorter than ours", async () => {
  const path = join(directory, "told.sock");
  const told: string[] = [];
  const server = await listen(path, (socket) => {
    socket.once("data", (bytes) => {
      const headers = clientFrames(bytes).find(({ type }) => type === h2.HEADERS);
      const decoded = decodeHeaders(headers?.payload ?? Buffer.alloc(0));
      told.push((decoded.ok && decoded.value.get("grpc-timeout")) || "");
      socket.write(answer(Buffer.from("answer")));
    });
  });
  for (const timeoutMs of [500_000, 10_000, 60_000_000_000]) {
    assert.ok((await call(options(path, { timeoutMs }))).ok);
  }
  server.close();
  const [long, short, huge] = told.map((text) => Number(text.slice(0, -1)) * (text.endsWith("S") ? 1000 : 1));
  assert.ok(long !== undefined && long <= 499_800 && long > 400_000, told[0]);
  assert.ok(short !== undefined && short <= 9800 && short >= 1, told[1]);
  assert.ok(huge !== undefined && huge <= 2 ** 31, told[2]);
});

test("a server that is silent is told to give up, and the connection ends", async () => {
  const path = join(directory, "silent.sock");
  let sent: Promise<Buffer> | undefined;
  const server = await listen(path, (socket) => {
    sent = collect(socket);
    socket.write(SETTINGS);
  });
  const error = await failure(path, { timeoutMs: 200 });
  assert.equal(error, { type: "deadline", status: 4, message: `${path} did not answer within 0.2 s` });
  const last = clientFrames((await sent) ?? Buffer.alloc(0)).at(-1);
  assert.equal([last?.type, last?.stream, last?.payload.readUInt32BE()], [h2.RST_STREAM, 1, 8]);
  server.close();
});

test("a call that has only the rest of a limit names the limit", async () => {
  const path = join(directory, "rest.sock");
  const server = await listen(path, (socket) => socket.write(SETTINGS));
  const { message: text } = await failure(path, { timeoutMs: 100, limitMs: 5000 });
  server.close();
  assert.is(text, `${path} did not answer within 5 s`);
});

test("a deadline that the server finds passed is a deadline in our words", async () => {
  const path = join(directory, "server-deadline.sock");
  const server = await listen(path, (socket) => {
    socket.once("data", () => socket.write(Buffer.concat([SETTINGS, trailersOnly(4, { "grpc-message": "too late" })])));
  });
  const expected = { type: "deadline", status: 4, message: `${path} did not answer within 60 s: too late` };
  assert.equal(await failure(path), expected);
  server.close();
});

test("a server that resets the call when the time it was told is over means the deadline", async () => {
  const path = join(directory, "reset.sock");
  const reset = Buffer.concat([SETTINGS, h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(8))]);
  const server = await listen(path, (socket) => {
    socket.once("data", () => setTimeout(() => socket.write(reset), 2000 - 200));
  });
  const { type, status } = await failure(path, { timeoutMs: 2000 });
  assert.equal([type, status], ["deadline", 4]);
  server.close();
});

test("a call that somebody cancels before its deadline is not called late", async () => {
  const path = join(directory, "cancelled.sock");
  const server = await listen(path, (socket) => {
    socket.once("data", () => {
      socket.write(Buffer.concat([SETTINGS, h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(8))]));
    });
  });
  assert.equal(await failure(path), { type: "status", status: 1, message: `${path} reset the call (CANCEL)` });
  server.close();
});

for (const timeoutMs of [0, -1, Number.NaN]) {
  test(`a time limit of ${timeoutMs} is over at once`, async () => {
    const path = join(directory, `over-${timeoutMs}.sock`);
    const server = await listen(path, () => undefined);
    assert.is((await failure(path, { timeoutMs })).type, "deadline");
    server.close();
  });
}

test("the answer is taken although the server closes the connection right behind it", async () => {
  const path = join(directory, "closing.sock");
  const server = await listen(path, (socket) => {
    socket.once("data", () => socket.end(answer(Buffer.from("answer"))));
  });
  const result = await call(options(path));
  assert.is(result.ok && `${Buffer.from(result.value)}`, "answer");
  server.close();
});

test("an answer that lies there is read to its end although nothing can be written to its server any more", async () => {
  const path = join(directory, "gone.sock");
  // More than one read takes, so that the settings are acknowledged before the end is read.
  const body = Buffer.alloc(150_000, "answer");
  const server = await listen(path, (socket) => {
    socket.once("data", () => {
      socket.write(answer(body));
      assert.is(socket.writableLength, 0, "the kernel has all of it");
      socket.destroy();
    });
  });
  const result = await call(options(path));
  server.close();
  assert.is(result.ok ? "answered" : result.error.message, "answered");
  assert.ok(result.ok && body.equals(result.value));
});

test("half an answer of a server that has gone is told as such", async () => {
  const path = join(directory, "half-gone.sock");
  const server = await listen(path, (socket) => {
    socket.once("data", () => {
      socket.write(answer(Buffer.alloc(150_000)).subarray(0, 140_000));
      socket.destroy();
    });
  });
  const { type, status, message: text } = await failure(path, { timeoutMs: 5000 });
  server.close();
  assert.equal([type, status], ["protocol", 14]);
  assert.match(text, `${path} closed the connection without an answer`);
});

test("a server that closes the connection at once is named", async () => {
  const path = join(directory, "hangup.sock");
  const server = await listen(path, (socket) => socket.destroy());
  const { type, status, message: text } = await failure(path);
  assert.equal([type, status], ["protocol", 14]);
  assert.match(text, `${path} closed the connection without an answer`);
  server.close();
});

test("a socket whose queue is full is tried again", async () => {
  const path = join(directory, "full.sock");
  const busy = await startReady(process.execPath, [
    "-e",
    `const answer = Buffer.from(${JSON.stringify(answer(Buffer.from("answer")).toString("hex"))}, "hex");
    require("net").createServer((socket) => socket.on("error", () => {}).once("data", () => socket.write(answer)))
      .listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log("ready"));`,
  ]);
  busy.kill("SIGSTOP");
  const results = Promise.all(Array.from({ length: 10 }, () => call(options(path))));
  const late = await failure(path, { timeoutMs: 300 });
  busy.kill("SIGCONT");
  assert.ok((await results).every(({ ok }) => ok));
  assert.equal(late, { type: "deadline", status: 4, message: `connect ${path}: no connection within 0.3 s` });
  await end(busy);
});

test("a process that made calls ends by itself", async () => {
  const paths = {
    answering: join(directory, "process-answering.sock"),
    silent: join(directory, "process-silent.sock"),
  };
  const script = `
    const { call } = await import(${JSON.stringify(CLIENT)});
    const options = { path: "/s/M", message: Buffer.alloc(100000) };
    const ask = async (target, timeoutMs) => (await call({ ...options, target, timeoutMs })).error?.type ?? "ok";
    console.log([
      await ask(${JSON.stringify(paths.answering)}, 600000),
      await ask(${JSON.stringify(paths.silent)}, 100),
      await ask("/none", 600000),
      await ask("nonsense:", 600000),
    ].join(" "));`;
  const servers = await startReady(process.execPath, [
    "-e",
    `const answer = Buffer.from(${JSON.stringify(answer(Buffer.alloc(9)).toString("hex"))}, "hex");
    const { createServer } = require("net");
    const quiet = (socket) => socket.on("error", () => {});
    createServer((socket) => quiet(socket).once("data", () => socket.write(answer))).listen(${JSON.stringify(paths.answering)});
    createServer(quiet).listen(${JSON.stringify(paths.silent)}, () => console.log("ready"));`,
  ]);
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 120_000,
  });
  await end(servers);
  assert.equal([run.stdout, run.signal, run.status], ["ok deadline connect target\n", null, 0]);
});

test("a message that the server does not read is not waited for after the answer", async () => {
  const path = join(directory, "unread.sock");
  const server = await listen(path, (socket) => {
    socket.once("readable", () => socket.write(Buffer.concat([SETTINGS, trailersOnly(8)])));
  });
  const error = await failure(path, { message: Buffer.alloc(5_000_000) });
  assert.is(error.status, 8);
  server.close();
});

test("an answer in many small pieces arrives whole", async () => {
  const path = join(directory, "pieces.sock");
  const large = Buffer.alloc(300_000, "text ");
  const server = await listen(path, (socket) => {
    socket.once("data", () => {
      const whole = answer(large);
      for (let at = 0; at < whole.length; at += 7001) socket.write(whole.subarray(at, at + 7001));
    });
  });
  const result = await call(options(path));
  assert.ok(result.ok && large.equals(result.value));
  server.close();
});

test.run();
