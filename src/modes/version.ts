/** `nv-ipam version`: which build this is and what it speaks. */
import { SUPPORTED_VERSIONS } from "../lib/cni/version.ts";
import { BUILD } from "../version.ts";

/** Prints the build's version, commit and date, the CNI versions and Node's version. @returns 0. */
export async function run(): Promise<number> {
  process.stdout.write(`nv-ipam ${BUILD.version}
commit: ${BUILD.commit}
date: ${BUILD.date}
CNI versions: ${SUPPORTED_VERSIONS.join(", ")}
node: ${process.version}
`);
  return 0;
}
