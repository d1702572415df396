/** Picks the role of this process. Only the CNI plugin's code is loaded with it: each of its calls is a new process. */
import { basename } from "node:path";
import { SUPPORTED_VERSIONS } from "./lib/cni/version.ts";
import { run as runPlugin } from "./modes/cni.ts";
import { runRole } from "./roles.ts";
import { BUILD } from "./version.ts";

/**
 * Names under which this program does one thing only. Those of the original's programs: manifests made for its image call them,
 * and in ours they are links to this one.
 */
const ROLES_BY_NAME: Readonly<Record<string, string>> = {
  "ipam-controller": "controller",
  "nv-ipam-controller": "controller",
  "ipam-node": "node",
  "nv-ipam-node": "node",
  // kubectl calls what it finds under this name for `kubectl nvipam`.
  "kubectl-nvipam": "inspect",
};

const ROLES_BY_FLAG: Readonly<Record<string, string>> = { "--help": "help", "-h": "help", "--version": "version" };

function dispatch(): Promise<number> {
  if (process.env.CNI_COMMAND) return runPlugin();
  const args = process.argv.slice(2);
  const named = ROLES_BY_NAME[basename(process.argv0)];
  if (named !== undefined) return runRole(named, args);
  const [first, ...rest] = args;
  if (first === "help" && rest[0] !== undefined && !rest[0].startsWith("-")) return runRole(rest[0], ["--help"]);
  if (first !== undefined) return runRole(ROLES_BY_FLAG[first] ?? first, rest);
  if (process.stdout.isTTY) return runRole("help", []);
  process.stderr.write(
    `CNI plugin nv-ipam ${BUILD.version}; CNI versions supported: ${SUPPORTED_VERSIONS.join(", ")}\n`,
  );
  return Promise.resolve(0);
}

dispatch().then((status) => {
  process.exitCode = status;
});
