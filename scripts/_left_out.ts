/** What packages bring that no role uses, and that would cost every start of a role time and memory. */
import type { Plugin } from "esbuild";

/** Code in place of a module, by what its importers call it. Where it names a package, that is what is left of it. */
const SUBSTITUTES: Readonly<Record<string, string>> = {
  // KubeConfig makes clients with the models of all objects of the API; ours are made in src/lib/kube.
  "./gen/index.js": "export const createConfiguration = undefined, ServerConfiguration = undefined;",
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
      build.onResolve({ filter: /^(\.\/gen\/index\.js|undici)$/ }, ({ path }) => ({ path, namespace: "left-out" }));
      build.onLoad({ filter: /./, namespace: "left-out" }, ({ path }) => ({
        contents: SUBSTITUTES[path] ?? "",
        resolveDir: root,
      }));
    },
  };
}
