/** `nv-ipam licenses`: the licences of everything that is in the executable, as they ask to be passed on. */
import { gunzipSync } from "node:zlib";

/** The name of the asset that the build puts their text into, compressed. A dot: it is no role. */
export const LICENSES_ASSET = "licenses.gz";

/** Prints them. @returns 0; 1 when the sources run as they are, where each package has its own. */
export async function run(): Promise<number> {
  const { isSea, getRawAsset } = process.getBuiltinModule("node:sea");
  if (!isSea()) {
    process.stderr.write("nv-ipam licenses: only the built executable has them; here they lie in node_modules\n");
    return 1;
  }
  process.stdout.write(gunzipSync(new Uint8Array(getRawAsset(LICENSES_ASSET))));
  return 0;
}
