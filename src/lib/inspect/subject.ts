/** What inspect is asked to show. Pure. */
import { isNodeName } from "../api/node_name.ts";
import { closest } from "../flags/closest.ts";
import { type Address, parseAddress } from "../ip/address.ts";
import { fail, ok, type Result } from "../result.ts";

/** What is to be shown. */
export type Subject =
  | { readonly type: "pools" | "reservations" | "check" | "migration" | "store" }
  /** `name` may be "": the daemon's own. */
  | { readonly type: "node"; readonly name: string }
  /** `namespace` may be "": the usual one. */
  | { readonly type: "pod"; readonly namespace: string; readonly name: string }
  | { readonly type: "ip"; readonly address: Address };

const TYPES = ["pools", "node", "pod", "ip", "reservations", "check", "store", "migration"] as const;
const ALONE = ["pools", "reservations", "check", "migration", "store"] as const;

/** How the help names them. */
export const SUBJECTS = "pools, node [NAME], pod [NAMESPACE/]NAME, ip ADDRESS, reservations, check, store or migration";

/**
 * Reads the arguments of the command.
 *
 * @param podNamespace where a pod is that is named without its namespace; "" for the usual one.
 * @returns a sentence that says what to write instead.
 */
export function readSubject(what: string, name: string, podNamespace: string): Result<Subject, string> {
  const alone = ALONE.find((type) => type === what);
  if (alone !== undefined) return name === "" ? ok({ type: alone }) : fail(`${what} takes no name: leave out ${name}`);
  switch (what) {
    case "node":
      return name === "" || isNodeName(name)
        ? ok({ type: "node", name })
        : fail(`node ${name}: this is no node's name`);
    case "pod":
      return readPodName(name, podNamespace);
    case "ip": {
      const address = parseAddress(name);
      return address === undefined
        ? fail(`${asked("ip", name)}: give an address such as 10.0.0.1 or fd00::1`)
        : ok({ type: "ip", address });
    }
    default: {
      const near = closest(what, TYPES);
      return fail(
        what === ""
          ? `say what to show: ${SUBJECTS}`
          : `${what}: ${near === undefined ? `use ${SUBJECTS}` : `did you mean ${near}?`}`,
      );
    }
  }
}

function readPodName(text: string, podNamespace: string): Result<Subject, string> {
  const parts = text.split("/");
  const [namespace, name] = parts.length === 2 ? parts : [podNamespace, text];
  const isUsual = parts.length === 1 && namespace === "";
  const isRight =
    namespace !== undefined && name !== undefined && (isUsual || isNodeName(namespace)) && isNodeName(name);
  return isRight ? ok({ type: "pod", namespace, name }) : fail(`${asked("pod", text)}: give NAMESPACE/NAME`);
}

function asked(what: string, name: string): string {
  return name === "" ? what : `${what} ${name}`;
}
