/** What a pod says of its networks: the annotation that Multus writes (Multi-Network Specification 4.1.2). Pure. */
import { type Address, parseAddress } from "../ip/address.ts";
import { isFields, member } from "./_fields.ts";
import { textOf } from "./text_of.ts";

/** Name of the annotation. */
export const NETWORK_STATUS_ANNOTATION = "k8s.v1.cni.cncf.io/network-status";

/** One interface of a pod. */
export interface NetworkStatus {
  /** Name of the network, mostly `namespace/name`; "" where none is given. */
  readonly network: string;
  /** The interface in the pod; "" where none is given. */
  readonly ifname: string;
  /** Whether it is the pod's primary network, that the cluster itself uses. */
  readonly isDefault: boolean;
  readonly addresses: readonly Address[];
}

/** Longest annotation that is read; the API server takes 256 KiB for all annotations of an object. */
const MAX_LENGTH = 256 * 1024;

/** Reads the annotation among a pod's annotations. Whoever writes pods can write anything: what is no such list is left out. */
export function readNetworkStatus(annotations: Readonly<Record<string, string>> | undefined): readonly NetworkStatus[] {
  const text = annotations?.[NETWORK_STATUS_ANNOTATION];
  if (typeof text !== "string" || text.length > MAX_LENGTH) return [];
  return parseList(text).flatMap((entry): NetworkStatus[] => {
    if (!isFields(entry)) return [];
    const ips = member(entry, "ips");
    const addresses = (Array.isArray(ips) ? ips : []).flatMap((ip) =>
      typeof ip === "string" ? (parseAddress(ip) ?? []) : [],
    );
    return [
      {
        network: textOf(member(entry, "name")),
        ifname: textOf(member(entry, "interface")),
        isDefault: member(entry, "default") === true,
        addresses,
      },
    ];
  });
}

function parseList(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
