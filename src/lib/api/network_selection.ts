/** Which networks a pod asks for: the annotation that users write (Multi-Network Specification 4.1.1). Pure. */
import { isFields, member } from "./_fields.ts";
import { textOf } from "./text_of.ts";

/** Name of the annotation. */
export const NETWORKS_ANNOTATION = "k8s.v1.cni.cncf.io/networks";

/** One interface that a pod asks for. */
export interface NetworkSelection {
  /** Where the network's NetworkAttachmentDefinition is. */
  readonly namespace: string;
  readonly name: string;
  readonly ifname: string;
  /** Addresses asked for by name, as they are written. */
  readonly ips: readonly string[];
  /** Members of args.cni for this attachment. */
  readonly cniArgs: Readonly<Record<string, unknown>>;
}

/** Longest annotation that is read; the API server takes 256 KiB for all annotations of an object. */
const MAX_LENGTH = 256 * 1024;

/**
 * Reads the annotation among a pod's annotations: JSON, or names separated by commas. An interface without a name is net1,
 * net2 … by its place. What cannot be read is left out, as it is by Multus that refuses the whole pod then.
 */
export function readNetworkSelection(
  annotations: Readonly<Record<string, string>> | undefined,
  podNamespace: string,
): readonly NetworkSelection[] {
  const text = annotations?.[NETWORKS_ANNOTATION];
  if (typeof text !== "string" || text.length > MAX_LENGTH) return [];
  const elements = isJson(text) ? jsonElements(text) : text.split(",").flatMap(shortElement);
  return elements.map(({ name, namespace, ifname, ips, cniArgs }, index) => ({
    name,
    namespace: namespace || podNamespace,
    ifname: ifname || `net${index + 1}`,
    ips,
    cniArgs,
  }));
}

/** Why the annotation, or a part of it, cannot be read, so that Multus refuses the pod; undefined when it can. */
export function networkSelectionFault(annotations: Readonly<Record<string, string>> | undefined): string | undefined {
  const text = annotations?.[NETWORKS_ANNOTATION] ?? "";
  if (text === "") return undefined;
  if (!isJson(text)) {
    const wrong = text.split(",").find((part) => shortElement(part).length === 0);
    return wrong === undefined ? undefined : `"${wrong.trim()}" is not [NAMESPACE/]NAME[@INTERFACE]`;
  }
  const value = parseJson(text);
  if (!Array.isArray(value)) return "it is no JSON list";
  const wrong = value.findIndex((element) => jsonElement(element).length === 0);
  return wrong < 0 ? undefined : `its element ${wrong} has no name`;
}

function isJson(text: string): boolean {
  return /[[{"]/.test(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `[namespace/]name[@interface]` */
function shortElement(text: string): readonly NetworkSelection[] {
  const [, namespace = "", name, ifname = ""] = /^(?:([^/@]+)\/)?([^/@]+)(?:@([^/@]+))?$/.exec(text.trim()) ?? [];
  return name === undefined ? [] : [{ namespace, name, ifname, ips: [], cniArgs: {} }];
}

function jsonElements(text: string): readonly NetworkSelection[] {
  const value = parseJson(text);
  return (Array.isArray(value) ? value : []).flatMap(jsonElement);
}

function jsonElement(element: unknown): readonly NetworkSelection[] {
  if (!isFields(element)) return [];
  const name = textOf(member(element, "name"));
  if (name === "") return [];
  const ips = member(element, "ips");
  const cniArgs = member(element, "cni-args");
  return [
    {
      name,
      namespace: textOf(member(element, "namespace")),
      ifname: textOf(member(element, "interface")),
      ips: Array.isArray(ips) ? ips.filter((ip) => typeof ip === "string") : [],
      cniArgs: isFields(cniArgs) ? cniArgs : {},
    },
  ];
}
