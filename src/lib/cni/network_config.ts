/** The network config on stdin (CNI specification, section 1 and "Plugin configuration objects"). Pure. */
import { isUtf8 } from "node:buffer";
import { fail, ok, type Result } from "../result.ts";
import { textFault } from "../rpc/text.ts";
import { isObject, Section, typeName } from "./_section.ts";
import { type Command, isIdentifier } from "./environment.ts";
import { type CniError, ErrorCode, quote } from "./error.ts";
import {
  type CniVersion,
  isSupported,
  NEWEST_VERSION,
  neededVersion,
  OLDEST_VERSION,
  SUPPORTED_VERSIONS,
} from "./version.ts";

/** A network config whose name and version are known to be good. */
export interface NetworkConfig {
  readonly name: string;
  readonly cniVersion: CniVersion;
  /** Its members; reading them notes faults in `faults`. */
  readonly members: Section;
  readonly faults: CniError[];
}

/** Stands for a name that the daemon would refuse, so that DEL can go on: no network can have it. */
const NO_NETWORK = "-";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads one JSON object.
 *
 * @param what names the source in the message.
 * @returns error 6 when the bytes are no UTF-8 or no JSON object.
 */
export function parseObject(bytes: Uint8Array, what: string): Result<JsonObject, CniError> {
  if (!isUtf8(bytes)) return decodingError(`${what} is not UTF-8`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? ok(value) : decodingError(`${what} is not a JSON object`);
  } catch (error) {
    return decodingError(`${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The version that errors about this network config are answered in. */
export function answerVersion(members: JsonObject): CniVersion {
  const version = versionOf(new Section(members, "", []));
  return typeof version === "string" && isSupported(version) ? version : NEWEST_VERSION;
}

/**
 * Checks what every command needs of the network config: its name, and a version that has the command.
 *
 * @returns errors 1, 6 (cniVersion is no text) and 7 (no valid name).
 */
export function checkNetworkConfig(members: JsonObject, command: Command): Result<NetworkConfig, CniError> {
  const faults: CniError[] = [];
  const section = new Section(members, "", faults);
  const name = section.value("name") ?? "";
  if (name === "") return configError("name is missing in the network config");
  if (typeof name !== "string" || !isIdentifier(name)) {
    const shown = typeof name === "string" ? quote(name) : typeName(name);
    return configError(
      `name of the network config must be a text that starts with a letter or digit and holds only letters, digits, "_", "." and "-", not ${shown}`,
    );
  }
  const cniVersion = versionOf(section);
  if (typeof cniVersion !== "string") return decodingError("cniVersion of the network config must be a string");
  if (!isSupported(cniVersion)) {
    return fail({
      code: ErrorCode.incompatibleVersion,
      message: `cniVersion ${quote(cniVersion)} of the network config is not supported`,
      details: `supported versions: ${SUPPORTED_VERSIONS.join(", ")}`,
    });
  }
  const needed = neededVersion(command, cniVersion);
  if (needed !== undefined) {
    return fail({
      code: ErrorCode.incompatibleVersion,
      message: `${command} needs cniVersion ${needed} or later; the network config has ${cniVersion}`,
    });
  }
  const tooLong = textFault(name);
  if (tooLong === undefined) return ok({ name, cniVersion, members: section, faults });
  section.fault("name", tooLong);
  return ok({ name: NO_NETWORK, cniVersion, members: section, faults });
}

/** As the reference library, which puts "" into the configs of a list without a version. */
function versionOf(members: Section): unknown {
  const version = members.value("cniVersion") ?? "";
  return version === "" ? OLDEST_VERSION : version;
}

function decodingError(message: string): Result<never, CniError> {
  return fail({ code: ErrorCode.decoding, message });
}

function configError(message: string): Result<never, CniError> {
  return fail({ code: ErrorCode.config, message });
}
