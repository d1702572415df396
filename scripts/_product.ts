/** What goes into the executable: the first script, the main script with its code cache, and the roles. */
import type { BuildInfo } from "../src/version.ts";
import { bundleBoot, bundleMain, bundleRoles } from "./_bundle.ts";
import { makeCodeCache } from "./_code_cache.ts";
import { NODE_OPTIONS, type Parts } from "./_executable.ts";
import type { Architecture } from "./_node_binary.ts";

/** Puts them together; names of assets that are no roles have a dot. @param roles by default all of src/modes */
export async function productParts(
  info: BuildInfo,
  arch: Architecture,
  roles?: ReadonlyMap<string, string>,
): Promise<Parts> {
  const main = await bundleMain(info);
  // Compiled code is for the machine that compiled it.
  const cache = arch === process.arch ? makeCodeCache(main, NODE_OPTIONS) : "";
  const assets = new Map<string, string | Uint8Array>([
    ...(roles ?? (await bundleRoles(info))),
    ["main.js", main],
    ["main.cache", cache],
  ]);
  return { main: await bundleBoot(info), assets, arch };
}
