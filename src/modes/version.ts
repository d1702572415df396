/** `nv-ipam version`: which build this is and what it speaks. */
import { SUPPORTED_VERSIONS } from "../lib/cni/version.ts";
import { describeBuild } from "../version.ts";

/** Prints in one line the build's version, commit and date, the CNI versions and Node's version. @returns 0. */
export async function run(): Promise<number> {
  const cni = `CNI ${SUPPORTED_VERSIONS.join(", ")}`;
  process.stdout.write(`${describeBuild()}; ${cni}; Node ${process.version}\n`);
  return 0;
}
