/** The plugin's errors: codes, texts and the JSON that goes to stdout. Pure. */
import type { CallFailure } from "../rpc/client/call.ts";
import type { CniVersion } from "./version.ts";

/**
 * Every code that the plugin answers with. Below 100: as the CNI specification says ("Error"); from 100 on: the plugin's
 * own, with the meaning given here and in docs/cni.md. A code never changes its meaning.
 */
export const ErrorCode = {
  /** The network config's cniVersion is not supported, or too old for the command. */
  incompatibleVersion: 1,
  /** A CNI_* variable is missing or invalid, or CNI_ARGS is. */
  environment: 4,
  /** stdin or nv-ipam.conf cannot be read. */
  inputOutput: 5,
  /** stdin or nv-ipam.conf is not JSON, not UTF-8 or too large. */
  decoding: 6,
  /** A member of the network config or of nv-ipam.conf is missing or invalid. */
  config: 7,
  /** The daemon is not running, not ready, or did not answer in time. */
  tryAgainLater: 11,
  /** STATUS: ADD cannot be served now. */
  notAvailable: 50,
  /** STATUS: nothing is served now. */
  limited: 51,
  /** The daemon does not know the pool, or this node has no block in it. */
  poolNotFound: 100,
  /** The block has no free address, or the address asked for is taken. */
  exhausted: 101,
  /** The daemon refuses the request. */
  refused: 102,
  /** The attachment already holds something else than what is asked for. */
  alreadyExists: 103,
  /** What the attachment holds does not fit this node's block any more. */
  precondition: 104,
  /** CHECK: the attachment holds nothing in a pool. */
  notReserved: 105,
  /** CHECK: the attachment's addresses are not those of prevResult. */
  differs: 106,
  /** The daemon failed, or what answers is no nv-ipam daemon. */
  daemon: 107,
  /** A bug in the plugin. */
  internal: 999,
} as const;

/** Why a CNI call failed; `message` is one line that says what to do. */
export interface CniError {
  readonly code: (typeof ErrorCode)[keyof typeof ErrorCode];
  readonly message: string;
  readonly details?: string;
}

/** The error structure of the CNI specification ("Error"), as stdout shows it. */
export function formatError(cniVersion: CniVersion, error: CniError): string {
  const details = error.details === undefined ? {} : { details: oneLine(error.details) };
  return `${JSON.stringify({ cniVersion, code: error.code, msg: oneLine(error.message), ...details })}\n`;
}

/** The error that stands for a bug in the plugin: its message, and no stack trace. */
export function internalError(bug: unknown): CniError {
  const reason = bug instanceof Error ? bug.message : String(bug);
  return { code: ErrorCode.internal, message: `internal error of the nv-ipam plugin, please report it: ${reason}` };
}

/** Text of foreign origin as one line of bounded length: control characters become blanks. */
export function oneLine(text: string): string {
  const line = text.replace(CONTROL, " ").trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE)}…`;
}

const MAX_MESSAGE = 2000;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** Text of foreign origin inside a message: quoted and short. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`);
}

const MAX_QUOTED = 100;

/** Status codes of gRPC that the plugin tells apart. */
export const Status = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  unavailable: 14,
} as const;

/** Whether the daemon itself answered with the status. */
export function answered(failure: CallFailure, status: keyof typeof Status): boolean {
  return failure.type === "status" && failure.status === Status[status];
}

/** What a failed call to the daemon means for the caller of the plugin; the failure's message names the socket. */
export function daemonError(failure: CallFailure): CniError {
  const { type, status, message } = failure;
  if (type === "target") {
    return { code: ErrorCode.config, message: `daemonSocket does not name the nv-ipam node daemon: ${message}` };
  }
  if (type === "connect") {
    return { code: ErrorCode.tryAgainLater, message: `the nv-ipam node daemon cannot be reached: ${message}` };
  }
  if (type === "deadline" || status === Status.deadlineExceeded) {
    const hint = "see its log, or raise daemonCallTimeoutSeconds";
    return { code: ErrorCode.tryAgainLater, message: `the nv-ipam node daemon took too long: ${message}; ${hint}` };
  }
  if (status === Status.unavailable) {
    return {
      code: ErrorCode.tryAgainLater,
      message: advised(`the nv-ipam node daemon cannot serve now: ${message}`, "try again"),
    };
  }
  if (type === "protocol") {
    const hint = "see that daemonSocket is the nv-ipam node daemon's";
    return { code: ErrorCode.daemon, message: `the call to the nv-ipam node daemon broke off: ${message}; ${hint}` };
  }
  return refusal(failure);
}

/** A daemon's message with what to do. Our daemon says so itself, behind a semicolon; the original's does not. */
export function advised(message: string, hint: string): string {
  return message.includes("; ") ? message : `${message}; ${hint}`;
}

function refusal({ status, message }: CallFailure): CniError {
  const known = REFUSALS[status];
  if (known !== undefined) return { code: known.code, message: advised(message, known.hint) };
  return {
    code: ErrorCode.daemon,
    message: `${message}; gRPC status ${status} of the nv-ipam node daemon, see its log`,
  };
}

/** What the daemon's refusals mean, and what to do. */
const REFUSALS: { readonly [status: number]: { readonly code: CniError["code"]; readonly hint: string } } = {
  [Status.notFound]: {
    code: ErrorCode.poolNotFound,
    hint: "see that the pool exists, that its kind is the network's poolType, and that its status has a block for this node",
  },
  [Status.resourceExhausted]: {
    code: ErrorCode.exhausted,
    hint: "free an address on this node, ask for another one, or enlarge the pool's blocks",
  },
  [Status.invalidArgument]: { code: ErrorCode.refused, hint: "correct what the network or the pod asks for" },
  [Status.outOfRange]: { code: ErrorCode.refused, hint: "correct what the network or the pod asks for" },
  [Status.alreadyExists]: {
    code: ErrorCode.alreadyExists,
    hint: "DEL this interface before it is added with another request",
  },
  [Status.failedPrecondition]: { code: ErrorCode.precondition, hint: "DEL this interface and add it again" },
  [Status.unimplemented]: { code: ErrorCode.daemon, hint: "see that daemonSocket is the nv-ipam node daemon's" },
};
