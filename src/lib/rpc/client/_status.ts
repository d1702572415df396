import { fail } from "../../result.ts";
import type { ErrorName } from "./_frames.ts";
import type { CallFailure } from "./call.ts";

/** Names of the gRPC status codes, by number. */
const STATUS_NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** Name of a gRPC status code. */
export type StatusName = (typeof STATUS_NAMES)[number];

/** The number of a gRPC status code. */
export function statusCode(name: StatusName): number {
  return STATUS_NAMES.indexOf(name);
}

/** The name of a gRPC status code; UNKNOWN for a number that stands for none. */
export function statusName(code: number): StatusName {
  return STATUS_NAMES[code] ?? "UNKNOWN";
}

/** The code in a `grpc-status` header; what is no code counts as UNKNOWN. */
export function parseStatus(text: string): number {
  const code = Number(text);
  return STATUS_NAMES[code] === undefined || `${code}` !== text ? statusCode("UNKNOWN") : code;
}

/** The code for an answer that has an HTTP status but no gRPC status (gRPC's "HTTP to gRPC Status Code Mapping"). */
export function statusOfHttp(http: number): number {
  switch (http) {
    case 400:
      return statusCode("INTERNAL");
    case 401:
      return statusCode("UNAUTHENTICATED");
    case 403:
      return statusCode("PERMISSION_DENIED");
    case 404:
      return statusCode("UNIMPLEMENTED");
    case 429:
    case 502:
    case 503:
    case 504:
      return statusCode("UNAVAILABLE");
    default:
      return statusCode("UNKNOWN");
  }
}

/** The code for a stream that the server reset (gRPC over HTTP/2, "Errors"). */
export function statusOfReset(error: ErrorName | undefined): number {
  switch (error) {
    case "REFUSED_STREAM":
      return statusCode("UNAVAILABLE");
    case "CANCEL":
      return statusCode("CANCELLED");
    case "ENHANCE_YOUR_CALM":
      return statusCode("RESOURCE_EXHAUSTED");
    case "INADEQUATE_SECURITY":
      return statusCode("PERMISSION_DENIED");
    case undefined:
    case "STREAM_CLOSED":
    case "HTTP_1_1_REQUIRED":
      return statusCode("UNKNOWN");
    default:
      return statusCode("INTERNAL");
  }
}

/** The text behind a `grpc-message` header: percent-encoded UTF-8; wrong escapes stand for themselves. */
export function decodeMessage(header: string): string {
  const bytes = header.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** A text from outside as one line without control characters. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
}

/** A failure; its message, parts of which may come from outside, becomes one line. */
export function failure(
  type: CallFailure["type"],
  status: StatusName | number,
  message: string,
): { readonly ok: false; readonly error: CallFailure } {
  const code = typeof status === "number" ? status : statusCode(status);
  return fail({ type, status: code, message: oneLine(message) });
}
