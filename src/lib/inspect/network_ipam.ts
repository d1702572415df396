/** What a network's definition says of addresses. Pure. */
import { PLUGIN_NAME } from "../cni/install.ts";
import { parseObject } from "../cni/network_config.ts";
import { ipamTypeOf, pluginsOf, requestOf } from "../cni/plugin_config.ts";
import type { NetworkIpam } from "./content.ts";

/** Longest config that is read: the API server stores no larger object. */
const MAX_LENGTH = 2 ** 21;
const UNKNOWN: NetworkIpam = { type: "", poolKind: "IPPool", pools: [] };

/** Why spec.config of a NetworkAttachmentDefinition cannot be read; "" when it can, or is a file's on the nodes. */
export function configFault(config: unknown): string {
  if (typeof config !== "string" || config === "") return "";
  const read = parseObject(Buffer.from(config), "spec.config of its NetworkAttachmentDefinition");
  return read.ok ? "" : read.error.message;
}

/**
 * Reads spec.config of a NetworkAttachmentDefinition.
 *
 * @param name of the definition, which Multus takes for the network's where the config has none.
 * @param cniArgs what a pod adds to args.cni for its attachment.
 */
export function readNetworkIpam(
  config: unknown,
  name: string,
  cniArgs: Readonly<Record<string, unknown>> = {},
): NetworkIpam {
  if (typeof config !== "string" || config.length > MAX_LENGTH) return UNKNOWN;
  const read = parseObject(Buffer.from(config), "the config");
  if (!read.ok) return UNKNOWN;
  const plugins = pluginsOf(read.value);
  const plugin = plugins.find((each) => ipamTypeOf(each) === PLUGIN_NAME);
  if (plugin === undefined) {
    return { ...UNKNOWN, type: plugins.map(ipamTypeOf).find((type) => type !== "") ?? "" };
  }
  const { name: written } = read.value;
  const args = { ...Object(plugin.args), cni: { ...Object(Object(plugin.args).cni), ...cniArgs } };
  const network = typeof written === "string" && written !== "" ? written : name;
  const { pools, poolKind } = requestOf({ ...plugin, args }, network);
  return { type: PLUGIN_NAME, poolKind, pools };
}
