import { randomUUID } from "node:crypto";
import { chmod, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { hasCode } from "./has_code.ts";

/** How often a temporary file may be taken away by others that begin at the same time. */
const ATTEMPTS = 5;

/**
 * Puts a file in place so that at any instant, also after a crash or power loss, either the old or the new one is there in
 * full: it is filled under another name in the same directory, synced, renamed, and the directory is synced. A program that
 * runs from the old file keeps it. What a crash left behind is removed.
 *
 * @param fill writes the file of that name, which does not exist before
 * @throws what the file system says, with the temporary file removed
 */
export async function placeFile(path: string, mode: number, fill: (temporary: string) => Promise<void>): Promise<void> {
  for (const name of await readdir(dirname(path))) {
    const isLeftover = name.startsWith(`.${basename(path)}.`) && name.endsWith(".tmp");
    if (isLeftover) await rm(join(dirname(path), name), { force: true });
  }
  for (let attempt = 1; ; attempt++) {
    try {
      await placeOnce(path, mode, fill);
      return;
    } catch (error) {
      // Another that has just begun took our temporary file for a leftover; that it does only once.
      const isGone = hasCode(error, "ENOENT");
      if (!isGone || attempt === ATTEMPTS) throw error;
    }
  }
}

async function placeOnce(path: string, mode: number, fill: (temporary: string) => Promise<void>): Promise<void> {
  // Process ids do not do: they are the same in the containers of a node.
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await fill(temporary);
    await chmod(temporary, mode);
    await sync(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
