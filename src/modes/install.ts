/** `nv-ipam install`: puts the plugin and its configuration in place, then exits (an init container). */
import { install } from "../lib/cni/install.ts";
import { INSTALL_FLAGS, installOptions } from "../lib/cni/install_flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "install",
  summary:
    "Copies this executable to the CNI binary directory and writes nv-ipam.conf, each in one step that readers see whole.",
  flags: INSTALL_FLAGS,
};

/** Installs as the flags say. @returns 0, 1 when something could not be written, 2 when the flags are wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values) => {
    const installed = await install(installOptions(values));
    if (!installed.ok) return installed.error;
    process.stdout.write(`plugin ${installed.value.executable}, nv-ipam.conf ${installed.value.conf}\n`);
    return 0;
  });
}
