/** What a server may say, and what comes of it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { ANSWER, opened, receive, sent, settings, told, windowUpdate } from "./_connection.ts";
import {
  answer,
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

const INTERIM = headers(fields({ ":status": "103", link: "</x>" }));
const PADDED_ANSWER = h2.frame(
  h2.DATA,
  h2.PADDED,
  STREAM,
  Buffer.concat([Buffer.of(3), message(ANSWER).subarray(9), Buffer.alloc(3)]),
);
const PADDED_PRIORITY_HEADERS = headers(
  Buffer.concat([Buffer.of(2), Buffer.alloc(5), RESPONSE_FIELDS, Buffer.alloc(2)]),
  h2.END_HEADERS | h2.PADDED | h2.PRIORITY_FLAG,
);
const THREE_PART_HEADERS = Buffer.concat([
  headers(RESPONSE_FIELDS.subarray(0, 3), 0),
  h2.frame(h2.CONTINUATION, 0, STREAM, RESPONSE_FIELDS.subarray(3, 5)),
  h2.frame(h2.CONTINUATION, h2.END_HEADERS, STREAM, RESPONSE_FIELDS.subarray(5)),
]);
const GOAWAY_LATER = h2.frame(h2.GOAWAY, 0, 0, h2.uint32(2 ** 31 - 1, 0));

for (const [what, parts] of [
  ["an answer", [answer(ANSWER)]],
  ["an answer in data frames of one byte", [SETTINGS, headers(), message(ANSWER, 1), trailers(0)]],
  ["interim answers", [SETTINGS, INTERIM, INTERIM, headers(), message(ANSWER), trailers(0)]],
  ["padded data", [SETTINGS, headers(), PADDED_ANSWER, trailers(0)]],
  ["padded headers with a priority", [SETTINGS, PADDED_PRIORITY_HEADERS, message(ANSWER), trailers(0)]],
  ["headers in continuations", [SETTINGS, THREE_PART_HEADERS, message(ANSWER), trailers(0)]],
  ["frames of unknown types", [SETTINGS, h2.frame(200, 255, 77, ANSWER), headers(), message(ANSWER), trailers(0)]],
  [
    "a priority frame",
    [SETTINGS, h2.frame(h2.PRIORITY, 0, 3, Buffer.alloc(5)), headers(), message(ANSWER), trailers(0)],
  ],
  ["unknown settings", [settings([99, 1], [6, 100]), headers(), message(ANSWER), trailers(0)]],
  ["a server that goes away after this call", [SETTINGS, GOAWAY_LATER, headers(), message(ANSWER), trailers(0)]],
  ["a message beside its status", [SETTINGS, headers(), message(ANSWER), trailers(0, { "grpc-message": "fine" })]],
  ["an empty data frame", [SETTINGS, headers(), h2.frame(h2.DATA, 0, 1, EMPTY), message(ANSWER), trailers(0)]],
] as const) {
  test(`understood: ${what}`, () => {
    assert.is(told(receive(...parts)), "ok answer");
  });
}

test("an empty message is an answer", () => {
  assert.is(told(receive(answer(EMPTY))), "ok ");
});

for (const [what, parts, expected] of [
  ["a status in trailers only", [trailersOnly(5, { "grpc-message": "no such pool" })], /^status 5 no such pool$/],
  ["a status behind headers", [headers(), trailers(8, { "grpc-message": "full" })], /^status 8 full$/],
  ["a status behind a message", [headers(), message(ANSWER), trailers(13)], /^status 13 unix:.* answered INTERNAL$/],
  [
    "a percent-encoded message",
    [trailersOnly(5, { "grpc-message": "%C3%A9 %F0%9F%98%80%0Atwo%" })],
    /^status 5 é 😀 two%$/,
  ],
  ["a message that is not UTF-8", [trailersOnly(5, { "grpc-message": "%ff!" })], /^status 5 \ufffd!$/],
  ["a status without a message", [trailersOnly(14)], /^status 14 unix:\/\/\/run\/d.sock answered UNAVAILABLE$/],
  ["a message of blanks", [trailersOnly(14, { "grpc-message": "%0A%01 " })], /^status 14 .* answered UNAVAILABLE$/],
  ["a status that does not exist", [trailersOnly(17)], /^status 2 /],
  ["a status that is no number", [trailersOnly("x")], /^status 2 /],
  ["HTTP 400", [headers(fields({ ":status": "400" }))], /^status 13 unix:.* HTTP status 400 and no content type/],
  ["HTTP 401", [headers(fields({ ":status": "401" }))], /^status 16 /],
  ["HTTP 403", [headers(fields({ ":status": "403" }))], /^status 7 /],
  [
    "HTTP 404",
    [headers(fields({ ":status": "404", "content-type": "text/html" }))],
    /^status 12 .* 404 and content type text\/html/,
  ],
  ["HTTP 429", [headers(fields({ ":status": "429" }))], /^status 14 /],
  ["HTTP 503", [headers(fields({ ":status": "503" }))], /^status 14 /],
  ["HTTP 418", [headers(fields({ ":status": "418" }))], /^status 2 /],
  ["another content type", [headers(fields({ ":status": "200", "content-type": "application/grpcx" }))], /^status 2 /],
  ["HTTP 503 with a gRPC status", [headers(fields({ ":status": "503", "grpc-status": "8" }), 5)], /^status 8 /],
  ["a refused stream", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(7))], /^status 14 .*reset the call \(REFUSED_STREAM\)/],
  ["a cancelled stream", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(8))], /^status 1 .*CANCEL/],
  ["calm asked for", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(11))], /^status 8 .*ENHANCE_YOUR_CALM/],
  ["security asked for", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(12))], /^status 7 /],
  ["a reset for no reason", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(0))], /^status 13 /],
  ["a reset for an unknown reason", [h2.frame(h2.RST_STREAM, 0, 1, h2.uint32(99))], /^status 2 .*error 99/],
  [
    "a server that goes away before this call",
    [h2.frame(h2.GOAWAY, 0, 0, Buffer.concat([h2.uint32(0, 11), Buffer.from("too many\npings")]))],
    /^status 14 .*did not take the call: it is going away: ENHANCE_YOUR_CALM, too many pings$/,
  ],
] as const) {
  test(`the server's refusal is told: ${what}`, () => {
    assert.match(told(receive(SETTINGS, ...parts)), expected);
  });
}

for (const [what, parts, expected] of [
  ["status OK without a message", [headers(), trailers(0)], /13 .*without a message/],
  ["status OK in trailers only", [trailersOnly(0)], /13 .*without a message/],
  ["a message cut short", [headers(), message(ANSWER, 6).subarray(0, 15), trailers(0)], /13 .*cut short/],
  ["a message prefix cut short", [headers(), message(ANSWER, 3).subarray(0, 12), trailers(0)], /13 .*cut short/],
  ["two messages", [headers(), message(ANSWER), message(ANSWER)], /13 .*more than one/],
  ["a compressed message", [headers(), h2.frame(h2.DATA, 0, 1, Buffer.from([1, 0, 0, 0, 1, 9]))], /12 .*compressed/],
  ["a wrong message prefix", [headers(), h2.frame(h2.DATA, 0, 1, Buffer.from([2, 0, 0, 0, 1, 9]))], /13 .*begin/],
  ["a message over 4 MiB", [headers(), h2.frame(h2.DATA, 0, 1, Buffer.from([0, 0, 64, 0, 1]))], /8 .*4194305 bytes/],
  ["data before headers", [message(ANSWER)], /13 .*before headers/],
  ["data that ends the call", [headers(), h2.frame(h2.DATA, h2.END_STREAM, 1, EMPTY)], /13 .*without a gRPC status/],
  ["headers that end the call", [headers(RESPONSE_FIELDS, 5)], /13 .*without a gRPC status/],
  ["trailers without a status", [headers(), headers(fields({ a: "b" }), 5)], /13 .*without a gRPC status/],
  ["headers twice", [headers(), headers()], /13 .*twice/],
  ["headers without an HTTP status", [headers(fields({ a: "b" }))], /13 .*no HTTP status/],
  ["a strange HTTP status", [headers(fields({ ":status": "2000" }))], /13 .*no HTTP status/],
  ["an interim answer that ends the call", [headers(fields({ ":status": "100" }), 5)], /13 .*interim/],
] as const) {
  test(`the rules of gRPC are kept: ${what}`, () => {
    assert.match(told(receive(SETTINGS, ...parts)), new RegExp(`^protocol ${expected.source}`));
  });
}

function manyHeaders(): Buffer {
  const part = (type: number) => h2.frame(type, 0, STREAM, Buffer.alloc(16_000));
  return Buffer.concat([part(h2.HEADERS), ...Array.from({ length: 4 }, () => part(h2.CONTINUATION))]);
}

for (const [what, parts, code] of [
  ["data of no stream", [h2.frame(h2.DATA, 0, 0, EMPTY)], 1],
  ["headers of another stream", [h2.frame(h2.HEADERS, 4, 3, RESPONSE_FIELDS)], 1],
  ["a reset of another stream", [h2.frame(h2.RST_STREAM, 0, 2, h2.uint32(8))], 1],
  ["settings of a stream", [h2.frame(h2.SETTINGS, 0, 1, EMPTY)], 1],
  ["a ping of a stream", [h2.frame(h2.PING, 0, 1, Buffer.alloc(8))], 1],
  ["a push promise", [h2.frame(h2.PUSH_PROMISE, 4, 1, Buffer.alloc(8))], 1],
  ["a frame between headers and continuation", [headers(EMPTY, 0), SETTINGS], 1],
  ["a continuation of nothing", [h2.frame(h2.CONTINUATION, 4, 1, EMPTY)], 1],
  ["padding without room", [headers(), h2.frame(h2.DATA, h2.PADDED, 1, Buffer.of(4, 0, 0, 0))], 1],
  ["padding without its length", [h2.frame(h2.HEADERS, h2.PADDED, 1, EMPTY)], 1],
  ["a priority without room", [headers(Buffer.alloc(4), h2.PRIORITY_FLAG)], 1],
  ["push switched on", [settings([2, 1])], 1],
  ["frames too small", [settings([5, 16383])], 1],
  ["frames too large", [settings([5, 2 ** 24])], 1],
  ["a window update of nothing", [windowUpdate(0, 0)], 1],
  ["a window too large", [windowUpdate(1, 2 ** 31 - 1)], 3],
  ["a connection window too large", [windowUpdate(0, 2 ** 31 - 1)], 3],
  ["a first window too large", [settings([4, 2 ** 31])], 3],
  ["a first window that makes the window too large", [windowUpdate(1, 2 ** 31 - 70_000), settings([4, 2 ** 30])], 3],
  ["settings of a wrong size", [h2.frame(h2.SETTINGS, 0, 0, Buffer.alloc(5))], 6],
  ["an acknowledgement with a payload", [h2.frame(h2.SETTINGS, h2.ACK, 0, Buffer.alloc(6))], 6],
  ["a ping of a wrong size", [h2.frame(h2.PING, 0, 0, Buffer.alloc(7))], 6],
  ["a reset of a wrong size", [h2.frame(h2.RST_STREAM, 0, 1, Buffer.alloc(5))], 6],
  ["a going away of a wrong size", [h2.frame(h2.GOAWAY, 0, 0, Buffer.alloc(7))], 6],
  ["a window update of a wrong size", [h2.frame(h2.WINDOW_UPDATE, 0, 0, Buffer.alloc(3))], 6],
  ["a frame larger than we take", [Buffer.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1)], 6],
  ["headers that are no HPACK", [headers(Buffer.of(0x80))], 9],
  ["headers without an end", [manyHeaders()], 11],
] as const) {
  test(`the rules of HTTP/2 are kept: ${what}`, () => {
    const step = receive(SETTINGS, ...parts);
    assert.match(told(step), /^protocol 13 unix:\/\/\/run\/d.sock broke the rules of HTTP\/2: /);
    const last = sent(step).at(-1);
    assert.is(last?.type, h2.GOAWAY);
    assert.is(last?.payload.readUInt32BE(4), code);
  });
}

for (const [what, bytes] of [
  ["HTTP/1", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["headers before settings", headers()],
  ["an acknowledgement before settings", h2.frame(h2.SETTINGS, h2.ACK, 0, EMPTY)],
  ["zeros", Buffer.alloc(100)],
] as const) {
  test(`a server that does not speak HTTP/2 is told apart: ${what}`, () => {
    assert.match(told(receive(bytes)), /^protocol 14 .*no HTTP\/2 settings: is it the nv-ipam node daemon\?$/);
  });
}

test("a flood of frames ends the call", () => {
  const connection = opened();
  connection.receive(SETTINGS);
  const unknown = Buffer.concat(Array.from({ length: 1000 }, () => h2.frame(99, 0, 0, EMPTY)));
  let step = connection.receive(EMPTY);
  let rounds = 0;
  while (step.outcome === undefined && rounds++ < 1000) {
    step = connection.receive(unknown);
  }
  assert.match(told(step), /more than 100000 frames/);
  assert.is(sent(step).at(-1)?.payload.readUInt32BE(4), 11);
});

for (const [what, before, expected] of [
  ["at once", [], /^unix:\/\/\/run\/d.sock closed the connection without an answer$/],
  ["within an answer", [SETTINGS, headers(), message(ANSWER)], /closed the connection without an answer$/],
  [
    "after it said why",
    [SETTINGS, h2.frame(h2.GOAWAY, 0, 0, h2.uint32(1, 2))],
    /\(ECONNRESET; it is going away: INTERNAL_ERROR\)$/,
  ],
] as const) {
  test(`a connection that ends ${what} makes the call fail as unavailable`, () => {
    const connection = opened();
    connection.receive(Buffer.concat(before));
    const outcome = connection.closed(what === "after it said why" ? "ECONNRESET" : undefined);
    assert.match(outcome.ok ? "" : outcome.error.message, expected);
    assert.is(!outcome.ok && outcome.error.status, 14);
  });
}

test("what comes after the outcome changes nothing", () => {
  const connection = opened();
  connection.receive(answer(ANSWER));
  const step = connection.receive(Buffer.concat([Buffer.from("garbage"), trailers(5)]));
  assert.is(told(step), "ok answer");
  assert.equal(step.send, []);
  assert.ok(connection.closed("ECONNRESET").ok);
});

test("cancelling resets the stream", () => {
  const [reset] = framesOf(opened().cancel());
  assert.equal([reset?.type, reset?.stream, reset?.payload.readUInt32BE()], [h2.RST_STREAM, STREAM, 8]);
});

test.run();
