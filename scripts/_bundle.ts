/** Bundles the sources: one script for dispatch and the CNI plugin, and one a role, without a path of this machine in them. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import type { BuildInfo } from "../src/version.ts";
import { leftOut } from "./_left_out.ts";

const ROOT = join(import.meta.dirname, "..");

/** The names of the roles that become assets: the files of src/modes, without the plugin and what is private to the folder. */
export function roleNames(): string[] {
  const files = globSync("[a-z]*.ts", { cwd: join(ROOT, "src/modes") }).sort();
  return files.map((file) => basename(file, ".ts")).filter((name) => name !== "cni");
}

const SMALL = { minify: true };
/** Identifiers keep their names: packages look at the names of classes. */
const WITH_NAMES = { minifyWhitespace: true, minifySyntax: true };

/** Bundles src/boot.ts, the first script. */
export async function bundleBoot(info: BuildInfo): Promise<string> {
  return (await bundle("src/boot.ts", info, SMALL)).code;
}

/** Bundles src/main.ts, which is loaded at each start. */
export async function bundleMain(info: BuildInfo): Promise<string> {
  return (await bundle("src/main.ts", info, SMALL)).code;
}

/** Bundles every role. */
export async function bundleRoles(info: BuildInfo): Promise<ReadonlyMap<string, string>> {
  const names = roleNames();
  const bundles = await Promise.all(names.map((name) => bundle(roleEntry(name), info, WITH_NAMES)));
  return new Map(names.map((name, index) => [name, bundles[index]?.code ?? ""]));
}

/** The files of which something is in the executable, by their paths in the project. */
export async function bundledFiles(info: BuildInfo): Promise<ReadonlySet<string>> {
  const scripts = ["src/boot.ts", "src/main.ts"].map((entry) => bundle(entry, info, SMALL));
  const roles = roleNames().map((name) => bundle(roleEntry(name), info, WITH_NAMES));
  return new Set((await Promise.all([...scripts, ...roles])).flatMap(({ files }) => files));
}

function roleEntry(name: string): string {
  return `src/modes/${name}.ts`;
}

interface Bundle {
  readonly code: string;
  readonly files: readonly string[];
}

async function bundle(entry: string, info: BuildInfo, options: BuildOptions): Promise<Bundle> {
  const {
    outputFiles = [],
    metafile,
    warnings,
  } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: "dist",
    metafile: true,
    plugins: [leftOut(ROOT)],
    platform: "node",
    target: "node24",
    format: "cjs",
    // The executable has no loader for modules at run time.
    supported: { "dynamic-import": false },
    define: { NV_IPAM_BUILD: JSON.stringify(info), "import.meta.dirname": '""' },
    legalComments: "none",
    charset: "ascii",
    logLevel: "warning",
    ...options,
  });
  const code = outputFiles[0]?.text;
  if (code === undefined || warnings.length > 0) throw new Error(`${entry} was not bundled without warnings`);
  const inputs = Object.values(metafile?.outputs ?? {}).flatMap((output) => Object.entries(output.inputs));
  return { code, files: inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file) };
}

/** The version of package.json, and the commit of the checkout that the sources lie in. */
export function readBuildInfo(): BuildInfo {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  try {
    const commit = git("rev-parse", "HEAD");
    const changed = git("status", "--porcelain") !== "";
    const date = new Date(Number(git("log", "-1", "--format=%ct")) * 1000).toISOString();
    return { version, commit: changed ? `${commit}-dirty` : commit, date };
  } catch {
    return { version, commit: "unknown", date: "unknown" };
  }
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}
