/** `nv-ipam install`: puts the plugin and its configuration in place, then exits (an init container). */
import { install } from "../lib/cni/install.ts";
import { INSTALL_FLAGS, installOptions } from "../lib/cni/install_flags.ts";
import { parseFlags } from "../lib/flags/flags.ts";

const COMMAND = {
  name: "install",
  summary:
    "Copies this executable to the CNI binary directory and writes nv-ipam.conf, each in one step that readers see whole.",
  flags: INSTALL_FLAGS,
};

/** Installs as the flags say. @returns 0, 1 when something could not be written, 2 when the flags are wrong. */
export async function run(args: readonly string[]): Promise<number> {
  const parsed = parseFlags(COMMAND, args);
  if (!parsed.ok) return complain(parsed.error, 2);
  if (parsed.value.type === "help") {
    process.stdout.write(parsed.value.text);
    return 0;
  }
  const installed = await install(installOptions(parsed.value.values));
  if (!installed.ok) return complain(installed.error.message, 1);
  process.stdout.write(`plugin ${installed.value.executable}, nv-ipam.conf ${installed.value.conf}\n`);
  return 0;
}

function complain(message: string, status: number): number {
  process.stderr.write(`nv-ipam install: ${message}\n`);
  return status;
}
