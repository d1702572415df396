/** Reads pool manifests from a directory and tells when they change. */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fail, ok, type Result } from "../result.ts";

/** One manifest file. */
export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

/** Largest manifest file, and largest number of them, that are read: far above any real one. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_FILES = 10_000;

/** Milliseconds between looks for changes. */
const LOOK_MILLISECONDS = 1000;

/**
 * Reads the directory's .yaml, .yml and .json files, in name order.
 *
 * @returns a message that names the file or directory that could not be read.
 */
export async function readPoolDirectory(directory: string): Promise<Result<readonly ManifestFile[], string>> {
  let current = directory;
  try {
    const names = (await readdir(directory)).filter(isManifest).sort();
    if (names.length > MAX_FILES) return fail(`${directory}: ${names.length} manifests are more than ${MAX_FILES}`);
    const files: ManifestFile[] = [];
    for (const name of names) {
      current = join(directory, name);
      const text = await readBounded(current);
      if (text === undefined) return fail(`${current}: a manifest may have ${MAX_FILE_BYTES} bytes at most`);
      files.push({ path: current, text });
    }
    return ok(files);
  } catch (error) {
    return fail(`${current}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @returns undefined when the file is too large. */
async function readBounded(path: string): Promise<string | undefined> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return size > MAX_FILE_BYTES ? undefined : await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/**
 * Calls `onChange` now and after each change of the directory's manifests or of the other files, until the signal aborts.
 * Looks once a second: this also works where the file system tells nothing (network file systems, bind mounts, a directory
 * that is removed and comes back).
 */
export async function watchPoolDirectory(
  directory: string,
  others: readonly string[],
  onChange: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let seen: string | undefined;
  while (!signal.aborted) {
    const current = await fingerprint(directory, others);
    if (current !== seen) {
      seen = current;
      await onChange();
    }
    await setTimeout(LOOK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
  }
}

/** Changes whenever a file is added, removed or written. */
async function fingerprint(directory: string, others: readonly string[]): Promise<string> {
  const names = (await readdir(directory).catch(() => [])).filter(isManifest).sort();
  const paths = [...names.map((name) => join(directory, name)), ...others];
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  return paths
    .map((path, index) => `${path} ${stats[index]?.ino} ${stats[index]?.size} ${stats[index]?.mtimeNs}`)
    .join("\n");
}

function isManifest(name: string): boolean {
  return /^[^.].*\.(ya?ml|json)$/.test(name);
}
