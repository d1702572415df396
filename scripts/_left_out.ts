/** What packages bring that no role uses, and that would cost every start of a role time and memory. */
import type { Plugin } from "esbuild";

/** Code in place of a module, by what its importers call it. Where it names a package, that is what is left of it. */
const SUBSTITUTES: Readonly<Record<string, string>> = {
  // KubeConfig makes clients with the models of all objects of the API; ours are made in src/lib/kube.
  "./gen/index.js": "export const createConfiguration = undefined, ServerConfiguration = undefined;",
  // KubeConfig reads YAML, and makes agents that nobody asks for.
  "js-yaml": 'export { parse as load } from "yaml";',
  "socks-proxy-agent": "export class SocksProxyAgent {}",
  socks: "export const SocksClient = undefined;",
  hpagent: "export class HttpProxyAgent {} export class HttpsProxyAgent {}",
  // Its request(), without fetch, web sockets, caches and mocks.
  undici: `
    exports.Agent = require("undici/lib/dispatcher/agent.js");
    exports.ProxyAgent = require("undici/lib/dispatcher/proxy-agent.js");
    Object.assign(require("undici/lib/dispatcher/dispatcher.js").prototype, require("undici/lib/api"));`,
};

/** Leaves them out of bundles. */
export function leftOut(root: string): Plugin {
  return {
    name: "left-out",
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path }) =>
        path in SUBSTITUTES ? { path, namespace: "left-out" } : undefined,
      );
      build.onLoad({ filter: /./, namespace: "left-out" }, ({ path }) => ({
        contents: SUBSTITUTES[path] ?? "",
        resolveDir: root,
      }));
    },
  };
}
