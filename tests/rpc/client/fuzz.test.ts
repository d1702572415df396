/** Mutated server streams: whatever a server sends, a call ends with a clear result. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { MESSAGE_MAX, type Outcome } from "../../../src/lib/rpc/client/_response.ts";
import { call, type UnaryCall } from "../../../src/lib/rpc/client/call.ts";
import { Connection } from "../../../src/lib/rpc/client/connection.ts";
import { type Random, seededRandom } from "../../random.ts";
import {
  answer,
  clientFrames,
  cutIntoFrames,
  EMPTY,
  fields,
  framesOf,
  headers,
  message,
  RESPONSE_FIELDS,
  SETTINGS,
  STREAM,
  trailers,
  trailersOnly,
} from "./_frames_of.ts";
import { listen, temporaryDirectory } from "./_peer_process.ts";
import { bytesOf, WIRE_VECTORS } from "./_wire.ts";

const STREAMS = 20_000;
const SOCKET_STREAMS = 400;

const random = seededRandom("gRPC client fuzz");

const ACK = h2.frame(h2.SETTINGS, h2.ACK, 0, EMPTY);
const PING = h2.frame(h2.PING, 0, 0, Buffer.from("12345678"));
const GROW = Buffer.concat([STREAM, 0].map((stream) => h2.frame(h2.WINDOW_UPDATE, 0, stream, h2.uint32(100_000))));
const SERVER_SETTINGS = h2.frame(
  h2.SETTINGS,
  0,
  0,
  h2.settings([
    [4, 100_000],
    [5, 20_000],
    [3, 100],
  ]),
);
const PADDED = Buffer.concat([Buffer.of(7), message(Buffer.from("answer")).subarray(9), Buffer.alloc(7)]);

/** Right streams to begin with: the recorded ones and what those do not show. */
const BASES: readonly Buffer[] = [
  ...WIRE_VECTORS.map((vector) => bytesOf(vector, "server")).filter(({ length }) => length < 10_000),
  answer(Buffer.from("answer")),
  Buffer.concat([SERVER_SETTINGS, ACK, GROW, PING, headers(), message(Buffer.alloc(3000, 1), 700), trailers(0)]),
  Buffer.concat([SETTINGS, headers(fields({ ":status": "103" })), headers(), message(EMPTY), trailers(0)]),
  Buffer.concat([SETTINGS, headers(), h2.frame(h2.DATA, h2.PADDED, STREAM, PADDED), trailers(0)]),
  Buffer.concat([
    SETTINGS,
    headers(RESPONSE_FIELDS.subarray(0, 4), 0),
    h2.frame(h2.CONTINUATION, h2.END_HEADERS, STREAM, RESPONSE_FIELDS.subarray(4)),
    message(Buffer.from("answer")),
    trailers(0),
  ]),
  Buffer.concat([SETTINGS, trailersOnly(5, { "grpc-message": "%E5%90%8D %zz\t" })]),
  Buffer.concat([SETTINGS, headers(fields({ ":status": "502", "content-type": "text/html" }))]),
  Buffer.concat([SETTINGS, GROW, h2.frame(h2.GOAWAY, 0, 0, h2.uint32(2 ** 31 - 1, 0)), headers(), trailers(8)]),
  Buffer.concat([SETTINGS, h2.frame(h2.GOAWAY, 0, 0, Buffer.concat([h2.uint32(0, 11), Buffer.from("calm\n")]))]),
  Buffer.concat([SETTINGS, h2.frame(h2.RST_STREAM, 0, STREAM, h2.uint32(7))]),
];

function randomBytes({ below }: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: below(most + 1) }, () => below(256)));
}

