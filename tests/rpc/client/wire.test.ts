/** What the original's plugin and its daemon said to each other: our messages are the same, its answers are understood. */
import { join } from "node:path";
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { decodeHeaders, type Headers } from "../../../src/lib/rpc/client/_hpack.ts";
import type { Outcome } from "../../../src/lib/rpc/client/_response.ts";
import { call } from "../../../src/lib/rpc/client/call.ts";
import { Connection } from "../../../src/lib/rpc/client/connection.ts";
import { AllocateResponse } from "../../../src/lib/rpc/generated/node.ts";
import { clientFrames, cutIntoFrames } from "./_frames_of.ts";
import { listen, temporaryDirectory } from "./_peer_process.ts";
import { bytesOf, chunksOf, rpcOf, WIRE_VECTORS, type WireVector } from "./_wire.ts";

const CODES: Readonly<Record<string, number>> = {
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  ResourceExhausted: 8,
};

/** The header fields and the body of a request as a client sent them. */
function request(bytes: Buffer): { headers: Headers; body: Buffer } {
  const frames = clientFrames(bytes);
  const payloads = (type: number) => Buffer.concat(frames.filter((f) => f.type === type).map((f) => f.payload));
  const headers = decodeHeaders(payloads(h2.HEADERS));
  if (!headers.ok) throw new Error(headers.error);
  return { headers: headers.value, body: payloads(h2.DATA) };
}

/** The outcome in the shape of the vector's, or what the plugin would have to say of a failure. */
function asCni(outcome: Outcome, { call }: WireVector): unknown {
  if (!outcome.ok) return { status: outcome.error.status, message: outcome.error.message };
  if (call.command !== "ADD") return outcome.value.length === 0 ? "" : outcome.value;
  const { allocations } = AllocateResponse.decode(outcome.value);
  return {
    ips: allocations.map(({ ip, gateway }) => (gateway === "" ? { address: ip } : { address: ip, gateway })),
    routes: allocations.flatMap(({ routes, gateway }) => routes.map(({ dest }) => ({ dst: dest, gw: gateway }))),
  };
}

function recorded({ outcome }: WireVector): unknown {
  if (outcome.exit !== 0) {
    const { msg } = outcome.stdout as { msg: string };
    const [, code = "", message] = /code = (\w+) desc = (.*)$/.exec(msg) ?? [];
    return { status: CODES[code], message };
  }
  if (outcome.stdout === "") return "";
  const { ips, routes = [] } = outcome.stdout as { ips: unknown; routes?: unknown };
  return { ips, routes };
}

const CHUNKINGS: Readonly<Record<string, (vector: WireVector) => Buffer[]>> = {
  "as recorded": (vector) => chunksOf(vector, "server"),
  "all at once": (vector) => [bytesOf(vector, "server")],
  "frame by frame": (vector) => cutIntoFrames(bytesOf(vector, "server")),
  "byte by byte": (vector) => Array.from(bytesOf(vector, "server"), (byte) => Buffer.of(byte)),
};

test("all sixteen recorded exchanges are there", () => {
  assert.is(WIRE_VECTORS.length, 16);
});

const ours = suite("what the client sends");
for (const vector of WIRE_VECTORS) {
  ours(`${vector.name}: ${vector.why}`, () => {
    const connection = new Connection({ target: "x", timeoutMs: 5000, ...rpcOf(vector) });
    const sent = request(connection.open(4800));
    const original = request(bytesOf(vector, "client"));
    for (const name of [":method", ":scheme", ":path", ":authority", "content-type", "te"]) {
      assert.is(sent.headers.get(name), original.headers.get(name), name);
    }
    assert.is(sent.body.toString("hex"), original.body.toString("hex"));
  });
}
ours.run();

const answered = WIRE_VECTORS.filter(({ name }) => name !== "add-deadline");

const theirs = suite("what the server answers");
for (const vector of answered) {
  for (const [chunking, cut] of Object.entries(CHUNKINGS)) {
    theirs(`${vector.name}, ${chunking}`, () => {
      const connection = new Connection({ target: "x", timeoutMs: 5000, ...rpcOf(vector) });
      connection.open(4800);
      const outcomes = cut(vector).map((chunk) => connection.receive(chunk).outcome);
      const outcome = outcomes.find((o) => o !== undefined) ?? connection.closed();
      assert.equal(asCni(outcome, vector), recorded(vector));
    });
  }
}
theirs.run();

const replayed = suite("a fake server on a socket");
const directory = temporaryDirectory();
for (const vector of WIRE_VECTORS) {
  for (const [chunking, cut] of Object.entries(CHUNKINGS)) {
    replayed(`${vector.name}, ${chunking}`, async () => {
      const path = join(directory, `${vector.name}-${chunking}.sock`);
      const server = await listen(path, (socket) => {
        socket.setNoDelay(true);
        socket.once("data", () => {
          for (const chunk of cut(vector)) socket.write(chunk);
        });
      });
      const silent = vector.name === "add-deadline";
      const outcome = await call({ target: path, timeoutMs: silent ? 50 : 60_000, ...rpcOf(vector) });
      server.close();
      if (silent) {
        const message = `${path} did not answer within 0.05 s`;
        assert.equal(outcome, { ok: false, error: { type: "deadline", status: 4, message } });
      } else {
        assert.equal(asCni(outcome, vector), recorded(vector));
      }
    });
  }
}
replayed.run();

test.run();
