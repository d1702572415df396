/** What goes into the executable: the first script, the main script, the roles, these with their code caches, and licences. */
import { gzipSync } from "node:zlib";
import { LICENSES_ASSET } from "../src/modes/licenses.ts";
import type { BuildInfo } from "../src/version.ts";
import { bundleBoot, bundleMain, bundleRoles } from "./_bundle.ts";
import { bundledNode, bundledPackages } from "./_bundled_packages.ts";
import { makeCodeCache, type Source } from "./_code_cache.ts";
import { NODE_OPTIONS, type Parts } from "./_executable.ts";
import { licensesText } from "./_licenses.ts";
import type { Architecture } from "./_node_binary.ts";

/** Puts them together; names of assets that are no roles have a dot. @param roles by default all of src/modes */
export async function productParts(
  info: BuildInfo,
  arch: Architecture,
  roles?: ReadonlyMap<string, string>,
): Promise<Parts> {
  const scripts: Source[] = [
    { name: "main.js", code: asFunction("require,module", await bundleMain(info)), upTo: "compiled" },
  ];
  for (const [name, code] of roles ?? (await bundleRoles(info))) {
    scripts.push({ name, code: asFunction(ROLE_PARAMETERS, code), upTo: "loaded" });
  }
  const assets = new Map<string, string | Uint8Array>();
  for (const script of scripts) {
    assets.set(script.name, script.code);
    // Compiled code is for the machine that compiled it.
    assets.set(`${script.name}.cache`, arch === process.arch ? makeCodeCache(script, NODE_OPTIONS) : "");
  }
  const licenses = licensesText(bundledNode(), await bundledPackages(info));
  assets.set(LICENSES_ASSET, gzipSync(licenses, { level: 9 }));
  return { main: await bundleBoot(info), assets, arch };
}

const ROLE_PARAMETERS = "module,exports,require,__filename,__dirname";

/** As an expression that gives a function of those parameters. */
function asFunction(parameters: string, code: string): string {
  return `(function(${parameters}){${code}\n})`;
}
