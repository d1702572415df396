/** `nv-ipam help`: what the executable can do. */
import { BUILD } from "../version.ts";

const ROLES: Readonly<Record<string, string>> = {
  controller: "divide a cluster's pools among its nodes, and validate pools as a webhook",
  help: "show this, or with a command's name its flags",
  inspect: "show pools, reservations and what does not fit, from the running daemon or from its store",
  install: "copy this executable and its configuration to where the container runtime looks for CNI plugins",
  licenses: "print the licences of everything that is in this executable",
  node: "serve the plugin on a node of a cluster: pools come from the API server",
  standalone: "serve the plugin on a single host: pools come from manifests in a directory",
  store: "work on a store while no daemon runs: export it for the original, verify it, repair it",
  version: "say which build this is and which CNI versions it speaks",
};

/** Prints the commands with a line each. @returns 0. */
export async function run(): Promise<number> {
  const width = Math.max(...Object.keys(ROLES).map((name) => name.length));
  const lines = Object.entries(ROLES).map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`);
  process.stdout.write(`nv-ipam ${BUILD.version}: IP addresses for pods on secondary networks

Usage: nv-ipam COMMAND [flags]

${lines.join("\n")}

nv-ipam COMMAND --help lists a command's flags. Called by a container runtime (CNI_COMMAND is set), it is the CNI plugin.
`);
  return 0;
}
