/** `prevResult` of a network config (CNI specification, "CHECK"), in the shape that it has from 0.3.0 on. */
import { fail, ok, type Result } from "../result.ts";
import { canonical } from "./_address.ts";
import { isObject, Section } from "./_section.ts";
import { type CniError, ErrorCode } from "./error.ts";

/**
 * The addresses of all interfaces, without prefix length.
 *
 * @param prevResult undefined gives none.
 * @returns error 7 when it is no result.
 */
export function resultAddresses(prevResult: unknown): Result<readonly string[], CniError> {
  if (prevResult === undefined) return ok([]);
  if (!isObject(prevResult)) return invalid("is not an object");
  const ips = new Section(prevResult, "", []).value("ips") ?? [];
  if (!Array.isArray(ips)) return invalid("has ips that are not a list");
  const addresses: string[] = [];
  for (const entry of ips) {
    const address = isObject(entry) ? new Section(entry, "", []).value("address") : undefined;
    if (typeof address !== "string") return invalid("has an entry without an address in ips");
    const [bare = ""] = address.split("/");
    addresses.push(bare);
  }
  return ok(addresses);
}

/** Those of the addresses that are not in the list, whatever the spelling. */
export function missingFrom(list: readonly string[], addresses: readonly string[]): readonly string[] {
  const known = new Set(list.map(canonical));
  return addresses.filter((address) => !known.has(canonical(address)));
}

function invalid(what: string): Result<never, CniError> {
  return fail({ code: ErrorCode.config, message: `prevResult of the network config ${what}` });
}
