import type { Result } from "../../result.ts";
import { explainConnectError } from "./_connect.ts";
import { checkRequest } from "./_request.ts";
import { failure, statusCode } from "./_status.ts";
import { connectWire, type Wire } from "./_wire.ts";
import { Connection } from "./connection.ts";
import { type Address, parseTarget } from "./target.ts";

/** One unary gRPC call over a connection of its own. */
export interface UnaryCall {
  /** A socket path, `unix:path`, `unix:///path` or `tcp://host:port` (also `tcp://[::1]:port`). */
  readonly target: string;
  /** The method's path: `/nvidia.ipam.node.v1.IPAMService/Allocate`. */
  readonly path: string;
  /** The request, encoded, without the gRPC prefix. */
  readonly message: Uint8Array;
  /** Request headers: lower-case names without `grpc-` in front or `-bin` behind, values in printable ASCII. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Limit for the whole call, connecting included, in milliseconds. The server is told a little less. */
  readonly timeoutMs: number;
  /** The limit that messages name, where `timeoutMs` is only what is left of it. */
  readonly limitMs?: number;
}

/**
 * Why a call gave no answer.
 *
 * - `target`: the target cannot be understood; nothing was sent.
 * - `connect`: no connection could be made; nothing was sent.
 * - `status`: the server answered with a status other than OK, or refused the call (HTTP status, RST_STREAM, GOAWAY).
 * - `deadline`: the time was up, by our clock or by the server's; the server may or may not have carried the request out.
 * - `protocol`: the request cannot be sent as gRPC, or the server broke off or broke the rules of HTTP/2 or gRPC.
 */
export type CallFailure = {
  readonly type: "target" | "connect" | "status" | "deadline" | "protocol";
  /** gRPC status code: the server's, or the one that fits (4 deadline, 13 internal, 14 unavailable …). */
  readonly status: number;
  /** One line for people; the server's own words where it sent some, else it names the target. */
  readonly message: string;
};

/** The longest time that a timer can measure, in milliseconds: 24 days. */
const TIMER_MAX = 2 ** 31 - 1;

/** How long to wait before the next try when the queue of a unix socket is full, in milliseconds. */
const RETRY_MS = 20;

/**
 * Carries out one unary call; never rejects. The connection is closed afterwards and nothing keeps the process alive, but
 * for a look-up of a host's name that has not ended yet.
 */
export function call(options: UnaryCall): Promise<Result<Uint8Array, CallFailure>> {
  const { target } = options;
  const address = parseTarget(target);
  if (!address.ok) {
    return Promise.resolve(failure("target", "INVALID_ARGUMENT", `target "${target}": ${address.error}`));
  }
  const fault = checkRequest(options);
  if (fault !== undefined) {
    return Promise.resolve(failure("protocol", "INVALID_ARGUMENT", `${target}: ${fault}`));
  }
  const timeoutMs = options.timeoutMs > 0 ? Math.min(options.timeoutMs, TIMER_MAX) : 0;
  return new Promise((resolve) => new Exchange({ ...options, timeoutMs }, address.value, resolve).start());
}

type Outcome = Result<Uint8Array, CallFailure>;

/** A call under way: one connection at a time, one timer for all of it. */
class Exchange {
  readonly #call: UnaryCall;
  readonly #address: Address;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #connection: Connection;
  readonly #deadline: number;
  /** When the server gives up; it counts from when it hears of the call, so a little later. */
  #serverDeadline = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #wire: Wire | undefined;
  #connected = false;

  constructor(call: UnaryCall, address: Address, resolve: (outcome: Outcome) => void) {
    this.#call = call;
    this.#address = address;
    this.#resolve = resolve;
    this.#connection = new Connection(call);
    this.#deadline = performance.now() + call.timeoutMs;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#expire(), this.#call.timeoutMs);
    this.#connect();
  }

  #connect(): void {
    const wire = connectWire(this.#address, {
      connected: () => {
        this.#connected = true;
        const now = performance.now();
        const timeoutMs = serverTimeout(this.#deadline - now);
        this.#serverDeadline = now + timeoutMs;
        wire.write(this.#connection.open(timeoutMs));
      },
      data: (bytes) => this.#receive(wire, bytes),
      ended: () => this.#finish(this.#connection.closed()),
      failed: (error) => this.#failed(error),
    });
    this.#wire = wire;
  }

  #receive(wire: Wire, bytes: Buffer): void {
    const { send, outcome } = this.#connection.receive(bytes);
    if (send.length > 0) {
      wire.write(Buffer.concat(send));
    }
    if (outcome !== undefined) {
      const late = !outcome.ok && this.#isLate(outcome.error.status);
      this.#finish(late ? this.#expired(`: ${outcome.error.message}`) : outcome);
    }
  }

  /** A server that finds the time up says so, or resets the call as if somebody had cancelled it. */
  #isLate(status: number): boolean {
    return (
      status === statusCode("DEADLINE_EXCEEDED") ||
      (status === statusCode("CANCELLED") && performance.now() >= this.#serverDeadline)
    );
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#connected) {
      this.#finish(this.#connection.closed(error.code ?? error.message));
    } else if (error.code === "EAGAIN") {
      this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
    } else {
      const message = `connect ${this.#call.target}: ${explainConnectError(this.#address, error)}`;
      this.#finish(failure("connect", "UNAVAILABLE", message));
    }
  }

  #expire(): void {
    if (this.#connected) {
      this.#wire?.write(this.#connection.cancel());
    }
    this.#finish(this.#expired(""));
  }

  #expired(words: string): Outcome {
    const { target, timeoutMs, limitMs = timeoutMs } = this.#call;
    const what = this.#connected ? `${target} did not answer` : `connect ${target}: no connection`;
    return failure("deadline", "DEADLINE_EXCEEDED", `${what} within ${limitMs / 1000} s${words}`);
  }

  #finish(outcome: Outcome): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    this.#wire?.destroy();
    this.#resolve(outcome);
  }
}

/** What the server is told of the time left, in milliseconds: a tenth less, at most 200, so that it gives up before us. */
function serverTimeout(leftMs: number): number {
  return Math.max(1, Math.floor(leftMs - Math.min(200, leftMs / 10)));
}
