/** CNI_ARGS, read as the reference library's LoadArgs does. Pure. */
import { textFault } from "../rpc/text.ts";
import { type CniError, ErrorCode, quote } from "./error.ts";

/** What CNI_ARGS says that the plugin uses; "" for what is not there. */
export interface CniArguments {
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUID: string;
  /** One static address, maybe with a prefix length. */
  readonly ip: string;
}

const KNOWN = ["K8S_POD_NAME", "K8S_POD_NAMESPACE", "K8S_POD_UID", "K8S_POD_INFRA_CONTAINER_ID", "IP", "IgnoreUnknown"];

/**
 * Reads `K=V;K2=V2`. A name that is not known is a fault unless IgnoreUnknown is 1 or true, wherever it stands; a pair
 * without exactly one `=` is a fault always.
 *
 * @param faults takes what is wrong (error 4); what can be read is returned all the same.
 */
export function readArguments(text: string, faults: CniError[]): CniArguments {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  for (const pair of text === "" ? [] : text.split(";")) {
    const [name = "", value, ...rest] = pair.split("=");
    if (value === undefined || rest.length > 0)
      faults.push(fault(`holds ${quote(pair)}, which is not of the form NAME=VALUE`));
    else if (KNOWN.includes(name)) values.set(name, value);
    else unknown.push(name);
  }
  const ignoreUnknown = booleanOf(values.get("IgnoreUnknown") ?? "false");
  if (ignoreUnknown === undefined) faults.push(fault("holds an IgnoreUnknown that is none of 1, 0, true and false"));
  if (unknown.length > 0 && ignoreUnknown === false) {
    faults.push(fault(`holds unknown names: ${unknown.map(quote).join(", ")}; remove them or add IgnoreUnknown=1`));
  }
  return {
    podName: values.get("K8S_POD_NAME") ?? "",
    podNamespace: values.get("K8S_POD_NAMESPACE") ?? "",
    podUID: values.get("K8S_POD_UID") ?? "",
    ip: values.get("IP") ?? "",
  };
}

/** What of CNI_ARGS the daemon takes: a name that it would refuse is a fault and counts as absent, so that DEL can go on. */
export function boundArguments(args: CniArguments, faults: CniError[]): CniArguments {
  const bound = (name: string, value: string): string => {
    const what = textFault(value);
    if (what === undefined) return value;
    faults.push(fault(`holds a ${name} that ${what}`));
    return "";
  };
  return {
    podName: bound("K8S_POD_NAME", args.podName),
    podNamespace: bound("K8S_POD_NAMESPACE", args.podNamespace),
    podUID: bound("K8S_POD_UID", args.podUID),
    ip: args.ip,
  };
}

function booleanOf(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (lower === "1" || lower === "true") return true;
  return lower === "0" || lower === "false" ? false : undefined;
}

function fault(what: string): CniError {
  return { code: ErrorCode.environment, message: `CNI_ARGS ${what}` };
}
