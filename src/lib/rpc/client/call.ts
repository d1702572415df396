import { fail, type Result } from "../../result.ts";

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
}

/**
 * Why a call gave no answer.
 *
 * - `target`: the target cannot be understood; nothing was sent.
 * - `connect`: no connection could be made; nothing was sent.
 * - `status`: the server answered with a status other than OK, or refused the call (HTTP status, RST_STREAM, GOAWAY).
 * - `deadline`: the time was up; the server may or may not have carried the request out.
 * - `protocol`: the request cannot be sent as gRPC, or the server broke off or broke the rules of HTTP/2 or gRPC.
 */
export type CallFailure = {
  readonly type: "target" | "connect" | "status" | "deadline" | "protocol";
  /** gRPC status code: the server's, or the one that fits (4 deadline, 13 internal, 14 unavailable …). */
  readonly status: number;
  /** One line for people; the server's own words where it sent some, else it names the target. */
  readonly message: string;
};

/** Carries out one unary call; never rejects. The connection is closed afterwards and nothing keeps the process alive. */
export function call(options: UnaryCall): Promise<Result<Uint8Array, CallFailure>> {
  return Promise.resolve(
    fail({ type: "connect", status: 14, message: `connect ${options.target}: the client is not built yet` }),
  );
}
