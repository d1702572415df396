/** R13: what a peer may ask of the daemon, and that no peer harms another. */
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { mock } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DaemonServiceDefinition } from "../../src/lib/rpc/generated/daemon.ts";
import { IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";
import { seededRandom } from "../random.ts";
import { LocalDaemon, smallPool } from "./_local.ts";

const PATHS = [IPAMServiceDefinition, DaemonServiceDefinition].flatMap((service) =>
  Object.values(service.methods).map(({ name }) => `/${service.fullName}/${name}`),
);
const ALLOCATE = "/nvidia.ipam.node.v1.IPAMService/Allocate";
const GRPC_HEADERS = {
  [constants.HTTP2_HEADER_METHOD]: "POST",
  [constants.HTTP2_HEADER_PATH]: ALLOCATE,
  "content-type": "application/grpc",
  te: "trailers",
};

const test = suite("bounds");
const daemon = new LocalDaemon();
daemon.pools.replace("IPPool", [smallPool("pool1", "10.0.0", ["node-1"])]);
await daemon.open();
const raw = new grpc.Client(`unix://${daemon.socket}`, grpc.credentials.createInsecure(), {
  "grpc.max_send_message_length": -1,
});
test.after(async () => {
  raw.close();
  await daemon.remove();
});

/** The name of the status that these bytes give. */
function send(path: string, bytes: Uint8Array, metadata = new grpc.Metadata()): Promise<string> {
  return new Promise((resolve) => {
    const same = (buffer: Buffer): Buffer => buffer;
    const options = { deadline: Date.now() + 20_000 };
    raw.makeUnaryRequest(path, same, same, Buffer.from(bytes), metadata, options, (error) => {
      resolve(grpc.status[error?.code ?? grpc.status.OK] ?? "");
    });
  });
}

function allocateRequest(container: string): Uint8Array {
  const metadata = { k8sPodName: "p", k8sPodNamespace: "n", k8sPodUid: "u", deviceId: "d" };
  const attachment = { cniContainerid: container, cniIfname: "net1", metadata };
  const parameters = { ...attachment, pools: ["pool1"], poolType: 1 as const, requestedIps: ["10.0.0.3"] };
  return IPAMServiceDefinition.methods.allocate.requestType.encode({ parameters }).finish();
}

/** Adds and deletes an attachment: what any other caller does. */
async function assertServes(): Promise<void> {
  assert.is((await daemon.client.allocate({ pools: ["pool1"], container: "other" })).length, 1);
  await daemon.client.deallocate({ pools: ["pool1"], container: "other" });
}

async function open(): Promise<Socket> {
  const socket = connect({ path: daemon.socket });
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  return socket.resume();
}

test("R13 a message of 5 MB is refused, and a smaller one is read", async () => {
  // Field 15 is unknown to every message, and skipped.
  const message = (bytes: number): Uint8Array => {
    const length = [bytes & 127, (bytes >> 7) & 127, (bytes >> 14) & 127, bytes >> 21];
    const prefix = [15 * 8 + 2, ...length.map((part, index) => (index < 3 ? part | 128 : part))];
    return Buffer.concat([Buffer.from(prefix), Buffer.alloc(bytes)]);
  };
  assert.is(await send(PATHS[5] ?? "", message(5_000_000)), "RESOURCE_EXHAUSTED");
  assert.is(await send(ALLOCATE, message(4_000_000)), "INVALID_ARGUMENT");
  await assertServes();
});

test("R13 headers without end are refused", async () => {
  const metadata = new grpc.Metadata();
  metadata.set("nv-ipam-network", "x".repeat(200_000));
  assert.is.not(await send(ALLOCATE, new Uint8Array(), metadata), "OK");
  await assertServes();
});

test("R13 random bytes as messages are refused or understood, by every method", async () => {
  const random = seededRandom("bounds");
  const statuses = new Set<string>();
  for (let round = 0; round < 400; round++) {
    const path = PATHS[random.below(PATHS.length)] ?? "";
    const bytes = Uint8Array.from({ length: random.below(120) }, () => random.below(256));
    statuses.add(await send(path, bytes));
  }
  assert.ok(statuses.has("INTERNAL"));
  for (const status of statuses) assert.ok(["OK", "INTERNAL", "INVALID_ARGUMENT"].includes(status), status);
  await assertServes();
});

test("R13 mutated requests are refused or understood", async () => {
  const random = seededRandom("mutations");
  const request = allocateRequest("mutated");
  for (let round = 0; round < 400; round++) {
    const bytes = Uint8Array.from(request);
    for (let change = 0; change <= random.below(3); change++) bytes[random.below(bytes.length)] = random.below(256);
    assert.is.not(await send(ALLOCATE, bytes), "UNAVAILABLE");
    for (const { containerId, ifname } of await daemon.client.reservations()) {
      await daemon.client.deallocate({ pools: ["pool1"], container: containerId, ifname });
    }
  }
  await assertServes();
});

test("bytes that are no UTF-8 are refused, so that no two ids become one", async () => {
  const bytes = allocateRequest("Z");
  bytes[bytes.indexOf("Z".charCodeAt(0))] = 0xff;
  assert.is(await send(ALLOCATE, bytes), "INVALID_ARGUMENT");
});

test("unknown methods, services and content types are refused", async () => {
  assert.is(await send("/nvidia.ipam.node.v1.IPAMService/Nope", new Uint8Array()), "UNIMPLEMENTED");
  assert.is(await send("/nope", new Uint8Array()), "UNIMPLEMENTED");
  const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: daemon.socket }) });
  const stream = session.request({ ":path": ALLOCATE });
  const status = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
  assert.is(status, 415);
  session.destroy();
  await assertServes();
});

