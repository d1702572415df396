/** `nv-ipam version`: which build this is and what it speaks. */
import { SUPPORTED_VERSIONS } from "../lib/cni/version.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { describeBuild } from "../version.ts";

const COMMAND = {
  name: "version",
  summary: "Says which build this is, and which CNI versions it speaks.",
  flags: {},
};

/** Prints in one line the build's version, commit and date, the CNI versions and Node's version. @returns 0. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async () => {
    const cni = `CNI ${SUPPORTED_VERSIONS.join(", ")}`;
    process.stdout.write(`${describeBuild()}; ${cni}; Node ${process.version}\n`);
    return 0;
  });
}
