/** Writes dist/release from the executables in dist; scripts/release calls it, with the kubectl that renders manifests. */
import { readBuildInfo } from "./_bundle.ts";
import { writeRelease } from "./_release.ts";

const [, , kubectl = "kubectl"] = process.argv;
const info = readBuildInfo();
if (info.commit.endsWith("-dirty"))
  throw new Error("files differ from the commit: a release is made of a commit, commit or stash them");
const executables = { amd64: "dist/nv-ipam", arm64: "dist/nv-ipam-arm64" };
await writeRelease({ info, executables, kubectl, output: "dist/release" });
console.log(`dist/release: ${info.version}, commit ${info.commit} of ${info.date}`);
