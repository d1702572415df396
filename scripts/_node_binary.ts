/** The Node program that becomes the executable: from npm, without its symbols. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Architectures that the executable is built for, as Node names them. */
export const ARCHITECTURES = ["x64", "arm64"] as const;

/** One of them. */
export type Architecture = (typeof ARCHITECTURES)[number];

const STRIP: Readonly<Record<Architecture, string>> = { x64: "strip", arm64: "aarch64-linux-gnu-strip" };
const CACHE = join(import.meta.dirname, "../.cache");

/** Writes Node for the architecture, of the version that runs this, to `path`. Symbols go now: stripping the finished executable breaks it. */
export function writeStrippedNode(arch: Architecture, path: string): void {
  execFileSync(STRIP[arch], ["-o", path, arch === process.arch ? process.execPath : fetchNode(arch)]);
}

/** Node for another architecture, unpacked outside node_modules, where npm would put one for this machine only. */
function fetchNode(arch: Architecture): string {
  const name = `node-linux-${arch}`;
  const kept = join(CACHE, `${name}-${process.versions.node}`);
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const temporary = mkdtempSync(join(CACHE, "fetch-"));
    try {
      const packed = execFileSync(
        "npm",
        ["pack", "--silent", "--pack-destination", temporary, `${name}@${process.versions.node}`],
        {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "inherit"],
        },
      ).trim();
      execFileSync("tar", [
        "-xzf",
        join(temporary, packed),
        "-C",
        temporary,
        "--strip-components=2",
        "package/bin/node",
      ]);
      rmSync(join(temporary, packed));
      renameSync(temporary, kept);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  return join(kept, "node");
}
