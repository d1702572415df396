import * as h2 from "./_frames.ts";
import { decodeHeaders, HEADER_LIST_MAX } from "./_hpack.ts";
import { requestHeaders } from "./_request.ts";
import { type Outcome, prefixed, Response } from "./_response.ts";
import { failure, statusOfReset } from "./_status.ts";
import { DEFAULT_WINDOW, Upload } from "./_upload.ts";
import type { UnaryCall } from "./call.ts";

/** What follows from bytes received: bytes to send, and the outcome once there is one. */
export interface Step {
  readonly send: readonly Buffer[];
  readonly outcome: Outcome | undefined;
}

interface HeaderBlock {
  readonly parts: Buffer[];
  readonly last: boolean;
  size: number;
}

const STREAM = 1;

/** How much a server may send before it must wait for us: more than any usual answer, so that none waits. */
const RECEIVE_WINDOW = 1024 * 1024;

/** No call needs more: it bounds what a server can make us do before the deadline. */
const FRAMES_MAX = 100_000;

/**
 * One unary gRPC call as a machine of bytes, RFC 9113 and "gRPC over HTTP/2": no socket, no clock. Its request is
 * stream 1, the only one there ever is.
 */
export class Connection {
  readonly #call: UnaryCall;
  readonly #reader = new h2.FrameReader();
  readonly #response: Response;
  readonly #upload: Upload;
  #send: Buffer[] = [];
  #outcome: Outcome | undefined;
  #frames = 0;
  /** Bytes of DATA frames since the last window update, padding included. */
  #received = 0;
  #headerBlock: HeaderBlock | undefined;
  #goaway: string | undefined;

  constructor(call: UnaryCall) {
    this.#call = call;
    this.#response = new Response(call.target);
    this.#upload = new Upload(STREAM, prefixed(call.message));
  }

  /**
   * The first bytes: preface, settings, headers and as much of the message as any server takes unasked. `timeoutMs`, a
   * positive integer, is what the server is told.
   */
  open(timeoutMs: number): Buffer {
    const settings = h2.settings([
      [h2.SETTINGS_HEADER_TABLE_SIZE, 0],
      [h2.SETTINGS_ENABLE_PUSH, 0],
      [h2.SETTINGS_INITIAL_WINDOW_SIZE, RECEIVE_WINDOW],
      [h2.SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX],
    ]);
    const parts = [
      Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
      h2.frame(h2.SETTINGS, 0, 0, settings),
      h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.uint32(RECEIVE_WINDOW - DEFAULT_WINDOW)),
    ];
    const headers = requestHeaders(this.#call, timeoutMs);
    for (let at = 0; at < headers.length; at += h2.FRAME_SIZE_MAX) {
      const end = at + h2.FRAME_SIZE_MAX;
      const flags = end < headers.length ? 0 : h2.END_HEADERS;
      parts.push(h2.frame(at === 0 ? h2.HEADERS : h2.CONTINUATION, flags, STREAM, headers.subarray(at, end)));
    }
    return Buffer.concat([...parts, ...this.#upload.frames()]);
  }

  /** Takes bytes of the server. Once there is an outcome, further bytes change nothing. */
  receive(bytes: Buffer): Step {
    this.#reader.push(bytes);
    while (this.#outcome === undefined) {
      const frame = this.#reader.next();
      if (frame === undefined) {
        break;
      }
      const violation = this.#frame(frame);
      if (violation !== undefined) {
        this.#violated(violation);
      }
    }
    const send = this.#send;
    this.#send = [];
    return { send, outcome: this.#outcome };
  }

  /** Takes that the server closed the connection, or that it broke for the reason given. */
  closed(reason?: string): Outcome {
    const why = [reason, this.#goaway].filter((text) => text !== undefined).join("; ");
    const message = `${this.#call.target} closed the connection without an answer${why === "" ? "" : ` (${why})`}`;
    this.#outcome ??= failure("protocol", "UNAVAILABLE", message);
    return this.#outcome;
  }

  /** Bytes that tell the server to give up the call. */
  cancel(): Buffer {
    return h2.frame(h2.RST_STREAM, 0, STREAM, h2.uint32(h2.ERROR_NAMES.indexOf("CANCEL")));
  }

  #violated({ code, what }: h2.Violation): void {
    this.#send.push(h2.frame(h2.GOAWAY, 0, 0, h2.uint32(0, h2.ERROR_NAMES.indexOf(code))));
    const message = `${this.#call.target} broke the rules of HTTP/2: ${what}`;
    this.#outcome = failure("protocol", this.#frames > 0 ? "INTERNAL" : "UNAVAILABLE", message);
  }

  #frame(frame: h2.Frame | "too large"): h2.Violation | undefined {
    const first = this.#frames === 0;
    if (first && (frame === "too large" || frame.type !== h2.SETTINGS || (frame.flags & h2.ACK) !== 0)) {
      return protocolError("its first bytes are no HTTP/2 settings: is it the nv-ipam node daemon?");
    }
    if (frame === "too large") {
      return { code: "FRAME_SIZE_ERROR", what: "a frame is larger than allowed" };
    }
    if (++this.#frames > FRAMES_MAX) {
      return { code: "ENHANCE_YOUR_CALM", what: `more than ${FRAMES_MAX} frames came` };
    }
    if ((this.#headerBlock !== undefined) !== (frame.type === h2.CONTINUATION)) {
      return protocolError("a header block and its continuations do not follow each other");
    }
    const fault = h2.checkShape(frame, STREAM);
    if (fault !== undefined) {
      return fault;
    }
    switch (frame.type) {
      case h2.DATA:
        return this.#data(frame);
      case h2.HEADERS:
        return this.#headers(frame);
      case h2.CONTINUATION:
        return this.#continuation(frame);
      case h2.RST_STREAM:
        return this.#reset(frame.payload.readUInt32BE());
      case h2.SETTINGS:
        return this.#settings(frame);
      case h2.PUSH_PROMISE:
        return protocolError("a push promise came although push is switched off");
      case h2.PING:
        return this.#ping(frame);
      case h2.GOAWAY:
        return this.#goingAway(frame.payload);
      case h2.WINDOW_UPDATE:
        return this.#windowUpdate(frame);
      default:
        return undefined;
    }
  }

  #data(frame: h2.Frame): h2.Violation | undefined {
    const body = h2.unpadded(frame);
    if (body === undefined) {
      return protocolError("a frame is all padding");
    }
    this.#outcome = this.#response.data(body, (frame.flags & h2.END_STREAM) !== 0);
    this.#received += frame.payload.length;
    if (this.#received >= RECEIVE_WINDOW / 2) {
      const more = h2.uint32(this.#received);
      this.#send.push(h2.frame(h2.WINDOW_UPDATE, 0, 0, more), h2.frame(h2.WINDOW_UPDATE, 0, STREAM, more));
      this.#received = 0;
    }
    return undefined;
  }

  #headers(frame: h2.Frame): h2.Violation | undefined {
    const padded = h2.unpadded(frame);
    const skipped = (frame.flags & h2.PRIORITY_FLAG) === 0 ? 0 : 5;
    if (padded === undefined || padded.length < skipped) {
      return protocolError("a frame is all padding");
    }
    this.#headerBlock = { parts: [], size: 0, last: (frame.flags & h2.END_STREAM) !== 0 };
    return this.#headerPart(this.#headerBlock, padded.subarray(skipped), frame.flags);
  }

  #continuation(frame: h2.Frame): h2.Violation | undefined {
    return this.#headerBlock && this.#headerPart(this.#headerBlock, frame.payload, frame.flags);
  }

  #headerPart(block: HeaderBlock, part: Buffer, flags: number): h2.Violation | undefined {
    block.parts.push(part);
    block.size += part.length;
    if (block.size > HEADER_LIST_MAX) {
      return { code: "ENHANCE_YOUR_CALM", what: "the header list is too large" };
    }
    if ((flags & h2.END_HEADERS) === 0) {
      return undefined;
    }
    this.#headerBlock = undefined;
    const headers = decodeHeaders(Buffer.concat(block.parts));
    if (!headers.ok) {
      return { code: "COMPRESSION_ERROR", what: headers.error };
    }
    this.#outcome = this.#response.headers(headers.value, block.last);
    return undefined;
  }

