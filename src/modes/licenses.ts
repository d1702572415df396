/** `nv-ipam licenses`: the licences of everything that is in the executable, as they ask to be passed on. */
import { gunzipSync } from "node:zlib";
import { runCommand } from "../lib/flags/run_command.ts";

/** The name of the asset that the build puts their text into, compressed. A dot: it is no role. */
export const LICENSES_ASSET = "licenses.gz";

const COMMAND = {
  name: "licenses",
  summary: "Prints the licences of everything that is in this executable.",
  flags: {},
};

/** Prints them. @returns 0; 1 when the sources run as they are, where each package has its own. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async () => {
    const { isSea, getRawAsset } = process.getBuiltinModule("node:sea");
    if (!isSea()) {
      process.stderr.write("nv-ipam licenses: only the built executable has them; here they lie in node_modules\n");
      return 1;
    }
    process.stdout.write(gunzipSync(new Uint8Array(getRawAsset(LICENSES_ASSET))));
    return 0;
  });
}
