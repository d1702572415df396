/** What can go wrong between this process and an API server. */

/**
 * - unreachable: no answer: connection refused or cut, TLS not trusted, time over
 * - aborted: the caller's signal ended the call
 * - malformed: an answer that is not what the API promises (half a line, no JSON, too long)
 * - credentials: the kubeconfig, certificate or token could not be read
 * - unauthorized 401, forbidden 403, notFound 404, conflict and alreadyExists 409, gone 410, invalid 400 and 422,
 *   throttled 429, server 5xx
 * - tooLarge: 413, or etcd's refusal of so large an object
 * - refused: every other status
 */
export type KubeErrorCode =
  | "unreachable"
  | "aborted"
  | "malformed"
  | "credentials"
  | "unauthorized"
  | "forbidden"
  | "notFound"
  | "conflict"
  | "alreadyExists"
  | "gone"
  | "invalid"
  | "throttled"
  | "tooLarge"
  | "server"
  | "refused";

/** Why a call to the API server failed. */
export interface KubeError {
  readonly code: KubeErrorCode;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The API's own reason, for example `AlreadyExists` or `Expired`; empty when it gave none. */
  readonly reason: string;
  /** One sentence for people: what was asked, and what came back. */
  readonly message: string;
  /** Milliseconds that the server asks to wait before the next try. */
  readonly retryAfterMs?: number;
}

/** The part of meta/v1 Status that errors are made of. */
export interface Status {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** An error without an answer of the server. */
export function localError(code: "unreachable" | "aborted" | "malformed" | "credentials", message: string): KubeError {
  return { code, status: 0, reason: "", message };
}

/**
 * The error that a Status says, of an answer or of a watch's ERROR event.
 *
 * @param what the call, for the message
 * @param retryAfter the value of a Retry-After header
 */
export function statusError(what: string, status: Status, retryAfter?: string): KubeError {
  const code = status.code ?? 0;
  const reason = status.reason ?? "";
  const seconds = Number(retryAfter ?? status.details?.retryAfterSeconds);
  return {
    code: codeOf(code, reason, status.message ?? ""),
    status: code,
    reason,
    message: `${what}: ${status.message ?? `the API server answered ${code}`}`,
    ...(Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}),
  };
}

/** What an exception says; where several addresses were tried, what the first one did. */
export function exceptionText(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return exceptionText(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

const BY_STATUS: Readonly<Record<number, KubeErrorCode>> = {
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  404: "notFound",
  409: "conflict",
  410: "gone",
  413: "tooLarge",
  422: "invalid",
  429: "throttled",
};

/** What etcd, and the API server's client of it, say of an object that is larger than etcd takes: 1.5 and 2 MiB by default. */
const TOO_LARGE = /etcdserver: request is too large|trying to send message larger than max/;

function codeOf(status: number, reason: string, message: string): KubeErrorCode {
  if (reason === "AlreadyExists") return "alreadyExists";
  if (reason === "Expired" || reason === "Gone") return "gone";
  if (status >= 500) return TOO_LARGE.test(message) ? "tooLarge" : "server";
  return BY_STATUS[status] ?? "refused";
}
