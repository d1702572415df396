/** What the client sends: its first bytes, acknowledgements, and what windows allow. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { decodeHeaders } from "../../../src/lib/rpc/client/_hpack.ts";
import { Connection } from "../../../src/lib/rpc/client/connection.ts";
import {
  ANSWER,
  CALL,
  dataSize,
  opened,
  receive,
  sent,
  settings,
  told,
  typesAndFlags,
  windowUpdate,
} from "./_connection.ts";
import { clientFrames, EMPTY, framesOf, headers, message, SETTINGS, STREAM, trailers } from "./_frames_of.ts";

test("the first bytes are the preface, settings without dynamic table and push, headers and the message", () => {
  const metadata = { "nv-ipam-network": "net-a" };
  const frames = clientFrames(new Connection({ ...CALL, metadata }).open(4800));
  assert.equal(typesAndFlags(frames), [
    [h2.SETTINGS, 0],
    [h2.WINDOW_UPDATE, 0],
    [h2.HEADERS, h2.END_HEADERS],
    [h2.DATA, h2.END_STREAM],
  ]);
  const [first, , block, data] = frames;
  assert.is(first?.payload.toString("hex").slice(0, 24), "000100000000000200000000");
  const decoded = decodeHeaders(block?.payload ?? EMPTY);
  assert.equal(decoded.ok && [...decoded.value], [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/package.Service/Method"],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["user-agent", "nv-ipam"],
    ["te", "trailers"],
    ["grpc-timeout", "4800m"],
    ["nv-ipam-network", "net-a"],
  ]);
  assert.is(data?.payload.toString("latin1"), "\0\0\0\0\x08question");
});

test("a timeout of more than eight digits is told in seconds", () => {
  const frames = clientFrames(new Connection(CALL).open(100_000_999));
  const block = frames.find(({ type }) => type === h2.HEADERS);
  const decoded = decodeHeaders(block?.payload ?? EMPTY);
  assert.is(decoded.ok && decoded.value.get("grpc-timeout"), "100000S");
});

test("headers larger than a frame go on in continuations", () => {
  const metadata = { "x-large": "v".repeat(40_000) };
  const frames = clientFrames(new Connection({ ...CALL, metadata }).open(1));
  const blocks = frames.filter(({ type }) => type === h2.HEADERS || type === h2.CONTINUATION);
  assert.equal(typesAndFlags(blocks), [
    [h2.HEADERS, 0],
    [h2.CONTINUATION, 0],
    [h2.CONTINUATION, h2.END_HEADERS],
  ]);
  const decoded = decodeHeaders(Buffer.concat(blocks.map(({ payload }) => payload)));
  assert.is(decoded.ok && decoded.value.get("x-large")?.length, 40_000);
});

test("settings are acknowledged and pings answered with their own payload; acknowledgements are not", () => {
  const payload = Buffer.from("12345678");
  const step = receive(
    SETTINGS,
    h2.frame(h2.SETTINGS, h2.ACK, 0, EMPTY),
    h2.frame(h2.PING, 0, 0, payload),
    h2.frame(h2.PING, h2.ACK, 0, payload),
  );
  assert.equal(typesAndFlags(sent(step)), [
    [h2.SETTINGS, h2.ACK],
    [h2.PING, h2.ACK],
  ]);
  assert.equal(sent(step).at(-1)?.payload, payload);
});

test("a large message waits for both windows and ends with the last byte", () => {
  const size = 300_000;
  const connection = new Connection({ ...CALL, message: Buffer.alloc(size, 7) });
  let frames = clientFrames(connection.open(1000));
  let total = dataSize(frames);
  assert.is(total, 65535);
  frames = sent(connection.receive(Buffer.concat([SETTINGS, windowUpdate(0, 200_000)])));
  assert.is(dataSize(frames), 0);
  frames = sent(connection.receive(windowUpdate(STREAM, 100_000)));
  assert.is(dataSize(frames), 100_000);
  total += 100_000;
  frames = sent(connection.receive(settings([h2.SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000])));
  assert.is(dataSize(frames), 100_000);
  total += 100_000;
  frames = sent(connection.receive(windowUpdate(0, 1_000_000)));
  total += dataSize(frames);
  assert.is(total, size + 5);
  assert.is(frames.at(-1)?.flags, h2.END_STREAM);
  assert.ok(frames.every(({ payload }) => payload.length <= 16384));
});

test("a smaller first window of the server makes the window negative until it has grown again", () => {
  const connection = new Connection({ ...CALL, message: Buffer.alloc(100_000) });
  connection.open(1000);
  const grown = Buffer.concat([settings([h2.SETTINGS_INITIAL_WINDOW_SIZE, 1000]), windowUpdate(0, 100_000)]);
  assert.is(dataSize(sent(connection.receive(grown))), 0);
  assert.is(dataSize(sent(connection.receive(windowUpdate(STREAM, 65535 - 1000)))), 0);
  assert.is(dataSize(sent(connection.receive(windowUpdate(STREAM, 1234)))), 1234);
});

test("a server's larger frame size is used", () => {
  const connection = new Connection({ ...CALL, message: Buffer.alloc(165_530) });
  connection.open(1000);
  const step = connection.receive(
    Buffer.concat([
      settings([h2.SETTINGS_MAX_FRAME_SIZE, 100_000]),
      windowUpdate(0, 100_000),
      windowUpdate(1, 100_000),
    ]),
  );
  const last = step.send.at(-1) ?? EMPTY;
  assert.is(last.readUIntBE(0, 3), 100_000);
  assert.is(last[4], h2.END_STREAM);
});

test("a large answer has its windows replenished and passes", () => {
  const connection = opened();
  connection.receive(Buffer.concat([SETTINGS, headers()]));
  const large = Buffer.alloc(3_000_000, 1);
  let allowed = 1024 * 1024;
  let total = 0;
  for (const part of framesOf(message(large))) {
    allowed -= part.payload.length;
    assert.ok(allowed >= 0);
    const updates = sent(connection.receive(h2.frame(h2.DATA, 0, STREAM, part.payload)));
    const ofConnection = updates.filter(({ stream }) => stream === 0);
    const ofStream = updates.filter(({ stream }) => stream === STREAM);
    assert.equal(
      ofConnection.map(({ payload }) => payload),
      ofStream.map(({ payload }) => payload),
    );
    allowed += ofConnection.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
    assert.ok(allowed <= 1024 * 1024);
    total += part.payload.length;
  }
  const { outcome } = connection.receive(trailers(0));
  assert.is(total, large.length + 5);
  assert.ok(outcome?.ok && large.equals(outcome.value));
});

test("padding counts as data: its windows are replenished too", () => {
  const connection = opened();
  connection.receive(Buffer.concat([SETTINGS, headers()]));
  const padding = h2.frame(h2.DATA, h2.PADDED, STREAM, Buffer.concat([Buffer.of(255), Buffer.alloc(255)]));
  let replenished = 0;
  for (let i = 0; i < 5000; i++) {
    const updates = sent(connection.receive(padding)).filter(({ stream }) => stream === STREAM);
    replenished += updates.reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);
  }
  assert.ok(replenished > 5000 * 256 - 1024 * 1024);
  assert.is(told(connection.receive(Buffer.concat([message(ANSWER), trailers(0)]))), "ok answer");
});

test.run();