  #reset(code: number): undefined {
    const name = h2.ERROR_NAMES[code];
    const message = `${this.#call.target} reset the call (${name ?? `error ${code}`})`;
    this.#outcome = failure("status", statusOfReset(name), message);
  }

  #settings(frame: h2.Frame): h2.Violation | undefined {
    if ((frame.flags & h2.ACK) !== 0) {
      return undefined;
    }
    for (let at = 0; at < frame.payload.length; at += 6) {
      const violation = this.#setting(frame.payload.readUInt16BE(at), frame.payload.readUInt32BE(at + 2));
      if (violation !== undefined) {
        return violation;
      }
    }
    this.#send.push(h2.frame(h2.SETTINGS, h2.ACK, 0, Buffer.alloc(0)), ...this.#upload.frames());
    return undefined;
  }

  #setting(id: number, value: number): h2.Violation | undefined {
    if (id === h2.SETTINGS_ENABLE_PUSH && value !== 0) {
      return protocolError("a server cannot take pushes");
    }
    if (id === h2.SETTINGS_INITIAL_WINDOW_SIZE && !this.#upload.setInitialWindow(value)) {
      return TOO_LARGE_A_WINDOW;
    }
    if (id === h2.SETTINGS_MAX_FRAME_SIZE) {
      if (value < h2.FRAME_SIZE_MAX || value >= 2 ** 24) {
        return protocolError(`frames of ${value} bytes cannot be asked for`);
      }
      this.#upload.setFrameSize(value);
    }
    return undefined;
  }

  #ping(frame: h2.Frame): undefined {
    if ((frame.flags & h2.ACK) === 0) {
      this.#send.push(h2.frame(h2.PING, h2.ACK, 0, frame.payload));
    }
  }

  #goingAway(payload: Buffer): undefined {
    const code = payload.readUInt32BE(4);
    const debug = payload.toString("utf8", 8, 208);
    const name = h2.ERROR_NAMES[code] ?? `error ${code}`;
    this.#goaway = `it is going away: ${name}${debug === "" ? "" : `, ${debug}`}`;
    if ((payload.readUInt32BE() & 0x7fffffff) < STREAM) {
      const message = `${this.#call.target} did not take the call: ${this.#goaway}`;
      this.#outcome = failure("status", "UNAVAILABLE", message);
    }
  }

  #windowUpdate(frame: h2.Frame): h2.Violation | undefined {
    const bytes = frame.payload.readUInt32BE() & 0x7fffffff;
    if (bytes === 0) {
      return protocolError("a window update adds nothing");
    }
    if (!this.#upload.grow(frame.stream, bytes)) {
      return TOO_LARGE_A_WINDOW;
    }
    this.#send.push(...this.#upload.frames());
    return undefined;
  }
}

const TOO_LARGE_A_WINDOW: h2.Violation = { code: "FLOW_CONTROL_ERROR", what: "a window is larger than allowed" };

function protocolError(what: string): h2.Violation {
  return { code: "PROTOCOL_ERROR", what };
}
