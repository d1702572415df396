/** Reads what libcni remembers on this node of the attachments that were made: one file for each, until its DEL. */
import { constants, type FileHandle, open, opendir } from "node:fs/promises";
import { join } from "node:path";
import { type CachedAttachment, readCachedAttachment } from "../cni/cached_attachment.ts";
import { hasCode } from "../disk/has_code.ts";
import { fail, ok, type Result } from "../result.ts";

/** An attachment of the cache. */
export interface FoundAttachment extends CachedAttachment {
  /** When it was made, RFC 3339. */
  readonly createdAt: string;
}

/** Largest file that is read, in bytes: a network config and a result have a few thousand. */
const MAX_BYTES = 512 * 1024;
/** Files that are read of one directory. */
const MAX_FILES = 100_000;

/**
 * Reads the caches, one file after the other; nothing is changed. Directories that are not there have none.
 *
 * @param directories as libcni is given them, `/var/lib/cni` for one.
 * @returns the attachments of networks that use this plugin, and a sentence for whatever could not be read.
 */
export async function* readLibcniCache(
  directories: readonly string[],
  maxFiles = MAX_FILES,
): AsyncGenerator<Result<FoundAttachment, string>, void> {
  for (const directory of directories) {
    const results = join(directory, "results");
    try {
      let files = 0;
      for await (const { name } of await opendir(results)) {
        if (++files > maxFiles) {
          yield fail(`${results} has more than ${maxFiles} files, and the others were not read`);
          break;
        }
        yield* await readFile(join(results, name));
      }
    } catch (error) {
      if (!hasCode(error, "ENOENT")) yield unreadable(results, error);
    }
  }
}

async function readFile(path: string): Promise<readonly Result<FoundAttachment, string>[]> {
  try {
    // Neither is a link followed nor a pipe waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return [fail(`${path} is no file`)];
      if (stat.size > MAX_BYTES) return [fail(`${path} has more than ${MAX_BYTES} bytes`)];
      const createdAt = stat.mtime.toISOString();
      const found = readCachedAttachment(await readStart(file, stat.size));
      if (!found.ok) return [fail(`${path} ${found.error}`)];
      return found.value.map((attachment) => ok({ ...attachment, createdAt }));
    } finally {
      await file.close();
    }
  } catch (error) {
    // It was deleted meanwhile.
    return hasCode(error, "ENOENT") ? [] : [unreadable(path, error)];
  }
}

/** What it had when its size was asked for: it may grow meanwhile. */
async function readStart(file: FileHandle, size: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
  return buffer.subarray(0, bytesRead);
}

function unreadable(path: string, error: unknown): Result<never, string> {
  return fail(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
}
