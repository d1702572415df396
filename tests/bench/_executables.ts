/** Executables to compare with, made as dist/nv-ipam is. */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildSync } from "esbuild";
import { writeExecutable } from "../../scripts/_executable.ts";

/** Programs: what ends at once, what writes one byte and ends, and what a daemon without anything of ours is. */
const PROGRAMS = {
  empty: () => "",
  writing: () => 'process.getBuiltinModule("node:fs").writeSync(1, "\\n");',
  "bare-daemon": () => bundled("_bare_daemon.ts"),
};

/** Builds one of them, gives its path to `use` and removes it afterwards. Building takes some five seconds. */
export async function withExecutable<T>(name: keyof typeof PROGRAMS, use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-bench-"));
  try {
    const output = join(directory, name);
    const main = PROGRAMS[name]();
    await quietly(() => writeExecutable({ main, assets: new Map(), arch: "x64" }, output));
    return await use(output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Copies an executable piece by piece, as programs that unpack images write their files. What the build writes at once lies in the page
 * cache in pieces of 2 MB, of which each counts as resident in whole.
 */
export function copyOf(program: string, directory: string): string {
  const copy = join(directory, basename(program));
  copyFileSync(program, copy);
  return copy;
}

function bundled(file: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [join(import.meta.dirname, file)],
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "cjs",
    supported: { "dynamic-import": false },
    define: { "import.meta.dirname": '""' },
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: "error",
  });
  return outputFiles.map(({ text }) => text).join("");
}

/** pkg tells its progress on stdout, between our tables. */
async function quietly(work: () => Promise<void>): Promise<void> {
  const { log } = console;
  console.log = () => undefined;
  try {
    await work();
  } finally {
    console.log = log;
  }
}
