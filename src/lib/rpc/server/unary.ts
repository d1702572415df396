/** What every method of the daemon's services has in common: statuses, headers, callers that have gone, bugs. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { status as grpcStatus, type handleUnaryCall, type ServerUnaryCall } from "@grpc/grpc-js";
import type { RefusalStatus } from "../../reservations/refusal.ts";
import type { Result } from "../../result.ts";

/** Why a request was not carried out: the name of a gRPC status code and a message for people. */
export interface Refusal {
  readonly status: RefusalStatus | "Unavailable" | "Cancelled" | "Internal";
  readonly message: string;
}

/** The other side of a call. */
export interface Caller {
  /** Whether nobody waits for the answer any more: the stream was closed, or its deadline has passed. */
  gone(): boolean;
  /** A request header; "" when absent. */
  header(name: string): string;
}

/** Carries out one request. */
export type Method<Request, Response> = (request: Request, caller: Caller) => Promise<Result<Response, Refusal>>;

const CODES: Readonly<Record<Refusal["status"], grpcStatus>> = {
  InvalidArgument: grpcStatus.INVALID_ARGUMENT,
  NotFound: grpcStatus.NOT_FOUND,
  AlreadyExists: grpcStatus.ALREADY_EXISTS,
  FailedPrecondition: grpcStatus.FAILED_PRECONDITION,
  ResourceExhausted: grpcStatus.RESOURCE_EXHAUSTED,
  Unavailable: grpcStatus.UNAVAILABLE,
  Cancelled: grpcStatus.CANCELLED,
  Internal: grpcStatus.INTERNAL,
};

/** The statuses that calls end with. */
export const OUTCOME_STATUSES: readonly Outcome["status"][] = ["OK", ...(Object.keys(CODES) as Refusal["status"][])];

/** What became of one call, for metrics and the log. */
export interface Outcome {
  readonly method: string;
  readonly status: "OK" | Refusal["status"];
  readonly seconds: number;
  /** What a bug threw; the caller is only told that there was one. */
  readonly bug?: unknown;
}

/**
 * Makes a grpc-js handler of a method. A method begins one turn of the event loop after its request was read, so that a
 * caller that closed its stream in the meantime is known to have gone (R3).
 */
export function unary<Request, Response>(
  name: string,
  method: Method<Request, Response>,
  observe: (outcome: Outcome) => void,
): handleUnaryCall<Request, Response> {
  return (call, respond) => {
    const started = performance.now();
    const finish = (status: Outcome["status"], bug?: unknown): void => {
      const seconds = (performance.now() - started) / 1000;
      observe({ method: name, status, seconds, ...(bug === undefined ? {} : { bug }) });
    };
    run(method, call).then(
      (result) => {
        finish(result.ok ? "OK" : result.error.status);
        if (result.ok) respond(null, result.value);
        else respond({ code: CODES[result.error.status], details: result.error.message });
      },
      (bug: unknown) => {
        finish("Internal", bug);
        respond({ code: grpcStatus.INTERNAL, details: "internal error; the daemon's log says more" });
      },
    );
  };
}

async function run<Request, Response>(
  method: Method<Request, Response>,
  call: ServerUnaryCall<Request, Response>,
): Promise<Result<Response, Refusal>> {
  await nextTurn();
  return method(call.request, {
    gone: () => call.cancelled || deadlinePassed(call.getDeadline()),
    header: (name) => call.metadata.get(name)[0]?.toString() ?? "",
  });
}

function deadlinePassed(deadline: Date | number): boolean {
  const at = typeof deadline === "number" ? deadline : deadline.getTime();
  return Number.isFinite(at) && Date.now() > at;
}
