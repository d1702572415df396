/** What the configs of a network ask of this plugin, read where no call is under way. Pure. */
import { ok } from "../result.ts";
import { isObject, Section } from "./_section.ts";
import { readArguments } from "./arguments.ts";
import type { CniError } from "./error.ts";
import type { JsonObject } from "./network_config.ts";
import { type PoolRequest, readPoolRequest } from "./pool_request.ts";
import { readSources } from "./settings.ts";
import { NEWEST_VERSION } from "./version.ts";

/** A config is one plugin's, or a list of them. */
export function pluginsOf(config: JsonObject): readonly JsonObject[] {
  return Array.isArray(config.plugins) ? config.plugins.filter(isObject) : [config];
}

/** Which plugin gives the addresses; "" when none is named. */
export function ipamTypeOf({ ipam }: JsonObject): string {
  return isObject(ipam) && typeof ipam.type === "string" ? ipam.type : "";
}

/** What the plugin reads of the same config. nv-ipam.conf, which is on the node, is left out. */
export function requestOf(
  plugin: JsonObject,
  network: string,
  { args = "", capabilityArgs }: { readonly args?: string; readonly capabilityArgs?: unknown } = {},
): PoolRequest {
  const faults: CniError[] = [];
  const { capabilities } = plugin;
  const hasIPs = isObject(capabilities) && capabilities.ips === true;
  const runtimeConfig = hasIPs && isObject(capabilityArgs) ? { runtimeConfig: capabilityArgs } : {};
  const members = new Section({ ...plugin, ...runtimeConfig }, "", faults);
  const config = { name: network, cniVersion: NEWEST_VERSION, members, faults };
  return readPoolRequest(
    config,
    readSources(config, () => ok(undefined)),
    readArguments(args, faults),
  );
}
