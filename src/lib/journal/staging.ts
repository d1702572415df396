/** Puts a whole file in place at once: after a crash at any instant its name means the old content or the new one. */
import { dirname } from "node:path";
import type { Disk, DiskFile } from "./disk.ts";
import { errno } from "./problem.ts";

/** A file that is written and synced but does not have its name yet. */
export interface StagedFile {
  /** Still open after {@link publish}. */
  readonly file: DiskFile;
  /** Gives the file its name, over what had it; resolves when the name is on the disk. */
  publish(): Promise<void>;
  /** Removes the file; to be called instead of {@link publish}. */
  discard(): Promise<void>;
}

/** Writes `path` under a temporary name. What throws in `fill` is thrown, and nothing is left behind. */
export async function stageFile(
  disk: Disk,
  path: string,
  fill: (file: DiskFile) => Promise<void>,
): Promise<StagedFile> {
  const temporary = `${path}.tmp`;
  await unlinkIfThere(disk, temporary);
  const file = await disk.open(temporary, "create");
  const discard = async (): Promise<void> => {
    await file.close();
    await unlinkIfThere(disk, temporary);
  };
  try {
    await fill(file);
    await file.sync();
  } catch (error) {
    // The first error is the one to tell.
    await discard().catch(() => undefined);
    throw error;
  }
  const publish = async (): Promise<void> => {
    await disk.rename(temporary, path);
    await disk.syncDirectory(dirname(path));
  };
  return { file, publish, discard };
}

/** Replaces `path` by a file with this content. */
export async function replaceFile(disk: Disk, path: string, fill: (file: DiskFile) => Promise<void>): Promise<void> {
  const staged = await stageFile(disk, path, fill);
  try {
    await staged.publish();
  } finally {
    await staged.file.close();
  }
}

/** Removes a file if there is one. */
export async function unlinkIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path);
  } catch (error) {
    if (errno(error) !== "ENOENT") throw error;
  }
}