test("R13 streams of one connection are bounded", async () => {
  const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: daemon.socket }) });
  const settings = await new Promise<{ maxConcurrentStreams?: number }>((resolve) =>
    session.once("remoteSettings", resolve),
  );
  assert.is(settings.maxConcurrentStreams, 256);
  session.destroy();
});

test("R13 connections that say nothing, garbage or half of something harm nobody", async () => {
  const random = seededRandom("garbage");
  const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const words = [
    "",
    "GET / HTTP/1.1\r\n\r\n",
    preface.slice(0, 10),
    preface,
    `${preface}\u0000\u0000\u0000\u0004`,
    `${preface}\u00ff\u00ff\u00ff\u0004\u0000\u0000\u0000\u0000\u0000`,
    `${preface}\u0000\u0000\u0000\u0004\u0000\u0000\u0000\u0000\u0000garbage garbage garbage`,
    Buffer.from(Uint8Array.from({ length: 5000 }, () => random.below(256))).toString("latin1"),
  ];
  const sockets: Socket[] = [];
  for (const word of words) {
    const socket = await open();
    if (word !== "") socket.write(Buffer.from(word, "latin1"));
    sockets.push(socket);
  }
  const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: daemon.socket }) });
  session.on("error", () => undefined);
  for (let count = 0; count < 50; count++) {
    const half = session.request(GRPC_HEADERS).on("error", () => undefined);
    // A message of 100 bytes is announced, and less comes.
    if (count % 2 === 0) half.write(Buffer.from([0, 0, 0, 0, 100, 1, 2, 3]));
  }
  await delay(50);
  await assertServes();
  for (const socket of sockets) socket.destroy();
  session.destroy();
  await assertServes();
});

test("R13 2000 connections at once do not end the daemon, and afterwards it serves as before", async () => {
  const sockets: Socket[] = [];
  for (let count = 0; count < 20; count++) {
    sockets.push(...(await Promise.all(Array.from({ length: 100 }, open))));
  }
  assert.is(sockets.length, 2000);
  for (const socket of sockets) socket.destroy();
  await assertServes();
});

test("R13 half a request ends with its connection's age", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: daemon.socket }) });
    const half = session.request(GRPC_HEADERS).on("error", () => undefined);
    half.write(Buffer.from([0, 0, 0, 0, 100]));
    let isClosed = false;
    session
      .on("error", () => undefined)
      .once("close", () => {
        isClosed = true;
      });
    await new Promise((resolve) => session.once("remoteSettings", resolve));
    for (const _ of "twice") {
      await new Promise((resolve) => setImmediate(resolve));
      mock.timers.tick(700_000);
    }
    while (!isClosed) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    mock.timers.reset();
  }
  await assertServes();
});

test.run();
