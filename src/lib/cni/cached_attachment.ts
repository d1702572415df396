/** An attachment as libcni notes it in its cache after a successful ADD (`cachedInfo` in libcni/api.go). Pure. */
import { type Address, parseAddress } from "../ip/address.ts";
import type { Attachment, Owner } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import { isObject, Section } from "./_section.ts";
import { readArguments } from "./arguments.ts";
import { ifnameFault, isIdentifier } from "./environment.ts";
import type { CniError } from "./error.ts";
import { PLUGIN_NAME } from "./install.ts";
import { type JsonObject, parseObject } from "./network_config.ts";
import { type PoolRequest, readPoolRequest } from "./pool_request.ts";
import { readSources } from "./settings.ts";
import { NEWEST_VERSION } from "./version.ts";

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
/** As the daemon bounds the texts of its requests. */
const MAX_TEXT = 1024;

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
  const plugins = pluginsOf(config.value).filter(({ ipam }) => isObject(ipam) && ipam.type === PLUGIN_NAME);
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
      request: readRequest(plugin, networkName, args, file.value.capabilityArgs),
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

/** A config is one plugin's, or a list of them. */
function pluginsOf(config: JsonObject): readonly JsonObject[] {
  return Array.isArray(config.plugins) ? config.plugins.filter(isObject) : [config];
}

/** As libcni joins them in CNI_ARGS. */
function readPairs(value: unknown): string {
  const pairs: readonly unknown[] = Array.isArray(value) ? value : [];
  return pairs.flatMap((pair) => (Array.isArray(pair) && pair.length === 2 ? [pair.join("=")] : [])).join(";");
}

/** What the plugin read of the same config. nv-ipam.conf, which may have changed since, is left out. */
function readRequest(plugin: JsonObject, name: string, args: string, capabilityArgs: unknown): PoolRequest {
  const faults: CniError[] = [];
  const { capabilities } = plugin;
  const hasIPs = isObject(capabilities) && capabilities.ips === true;
  const runtimeConfig = hasIPs && isObject(capabilityArgs) ? { runtimeConfig: capabilityArgs } : {};
  const members = new Section({ ...plugin, ...runtimeConfig }, "", faults);
  const config = { name, cniVersion: NEWEST_VERSION, members, faults };
  return readPoolRequest(
    config,
    readSources(config, () => ok(undefined)),
    readArguments(args, faults),
  );
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
  return typeof value === "string" && value.length <= MAX_TEXT && !value.includes("\ufffd");
}