function randomFrame(random: Random): Buffer {
  const stream = random.pick([0, 1, 1, 1, 2, 3, 0x7fffffff]);
  return h2.frame(random.below(11), random.below(256), stream, randomBytes(random, random.pick([0, 4, 6, 8, 40])));
}

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const MUTATIONS: readonly [Mutation, ...Mutation[]] = [
  function flipBits(bytes, { below }) {
    const flipped = Buffer.from(bytes);
    for (let n = below(4); n >= 0 && bytes.length > 0; n--) {
      const at = below(bytes.length);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << below(8));
    }
    return flipped;
  },
  function truncate(bytes, { below }) {
    return bytes.subarray(0, below(bytes.length + 1));
  },
  function insertBytes(bytes, random) {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), randomBytes(random, 20), bytes.subarray(at)]);
  },
  function duplicateFrame(bytes, { below }) {
    const frames = cutIntoFrames(bytes);
    const frame = frames[below(frames.length)] ?? EMPTY;
    return Buffer.concat(frames.toSpliced(below(frames.length + 1), 0, frame));
  },
  function dropFrame(bytes, { below }) {
    const frames = cutIntoFrames(bytes);
    return Buffer.concat(frames.toSpliced(below(frames.length), 1));
  },
  function swapFrames(bytes, { below }) {
    const frames = cutIntoFrames(bytes);
    const [a, b] = [below(frames.length), below(frames.length)];
    const swapped = frames.with(a, frames[b] ?? EMPTY).with(b, frames[a] ?? EMPTY);
    return Buffer.concat(swapped);
  },
  function insertFrame(bytes, random) {
    const frames = cutIntoFrames(bytes);
    return Buffer.concat(frames.toSpliced(random.below(frames.length + 1), 0, randomFrame(random)));
  },
  function changeFlags(bytes, { below }) {
    const frames = cutIntoFrames(bytes);
    const at = below(frames.length);
    const changed = Buffer.from(frames[at] ?? EMPTY);
    if (changed.length > 4) changed[4] = below(256);
    return Buffer.concat(frames.with(at, changed));
  },
  function changePayload(bytes, random) {
    const frames = cutIntoFrames(bytes);
    const at = random.below(frames.length);
    const frame = frames[at] ?? EMPTY;
    if (frame.length < 9) return bytes;
    const payload = MUTATIONS[random.below(3)]?.(frame.subarray(9), random) ?? EMPTY;
    return Buffer.concat(frames.with(at, h2.frame(frame[3] ?? 0, frame[4] ?? 0, frame.readUInt32BE(5), payload)));
  },
  function joinAnother(bytes, { below }) {
    const other = BASES[below(BASES.length)] ?? EMPTY;
    return Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1))]);
  },
];

/** A base, mutated up to four times; at times random frames alone behind settings. */
function mutated(random: Random): Buffer {
  if (random.below(20) === 0) {
    return Buffer.concat([SETTINGS, ...Array.from({ length: random.below(30) }, () => randomFrame(random))]);
  }
  let bytes = BASES[random.below(BASES.length)] ?? EMPTY;
  for (let n = random.below(4); n >= 0; n--) {
    bytes = bytes.length === 0 ? randomFrame(random) : random.pick(MUTATIONS)(bytes, random);
  }
  return bytes;
}

