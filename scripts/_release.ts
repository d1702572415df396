/** Writes everything that a release consists of into one directory. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import type { BuildInfo } from "../src/version.ts";
import { bundledNode, bundledPackages } from "./_bundled_packages.ts";
import { licensesText } from "./_licenses.ts";
import { sbom } from "./_sbom.ts";

const ROOT = join(import.meta.dirname, "..");
const CHART = "charts/nv-ipam";

/** What a release is made of. */
export interface Release {
  readonly info: BuildInfo;
  /** Executables by architecture, as Go and container images name them. */
  readonly executables: Readonly<Record<string, string>>;
  /** The kubectl that renders overlays. */
  readonly kubectl: string;
  readonly output: string;
}

/** Writes it anew. Equal sources and executables give equal files. */
export async function writeRelease({ info, executables, kubectl, output }: Release): Promise<void> {
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  const name = `nv-ipam-${info.version}`;
  const write = (file: string, content: string | Uint8Array): void => writeFileSync(join(output, file), content);

  for (const [arch, path] of Object.entries(executables)) copyFileSync(path, join(output, `${name}-linux-${arch}`));
  const [node, packages] = [bundledNode(), await bundledPackages(info)];
  write(`${name}.cdx.json`, sbom(info, node, packages));
  write("LICENSES.txt", licensesText(node, packages));
  for (const directory of ["manifests/crds", ...globSync("manifests/overlays/*", { cwd: ROOT }).sort()]) {
    write(`${name}-${basename(directory)}.yaml`, rendered(kubectl, directory));
  }
  write(`${name}-monitoring.yaml`, alone(kubectl, "manifests/components/monitoring"));
  if (existsSync(join(ROOT, CHART))) write(`${name}.tgz`, chart(info));

  const files = readdirSync(output).sort();
  const sums = files.map((file) => `${sha256(readFileSync(join(output, file)))}  ${file}\n`);
  write("SHA256SUMS", sums.join(""));
  const time = seconds(info);
  for (const file of [...files, "SHA256SUMS"]) utimesSync(join(output, file), time, time);
}

/** A directory's manifests as one text: rendered where it is a kustomization, else one after the other. */
function rendered(kubectl: string, directory: string): string {
  const path = join(ROOT, directory);
  if (existsSync(join(path, "kustomization.yaml"))) {
    return execFileSync(kubectl, ["kustomize", path], { encoding: "utf8", maxBuffer: 2 ** 26 });
  }
  const files = globSync("*.yaml", { cwd: path }).sort();
  return files.map((file) => readFileSync(join(path, file), "utf8").replace(/^(?!---)/, "---\n")).join("");
}

/** A component without what it is meant to be added to. */
function alone(kubectl: string, directory: string): string {
  const work = mkdtempSync(join(realpathSync(tmpdir()), "nv-ipam-release-"));
  try {
    const kustomization = { namespace: "kube-system", components: [relative(work, join(ROOT, directory))] };
    writeFileSync(join(work, "kustomization.yaml"), JSON.stringify(kustomization));
    return execFileSync(kubectl, ["kustomize", work], { encoding: "utf8", maxBuffer: 2 ** 26 });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The chart as `helm package` lays it out, its links to other folders followed, but with the commit's time. */
function chart(info: BuildInfo): Uint8Array {
  const layout = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--format=ustar"];
  const content = ["--dereference", `--mtime=@${seconds(info)}`];
  const place = ["-C", join(ROOT, dirname(CHART)), basename(CHART)];
  const tar = execFileSync("tar", ["-cf", "-", ...layout, ...content, ...place], {
    maxBuffer: 2 ** 26,
  });
  return gzipSync(tar, { level: 9 });
}

function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function seconds({ date }: BuildInfo): number {
  return Date.parse(date) / 1000 || 0;
}
