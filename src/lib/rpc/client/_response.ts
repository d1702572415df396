import { ok, type Result } from "../../result.ts";
import type { Headers } from "./_hpack.ts";
import { decodeMessage, failure, oneLine, parseStatus, type StatusName, statusName, statusOfHttp } from "./_status.ts";
import type { CallFailure } from "./call.ts";

/** Largest message taken, in bytes: what gRPC servers and clients take unless told otherwise. */
export const MESSAGE_MAX = 4 * 1024 * 1024;

/** Bytes before a message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_SIZE = 5;

/** How a call ended. */
export type Outcome = Result<Uint8Array, CallFailure>;

/** A message with its prefix. */
export function prefixed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_SIZE + message.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, PREFIX_SIZE);
  return bytes;
}

/** The answer to a unary call as it arrives: header blocks and data in, outcome out when there is one. */
export class Response {
  readonly #target: string;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #messageSize: number | undefined;
  #started = false;

  constructor(target: string) {
    this.#target = target;
  }

  /** A header block: interim (1xx), the headers, or the trailers. */
  headers(headers: Headers, last: boolean): Outcome | undefined {
    return this.#started ? this.#trailers(headers, last) : this.#head(headers, last);
  }

  /** A piece of the body. */
  data(bytes: Buffer, last: boolean): Outcome | undefined {
    if (!this.#started) {
      return this.#broken("data came before headers");
    }
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    return this.#checkBody() ?? (last ? this.#broken("the answer ended without a gRPC status") : undefined);
  }

  #head(headers: Headers, last: boolean): Outcome | undefined {
    const http = headers.get(":status") ?? "";
    if (http !== "200" && !/^[1-5][0-9][0-9]$/.test(http)) {
      return this.#broken("the answer has no HTTP status");
    }
    if (http.startsWith("1")) {
      return last ? this.#broken("the answer ended with an interim HTTP status") : undefined;
    }
    this.#started = true;
    if (last && headers.has("grpc-status")) {
      return this.#ended(headers);
    }
    const type = headers.get("content-type") ?? "";
    if (http !== "200" || (type !== "application/grpc" && !/^application\/grpc[+;]/.test(type))) {
      return this.#notGrpc(http, type);
    }
    return last ? this.#broken("the answer ended without a gRPC status") : undefined;
  }

  #notGrpc(http: string, type: string): Outcome {
    const content = type === "" ? "no content type" : `content type ${type}`;
    const message = `${this.#target} answered with HTTP status ${http} and ${content} instead of gRPC`;
    return failure("status", statusOfHttp(Number(http)), message);
  }

  #trailers(headers: Headers, last: boolean): Outcome {
    if (!last) {
      return this.#broken("headers came twice");
    }
    return headers.has("grpc-status") ? this.#ended(headers) : this.#broken("the answer ended without a gRPC status");
  }

  #ended(headers: Headers): Outcome {
    const status = parseStatus(headers.get("grpc-status") ?? "");
    if (status !== 0) {
      const words = oneLine(decodeMessage(headers.get("grpc-message") ?? ""));
      return failure("status", status, words || `${this.#target} answered ${statusName(status)}`);
    }
    if (this.#messageSize === undefined || this.#size < PREFIX_SIZE + this.#messageSize) {
      return this.#broken(this.#size === 0 ? "status OK came without a message" : "the message is cut short");
    }
    return ok(this.#body().subarray(PREFIX_SIZE));
  }

  #checkBody(): Outcome | undefined {
    if (this.#messageSize === undefined) {
      if (this.#size < PREFIX_SIZE) {
        return undefined;
      }
      const prefix = this.#body();
      const size = prefix.readUInt32BE(1);
      if (prefix[0] === 1) {
        return this.#broken("the message is compressed although no compression was offered", "UNIMPLEMENTED");
      }
      if (prefix[0] !== 0) {
        return this.#broken("the message does not begin as gRPC messages do");
      }
      if (size > MESSAGE_MAX) {
        return this.#broken(`the message has ${size} bytes, more than ${MESSAGE_MAX}`, "RESOURCE_EXHAUSTED");
      }
      this.#messageSize = size;
    }
    return this.#size > PREFIX_SIZE + this.#messageSize ? this.#broken("more than one message came") : undefined;
  }

  #body(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  #broken(what: string, status: StatusName = "INTERNAL"): Outcome {
    return failure("protocol", status, `${this.#target}: ${what}`);
  }
}