function chunks(bytes: Buffer, { below, pick }: Random): Buffer[] {
  const most = pick([1, 3, 10, 100, 10_000]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + below(most);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

function play(call: UnaryCall, pieces: readonly Buffer[]): { outcome: Outcome; sent: Buffer } {
  const connection = new Connection(call);
  const sent = [connection.open(1000)];
  for (const piece of pieces) {
    const step = connection.receive(piece);
    sent.push(...step.send);
    if (step.outcome !== undefined) {
      return { outcome: step.outcome, sent: Buffer.concat(sent) };
    }
  }
  return { outcome: connection.closed(), sent: Buffer.concat(sent) };
}

function assertClear(outcome: Outcome, bytes: Buffer): void {
  const where = bytes.toString("hex");
  if (outcome.ok) {
    assert.ok(outcome.value.length <= MESSAGE_MAX, where);
    return;
  }
  const { type, status, message } = outcome.error;
  assert.ok(["status", "protocol", "deadline"].includes(type), `${type} for ${where}`);
  assert.ok(Number.isInteger(status) && status >= 1 && status <= 16, `${status} for ${where}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
  assert.ok(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$/.test(message), `${JSON.stringify(message)} for ${where}`);
}

/** The largest window that the server's frames add up to, told from the whole stream. */
function largestWindow(bytes: Buffer, of: number): number {
  const grants = cutIntoFrames(bytes).filter((f) => f.length === 13 && f[3] === h2.WINDOW_UPDATE);
  const grown = grants
    .filter((f) => (f.readUInt32BE(5) & 0x7fffffff) === of)
    .reduce((sum, f) => sum + (f.readUInt32BE(9) & 0x7fffffff), 65535);
  const settings = cutIntoFrames(bytes).filter((f) => f[3] === h2.SETTINGS && (f.length - 9) % 6 === 0);
  const initials = settings.flatMap((f) =>
    Array.from({ length: (f.length - 9) / 6 }, (_, i) =>
      f.readUInt16BE(9 + 6 * i) === 4 ? f.readUInt32BE(11 + 6 * i) : 0,
    ),
  );
  return of === 0 ? grown : Math.max(grown, grown - 65535 + Math.max(0, ...initials));
}

test(`${STREAMS} mutated streams: a clear result, the same however the bytes are cut, and a client that keeps the rules`, () => {
  const seen = new Set<string>();
  const small: UnaryCall = {
    target: "unix:///d.sock",
    path: "/s/M",
    message: Buffer.from("question"),
    timeoutMs: 1000,
  };
  const large: UnaryCall = { ...small, message: Buffer.alloc(400_000) };
  for (let n = 0; n < STREAMS; n++) {
    const bytes = mutated(random);
    const call = n % 16 === 0 ? large : small;
    const once = play(call, [bytes]);
    const cut = play(call, chunks(bytes, random));
    assertClear(once.outcome, bytes);
    assert.equal(cut.outcome, once.outcome, bytes.toString("hex"));
    const frames = clientFrames(cut.sent);
    const body = frames.filter(({ type }) => type === h2.DATA).reduce((sum, f) => sum + f.payload.length, 0);
    for (const window of [0, STREAM]) {
      assert.ok(body <= largestWindow(bytes, window), `${body} bytes were sent: ${bytes.toString("hex")}`);
    }
    seen.add(once.outcome.ok ? "ok" : `${once.outcome.error.type} ${once.outcome.error.status}`);
  }
  for (const outcome of ["ok", "status 5", "status 14", "protocol 8", "protocol 13", "protocol 14"]) {
    assert.ok(seen.has(outcome), `${outcome} was never seen: the mutations are too weak or too strong`);
  }
});

test("every stream cut short at every byte gives a clear result", () => {
  const call: UnaryCall = { target: "unix:///d.sock", path: "/s/M", message: EMPTY, timeoutMs: 1000 };
  for (const base of BASES) {
    for (let length = 0; length < base.length; length++) {
      const bytes = base.subarray(0, length);
      assertClear(play(call, [bytes]).outcome, bytes);
    }
    assert.ok(framesOf(base).length > 0);
  }
});

test(`${SOCKET_STREAMS} mutated streams over sockets, at times dripping or never ending: no call hangs, nothing is left behind`, async () => {
  const path = join(temporaryDirectory(), "fuzz.sock");
  const server = await listen(path, (socket) => {
    const pieces = chunks(mutated(random), random);
    const drips = random.below(2) === 0;
    const ends = random.below(3) > 0;
    const next = () => {
      const piece = drips ? pieces.shift() : Buffer.concat(pieces.splice(0));
      if (piece === undefined || piece.length === 0 || socket.destroyed) {
        if (ends) socket.end();
        return;
      }
      socket.write(piece);
      setImmediate(next);
    };
    socket.once("data", next);
    socket.resume();
  });
  const listeners = process.eventNames().map((name) => process.listenerCount(name));
  const before = process.getActiveResourcesInfo().length;
  for (let n = 0; n < SOCKET_STREAMS / 20; n++) {
    const calls = Array.from({ length: 20 }, () =>
      call({ target: path, path: "/s/M", message: Buffer.alloc(random.pick([0, 100, 200_000])), timeoutMs: 100 }),
    );
    for (const outcome of await Promise.all(calls)) {
      assertClear(outcome, EMPTY);
    }
  }
  assert.equal(
    process.eventNames().map((name) => process.listenerCount(name)),
    listeners,
  );
  await new Promise((resolve) => server.close(resolve));
  for (let turn = 0; turn < 1000 && process.getActiveResourcesInfo().length > before; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(process.getActiveResourcesInfo().length <= before);
});

test.run();
