/** Frame types of HTTP/2, RFC 9113 section 6. */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Settings, RFC 9113 section 6.5.2. */
export const SETTINGS_HEADER_TABLE_SIZE = 1;
export const SETTINGS_ENABLE_PUSH = 2;
export const SETTINGS_INITIAL_WINDOW_SIZE = 4;
export const SETTINGS_MAX_FRAME_SIZE = 5;
export const SETTINGS_MAX_HEADER_LIST_SIZE = 6;

/** Frame flags; ACK and END_STREAM share a bit. */
export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITY_FLAG = 0x20;

/** Error codes, RFC 9113 section 7, by number. */
export const ERROR_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
] as const;

/** Name of one of the error codes. */
export type ErrorName = (typeof ERROR_NAMES)[number];

/** Payload size that every HTTP/2 peer takes, and the largest that we take. */
export const FRAME_SIZE_MAX = 16384;

const HEADER_SIZE = 9;

/** One frame as it came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One frame, ready to send. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_SIZE + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEADER_SIZE);
  return bytes;
}

/** The payload of the frames that carry one or two 32-bit numbers. */
export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeUInt32BE(value, 4 * index);
  });
  return bytes;
}

/** The payload of a SETTINGS frame. */
export function settings(values: ReadonlyArray<readonly [id: number, value: number]>): Buffer {
  return Buffer.concat(values.flatMap(([id, value]) => [Buffer.of(0, id), uint32(value)]));
}

/** What breaks the rules of HTTP/2 in a peer's bytes, and the error code that tells it so. */
export interface Violation {
  readonly code: ErrorName;
  readonly what: string;
}

/** Where a frame type may come (c: the connection, s: the stream) and the sizes that its payload may have. */
const SHAPES: Readonly<Record<number, { on: "c" | "s" | "cs"; fits(size: number, ack: boolean): boolean }>> = {
  [DATA]: { on: "s", fits: () => true },
  [HEADERS]: { on: "s", fits: () => true },
  [CONTINUATION]: { on: "s", fits: () => true },
  [RST_STREAM]: { on: "s", fits: (size) => size === 4 },
  [SETTINGS]: { on: "c", fits: (size, ack) => (ack ? size === 0 : size % 6 === 0) },
  [PING]: { on: "c", fits: (size) => size === 8 },
  [GOAWAY]: { on: "c", fits: (size) => size >= 8 },
  [WINDOW_UPDATE]: { on: "cs", fits: (size) => size === 4 },
};

/** What is wrong with a frame's stream or size, where `stream` is the only one open. Unknown types are right. */
export function checkShape(frame: Frame, stream: number): Violation | undefined {
  const shape = SHAPES[frame.type];
  if (shape === undefined) {
    return undefined;
  }
  const place = frame.stream === 0 ? "c" : "s";
  if (!shape.on.includes(place) || (place === "s" && frame.stream !== stream)) {
    return { code: "PROTOCOL_ERROR", what: `a frame of type ${frame.type} came on stream ${frame.stream}` };
  }
  const size = frame.payload.length;
  if (!shape.fits(size, (frame.flags & ACK) !== 0)) {
    return { code: "FRAME_SIZE_ERROR", what: `a frame of type ${frame.type} has ${size} bytes` };
  }
  return undefined;
}

/** The payload of a DATA or HEADERS frame without padding; undefined if the padding leaves no room for itself. */
export function unpadded({ flags, payload }: Frame): Buffer | undefined {
  if ((flags & PADDED) === 0) {
    return payload;
  }
  const end = payload.length - (payload[0] ?? 0);
  return end < 1 ? undefined : payload.subarray(1, end);
}

/** Cuts a byte stream into frames, however it is chunked. */
export class FrameReader {
  #parts: Buffer[] = [];
  #size = 0;
  #needed = HEADER_SIZE;

  push(bytes: Buffer): void {
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  /** The next complete frame, undefined if it has not come yet, "too large" as soon as its header says so. */
  next(): Frame | "too large" | undefined {
    if (this.#size < this.#needed) {
      return undefined;
    }
    const [only] = this.#parts;
    const bytes = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#parts = [bytes];
    const length = bytes.readUIntBE(0, 3);
    if (length > FRAME_SIZE_MAX) {
      return "too large";
    }
    this.#needed = HEADER_SIZE + length;
    if (this.#size < this.#needed) {
      return undefined;
    }
    const payload = bytes.subarray(HEADER_SIZE, this.#needed);
    const frame = { type: bytes[3] ?? 0, flags: bytes[4] ?? 0, stream: bytes.readUInt32BE(5) & 0x7fffffff, payload };
    this.#size -= this.#needed;
    this.#parts = this.#size > 0 ? [bytes.subarray(this.#needed)] : [];
    this.#needed = HEADER_SIZE;
    return frame;
  }
}
