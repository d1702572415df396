/** The snapshots of a store, and which generations are kept. */
import type { LedgerImage } from "../reservations/reservation.ts";
import type { StoreContext } from "./context.ts";
import { failure } from "./problem.ts";
import { writeSnapshot } from "./snapshot_file.ts";
import { replaceFile, unlinkIfThere } from "./staging.ts";

/** What a store holds beside the ledger's content. */
export interface StoreState {
  readonly sequence: number;
  readonly exported: number | undefined;
  readonly damaged: boolean;
}

/** Writes the snapshot of a generation, without holding up other work. Returns its length in bytes; throws StoreFailure. */
export async function saveSnapshot(
  { disk, files }: StoreContext,
  generation: number,
  content: LedgerImage,
  { sequence, exported, damaged }: StoreState,
): Promise<number> {
  const path = files.path("snapshot", generation);
  let bytes = 0;
  try {
    await replaceFile(disk, path, async (file) => {
      bytes = await writeSnapshot(file, content, { sequence, damaged, ...(exported !== undefined && { exported }) });
    });
  } catch (error) {
    throw failure("failed", path, "a snapshot could not be written", error);
  }
  return bytes;
}

/** Keeps the newest snapshot and the one before it, with all that is needed to come from the older one to now. */
export async function removeOldGenerations({ disk, files, warn }: StoreContext): Promise<void> {
  try {
    const { snapshots, journals } = await files.list(disk);
    const oldest = snapshots.at(-2) ?? 0;
    for (const kind of ["journal", "snapshot"] as const) {
      const outdated = (kind === "journal" ? journals : snapshots).filter((generation) => generation < oldest);
      for (const generation of outdated) await unlinkIfThere(disk, files.path(kind, generation));
    }
  } catch (error) {
    warn(failure("io", files.directory, "old generations could not be removed", error).message);
  }
}
