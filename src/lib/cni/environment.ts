/** The CNI_* variables (CNI specification, section 2 "Parameters" and "CNI operations"). Pure. */
import type { Attachment } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import { type CniError, ErrorCode, quote } from "./error.ts";

/** The commands that read a network config; VERSION does not. */
export type Command = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

/** What the runtime says beside the network config. */
export type Environment =
  | {
      readonly command: "ADD" | "DEL" | "CHECK";
      readonly attachment: Attachment;
      /** CNI_ARGS as given, "" when it is not. */
      readonly args: string;
    }
  | { readonly command: "STATUS" | "GC" };

/**
 * The variables that each command cannot do without. The specification names CNI_PATH for GC only; the reference skeleton
 * demands it of ADD and CHECK too. DEL stays lenient (R4).
 */
const REQUIRED: { readonly [C in Command]: readonly string[] } = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME"],
  STATUS: [],
  GC: ["CNI_PATH"],
};

/** Longest interface name that Linux knows, in bytes. */
const MAX_IFNAME = 15;

/**
 * Reads and checks the variables that the command needs; no others are looked at.
 *
 * @returns error 4 that names the variables.
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Result<Environment, CniError> {
  const command = env.CNI_COMMAND ?? "";
  if (command === "")
    return invalid("CNI_COMMAND is missing; a CNI runtime sets it to ADD, DEL, CHECK, STATUS, GC or VERSION");
  if (!isCommand(command))
    return invalid(`CNI_COMMAND is ${quote(command)}; known are ADD, DEL, CHECK, STATUS, GC and VERSION`);
  const missing = REQUIRED[command].filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0) return invalid(`${command} needs ${missing.join(", ")} in the environment`);
  if (command === "STATUS" || command === "GC") return ok({ command });
  const containerID = env.CNI_CONTAINERID ?? "";
  if (!isIdentifier(containerID)) {
    return invalid(
      `CNI_CONTAINERID ${quote(containerID)} must start with a letter or digit and hold only letters, digits, "_", "." and "-"`,
    );
  }
  const ifname = env.CNI_IFNAME ?? "";
  const fault = ifnameFault(ifname);
  if (fault !== undefined) return invalid(`CNI_IFNAME ${quote(ifname)} ${fault}`);
  return ok({ command, attachment: { containerID, ifname }, args: env.CNI_ARGS ?? "" });
}

/** Whether the text can be a container id or a network name: both have the specification's same pattern. */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text);
}

/** What is wrong with the name of an interface, as the end of a sentence; undefined when it is good. */
export function ifnameFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > MAX_IFNAME) return `is longer than ${MAX_IFNAME} bytes`;
  if (name === "." || name === "..") return "is no name for an interface";
  // U+FFFD stands for bytes that are no UTF-8: two different names would look the same.
  if (/[/:\s\u0085\ufffd]/.test(name)) return 'must not hold "/", ":", white space or bytes that are no UTF-8';
  return undefined;
}

function isCommand(text: string): text is Command {
  return Object.hasOwn(REQUIRED, text);
}

function invalid(message: string): Result<never, CniError> {
  return fail({ code: ErrorCode.environment, message });
}
