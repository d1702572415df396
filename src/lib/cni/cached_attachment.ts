/** An attachment as libcni notes it in its cache after a successful ADD (`cachedInfo` in libcni/api.go). Pure. */
import { type Address, parseAddress } from "../ip/address.ts";
import type { Attachment, Owner } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import { textFault } from "../rpc/text.ts";
import { isObject } from "./_section.ts";
import { readArguments } from "./arguments.ts";
import { ifnameFault, isIdentifier } from "./environment.ts";
import { PLUGIN_NAME } from "./install.ts";
import { type JsonObject, parseObject } from "./network_config.ts";
import { ipamTypeOf, pluginsOf, requestOf } from "./plugin_config.ts";
import type { PoolRequest } from "./pool_request.ts";

/** An attachment of a network whose addresses this plugin gives. */
export interface CachedAttachment {
  readonly attachment: Attachment;
  readonly owner: Owner;
  /** Name of the network. */
  readonly network: string;
  /** PCI address of the SR-IOV device, or "". */
  readonly deviceID: string;
  /** Which pools its config names, and what it asks of them. */
  readonly request: PoolRequest;
  /** All that its result has; others than this plugin may have given some of them. */
  readonly addresses: readonly Address[];
}

const KIND = "cniCacheV1";

/**
 * Reads a file of the cache.
 *
 * @returns nothing for networks of other plugins and for files of another kind; one entry where the config is a list with
 *   several plugins of which one uses this plugin. The error is the end of a sentence about the file.
 */
export function readCachedAttachment(bytes: Uint8Array): Result<readonly CachedAttachment[], string> {
  const file = parseObject(bytes, "its text");
  if (!file.ok) return fail(`cannot be read: ${file.error.message}`);
  if (file.value.kind !== KIND) return ok([]);
  const config = readConfig(file.value.config);
  if (!config.ok) return config;
  const plugins = pluginsOf(config.value).filter((plugin) => ipamTypeOf(plugin) === PLUGIN_NAME);
  if (plugins.length === 0) return ok([]);
  const { containerId, ifName, networkName } = file.value;
  if (!isText(containerId) || !isIdentifier(containerId)) return fail("names no valid container");
  if (!isText(ifName) || ifName === "" || ifnameFault(ifName) !== undefined) return fail("names no valid interface");
  if (!isText(networkName) || !isIdentifier(networkName)) return fail("names no valid network");
  const args = readPairs(file.value.cniArgs);
  const { podNamespace: namespace, podName: name, podUID: uid } = readArguments(args, []);
  if (![namespace, name, uid].every(isText)) return fail("names no valid pod");
  const addresses = readAddresses(file.value.result ?? {});
  if (!addresses.ok) return addresses;
  return ok(
    plugins.map((plugin) => ({
      attachment: { containerID: containerId, ifname: ifName },
      owner: name === "" ? { type: "none" } : { type: "pod", namespace, name, uid },
      network: networkName,
      deviceID: isText(plugin.deviceID) ? plugin.deviceID : "",
      request: requestOf(plugin, networkName, { args, capabilityArgs: file.value.capabilityArgs }),
      addresses: addresses.value,
    })),
  );
}

/** Go writes bytes as base64. */
function readConfig(value: unknown): Result<JsonObject, string> {
  if (typeof value !== "string") return fail("has no network config");
  const config = parseObject(Buffer.from(value, "base64"), "the network config in it");
  return config.ok ? config : fail(`cannot be read: ${config.error.message}`);
}

/** As libcni joins them in CNI_ARGS. */
function readPairs(value: unknown): string {
  const pairs: readonly unknown[] = Array.isArray(value) ? value : [];
  return pairs.flatMap((pair) => (Array.isArray(pair) && pair.length === 2 ? [pair.join("=")] : [])).join(";");
}

/** The addresses of a result: `ips`, or before version 0.3.0 `ip4` and `ip6`. */
function readAddresses(result: unknown): Result<readonly Address[], string> {
  if (!isObject(result)) return fail("has a result that is no object");
  const addresses: Address[] = [];
  for (const entry of [result.ips ?? [], result.ip4 ?? [], result.ip6 ?? []].flat()) {
    const text = isObject(entry) ? (entry.address ?? entry.ip) : undefined;
    const address = typeof text === "string" ? parseAddress(text.split("/", 1)[0] ?? "") : undefined;
    if (address === undefined) return fail("has a result with an entry that is no address");
    addresses.push(address);
  }
  return ok(addresses);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && textFault(value) === undefined;
}
