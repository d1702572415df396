/**
 * A caller that costs next to nothing, so that a measurement is about the server: one as dear as the server would make every
 * method look alike. It knows no more of HTTP/2 (RFC 9113) and gRPC than it needs with a server that keeps to both.
 */
import { connect, type Socket } from "node:net";

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;

const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;

const FRAME_HEADER_BYTES = 9;
/** As much as can be: answers are never held up. */
const WINDOW_INCREMENT = 2 ** 31 - 1 - 65_535;

/** A call, encoded before the clock runs; only the stream's number is missing. */
export interface Call {
  readonly path: string;
  readonly bytes: Buffer;
  /** Where the frame with the message begins, behind that with the headers. */
  readonly messageAt: number;
}

/** Encodes a call of the method at `path`. */
export function encodeCall(path: string, message: Uint8Array): Call {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    te: "trailers",
    "content-type": "application/grpc",
    "nv-ipam-network": "bench",
  };
  const headers = frame(HEADERS, END_HEADERS, Buffer.concat(Object.entries(fields).map(headerField)));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  const bytes = Buffer.concat([headers, frame(DATA, END_STREAM, Buffer.concat([prefix, message]))]);
  return { path, bytes, messageAt: headers.length };
}

/** One connection that makes one call at a time. */
export class Caller {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #stream = -1;
  #answered = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => this.#waiting?.reject(new Error("the daemon closed the connection")));
    const window = Buffer.alloc(4);
    window.writeUInt32BE(WINDOW_INCREMENT);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Buffer.concat([frame(SETTINGS, 0, Buffer.alloc(0)), frame(WINDOW_UPDATE, 0, window)]));
  }

  /** @param path of the daemon's socket */
  static connect(path: string): Promise<Caller> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path });
      socket.once("connect", () => resolve(new Caller(socket))).once("error", reject);
    });
  }

  /** Makes a call that has to succeed. @throws when it does not. */
  call({ path, bytes, messageAt }: Call): Promise<void> {
    this.#stream += 2;
    bytes.writeUInt32BE(this.#stream, 5);
    bytes.writeUInt32BE(this.#stream, messageAt + 5);
    this.#answered = false;
    this.#waiting = Promise.withResolvers();
    this.#socket.write(bytes);
    return this.#waiting.promise.catch((error: Error) => {
      throw new Error(`${path}: ${error.message}`);
    });
  }

  /** Bytes that the daemon has sent. */
  get received(): number {
    return this.#socket.bytesRead;
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let rest = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (rest.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      this.#frame(rest.readUInt8(3), rest.readUInt8(4), rest.subarray(FRAME_HEADER_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#received = rest;
  }

  #frame(type: number, flags: number, payload: Buffer): void {
    if (type === DATA) this.#answered = true;
    // A call that succeeds has an answer before its trailers; one that does not has trailers only.
    else if (type === HEADERS && (flags & END_STREAM) !== 0) {
      if (this.#answered) this.#waiting?.resolve();
      else this.#waiting?.reject(new Error("the call was refused"));
    } else if (type === SETTINGS && (flags & ACK) === 0) this.#socket.write(frame(SETTINGS, ACK, Buffer.alloc(0)));
    else if (type === PING && (flags & ACK) === 0) this.#socket.write(frame(PING, ACK, payload));
    else if (type === RST_STREAM || type === GOAWAY) this.#waiting?.reject(new Error("the call was cut off"));
  }
}

/** A frame of stream 0. */
function frame(type: number, flags: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  return Buffer.concat([header, payload]);
}

/** A field as HPACK writes it without its tables (RFC 7541, section 6.2.2); both texts are shorter than 127 bytes. */
function headerField([name, value]: readonly [string, string]): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}
