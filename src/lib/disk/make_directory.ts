import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "./has_code.ts";

/**
 * Makes a directory and those above it, as far as they are missing; what exists keeps its mode. Node's own `recursive` never
 * ends where a file system denies that it has room for names, as /proc does.
 *
 * @param mode of the directories that are made, less the umask; by default only their owner may write into them
 * @throws what the file system says; also when something else has the name.
 */
export async function makeDirectory(path: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    const parent = dirname(path);
    if (!hasCode(error, "ENOENT") || parent === path) throw error;
    await makeDirectory(parent, mode);
    await mkdir(path, mode).catch((again) => {
      if (!hasCode(again, "EEXIST")) throw again;
    });
  }
}
