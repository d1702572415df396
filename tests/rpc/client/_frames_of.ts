/** Builds what a gRPC server sends and takes apart what the client sends, for tests. */
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import { encodeField } from "../../../src/lib/rpc/client/_hpack.ts";
import { prefixed } from "../../../src/lib/rpc/client/_response.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const EMPTY = Buffer.alloc(0);
export const SETTINGS = h2.frame(h2.SETTINGS, 0, 0, EMPTY);
export const STREAM = 1;

/** Frames of what a client sent from its start. */
export function clientFrames(bytes: Buffer): h2.Frame[] {
  if (bytes.toString("latin1", 0, PREFACE.length) !== PREFACE) throw new Error("no HTTP/2 preface");
  return framesOf(bytes.subarray(PREFACE.length));
}

/** Complete frames of any size, in order; throws if bytes are left over. */
export function framesOf(bytes: Buffer): h2.Frame[] {
  return cutIntoFrames(bytes).map((piece) => {
    if (piece.length < 9 || piece.length !== 9 + piece.readUIntBE(0, 3)) {
      throw new Error(`${piece.length} bytes are no complete frame`);
    }
    const [, , , type = 0, flags = 0] = piece;
    return { type, flags, stream: piece.readUInt32BE(5), payload: piece.subarray(9) };
  });
}

/** Cuts the bytes where frames end; what is no complete frame stays in one piece. */
export function cutIntoFrames(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 9 <= bytes.length ? at + 9 + bytes.readUIntBE(at, 3) : bytes.length;
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

export function fields(pairs: Readonly<Record<string, string>>): Buffer {
  const block = Object.entries(pairs).map(([name, value]) => encodeField(name, value));
  return Buffer.from(block.join(""), "latin1");
}

export const RESPONSE_FIELDS = fields({ ":status": "200", "content-type": "application/grpc" });

export function headers(block: Buffer = RESPONSE_FIELDS, flags: number = h2.END_HEADERS): Buffer {
  return h2.frame(h2.HEADERS, flags, STREAM, block);
}

/** The headers that end an answer; `extra` fields go behind the status. */
export function trailers(status: number | string, extra: Readonly<Record<string, string>> = {}): Buffer {
  return headers(fields({ "grpc-status": `${status}`, ...extra }), h2.END_HEADERS | h2.END_STREAM);
}

/** An answer without a body: status and message stand in its only header block. */
export function trailersOnly(status: number | string, extra: Readonly<Record<string, string>> = {}): Buffer {
  const block = Buffer.concat([RESPONSE_FIELDS, fields({ "grpc-status": `${status}`, ...extra })]);
  return headers(block, h2.END_HEADERS | h2.END_STREAM);
}

/** DATA frames that carry one message, each with at most `size` bytes. */
export function message(bytes: Uint8Array, size: number = h2.FRAME_SIZE_MAX): Buffer {
  const body = prefixed(bytes);
  const frames: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    frames.push(h2.frame(h2.DATA, 0, STREAM, body.subarray(at, at + size)));
  }
  return Buffer.concat(frames);
}

/** A complete answer as a server usually sends it. */
export function answer(bytes: Uint8Array): Buffer {
  return Buffer.concat([SETTINGS, headers(), message(bytes), trailers(0)]);
}
