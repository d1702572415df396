/** Reads pool manifests from a directory and tells when they change. */
import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../disk/has_code.ts";
import { fail, ok, type Result } from "../result.ts";

/** One manifest file. */
export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}

/** Largest manifest file, and largest number of them, that are read: far above any real one. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_FILES = 10_000;

/**
 * Reads the directory's .yaml, .yml and .json files, in name order; those whose name begins with a dot are left out.
 *
 * @returns a message that names the file or directory that could not be read.
 */
export async function readPoolDirectory(directory: string): Promise<Result<readonly ManifestFile[], string>> {
  let names: readonly string[];
  try {
    names = await manifestNames(directory);
  } catch (error) {
    return cannotRead(directory, error, hasCode(error, "ENOENT") ? "; make it, or correct --pools" : "");
  }
  if (names.length > MAX_FILES) return fail(`${directory}: ${names.length} manifests are more than ${MAX_FILES}`);
  const files: ManifestFile[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const text = await readTextFile(path);
    if (!text.ok) return text;
    files.push({ path, text: text.value });
  }
  return ok(files);
}

/** Reads a file that people write, in UTF-8. @returns a message that names it when it cannot be read, or should not be. */
export async function readTextFile(path: string): Promise<Result<string, string>> {
  try {
    // A pipe would keep the open waiting for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) return fail(`${path}: is no file`);
      if (found.size > MAX_FILE_BYTES) return fail(`${path}: may have ${MAX_FILE_BYTES} bytes at most`);
      const bytes = await file.readFile();
      return isUtf8(bytes) ? ok(bytes.toString("utf8")) : fail(`${path}: is not UTF-8 text; save it as UTF-8`);
    } finally {
      await file.close();
    }
  } catch (error) {
    return cannotRead(path, error);
  }
}

/** A text that differs whenever a manifest of the directory or one of the other files was added, removed or written. */
export async function fingerprint(directory: string, others: readonly string[]): Promise<string> {
  const names = await manifestNames(directory).catch((error: unknown) => String(error));
  const paths = [...(typeof names === "string" ? [] : names.map((name) => join(directory, name))), ...others];
  const stats = await Promise.all(paths.map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  const lines = paths.map((path, index) => {
    const found = stats[index];
    return `${path} ${found?.ino} ${found?.size} ${found?.mtimeNs}`;
  });
  return [typeof names === "string" ? names : "", ...lines].join("\n");
}

async function manifestNames(directory: string): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => /^[^.].*\.(ya?ml|json)$/.test(name)).sort();
}

function cannotRead(path: string, error: unknown, advice = ""): Result<never, string> {
  return fail(`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}${advice}`);
}
