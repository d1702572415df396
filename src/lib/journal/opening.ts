/** Opens a store's files: reads them, decides what to serve, and makes that durable before anything is served. */
import { dirname } from "node:path";
import { changesOf, GrowingImage, toImage } from "../reservations/image.ts";
import type { LedgerImage } from "../reservations/reservation.ts";
import type { StoreContext } from "./context.ts";
import type { Disk } from "./disk.ts";
import type { StoreFiles, StoreListing } from "./files.ts";
import { decideStart, type LegacyFile, readLegacyFile, type Start, writeNotice } from "./handover.ts";
import type { Journaled } from "./journaled.ts";
import { errno, failure, type StoreProblem } from "./problem.ts";
import { type Recovery, recover } from "./recovery.ts";
import { unlinkIfThere } from "./staging.ts";
import { StoreWriter } from "./writer.ts";

/** Generations kept of those that earlier imports set aside: whoever goes to and fro must not fill the disk. */
const REPLACED_KEPT = 10;

/** All that the files say. */
export interface FoundStore<L> {
  /** What a start would serve. */
  readonly ledger: L;
  readonly found: Recovery<unknown> | undefined;
  readonly legacy: LegacyFile;
  readonly start: Start;
}

/** An opened store. */
export interface OpenedStore<L> {
  readonly ledger: L;
  readonly writer: StoreWriter;
  /** What people should know of how it was found, a sentence each. */
  readonly messages: readonly string[];
  /** Why the original could still start from an outdated file; then nothing may be reserved. */
  readonly noticeProblem: StoreProblem | undefined;
}

/** Reads the files without changing any. `create` makes an empty ledger. Throws StoreFailure. */
export async function findStore<L extends Journaled>(
  disk: Disk,
  files: StoreFiles,
  create: () => L,
): Promise<FoundStore<L>> {
  try {
    const found = await recover(disk, files, () => new GrowingImage());
    const legacy = await readLegacyFile(disk, files, found?.losses.length === 0 ? found.exported : undefined);
    const start = decideStart(found, legacy, files);
    const source = start.type === "resume" ? "found" : start.with;
    const ledger = create();
    if (source === "found" && found !== undefined) ledger.apply(changesOf(found.ledger));
    else if (typeof source === "object") ledger.apply(changesOf(toImage(source)));
    return { ledger, found, legacy, start };
  } catch (error) {
    throw failure("io", files.storeFile, "cannot read the store", error);
  }
}

/** Opens the store for writing; the caller holds its lock. Throws StoreFailure. */
export async function openWriter<L extends Journaled>(context: StoreContext, create: () => L): Promise<OpenedStore<L>> {
  const { disk, files } = context;
  const { ledger, found, legacy, start } = await findStore(disk, files, create);
  let listing: StoreListing;
  try {
    listing = await files.list(disk);
    for (const path of listing.unfinished) await disk.unlink(path);
    // The names that were read may be known to the kernel only, when the process that made them was killed.
    await disk.syncDirectory(files.directory);
  } catch (error) {
    throw failure("io", files.directory, "cannot prepare the store's directory", error);
  }
  const content = ledger.image();
  const writer =
    start.type === "begin"
      ? await begin(context, found, start, content, listing)
      : await resume(context, found, content);
  const noticeProblem = legacy.type === "notice" ? undefined : await placeNotice(context, legacy);
  return { ledger, writer, messages: messagesOf(start, found, content, context), noticeProblem };
}

/** Makes the directory and those above it, as far as they are missing. Throws StoreFailure. */
export async function ensureDirectory(disk: Disk, directory: string): Promise<void> {
  const parent = dirname(directory);
  if (parent === directory) return;
  try {
    await disk.makeDirectory(directory).catch(async (error) => {
      if (errno(error) !== "ENOENT") throw error;
      await ensureDirectory(disk, parent);
      await disk.makeDirectory(directory);
    });
  } catch (error) {
    if (errno(error) !== "EEXIST") throw failure("io", directory, "cannot make the store's directory", error);
  }
  try {
    await disk.syncDirectory(parent);
  } catch (error) {
    throw failure("io", parent, "cannot sync the directory", error);
  }
}

/**
 * Puts the notice in place of whatever else is there. Gives the problem when that fails: a full disk must not keep us from
 * releasing.
 */
export async function placeNotice(
  { disk, files }: StoreContext,
  { type }: LegacyFile,
): Promise<StoreProblem | undefined> {
  try {
    if (type === "invalid") {
      const generation = Math.max(0, ...(await files.list(disk)).journals);
      await disk.rename(files.storeFile, files.aside("damaged", generation, "store"));
    }
    await writeNotice(disk, files);
    return undefined;
  } catch (error) {
    return failure("handover", files.storeFile, "cannot replace the original's store file", error).problem;
  }
}

async function resume(
  context: StoreContext,
  found: Recovery<unknown> | undefined,
  content: LedgerImage,
): Promise<StoreWriter> {
  if (found === undefined) throw new Error("only what was found can be gone on with");
  const { disk, files } = context;
  for (const generation of found.madeGood) {
    const path = files.path("snapshot", generation);
    await disk.rename(path, files.aside("damaged", generation, "snapshot")).catch((error) => {
      throw failure("io", path, "cannot set the damaged snapshot aside", error);
    });
  }
  return StoreWriter.resume(context, found, content);
}

async function begin(
  context: StoreContext,
  found: Recovery<unknown> | undefined,
  { exported, why, losses }: Extract<Start, { type: "begin" }>,
  content: LedgerImage,
  { snapshots, journals, replaced }: StoreListing,
): Promise<StoreWriter> {
  const { disk, files } = context;
  const generation = Math.max(0, ...snapshots, ...journals) + 1;
  // The gap in the numbers is seen should anybody try to read the generations before this one together with it.
  const sequence = (found?.sequence ?? 0) + 2;
  const damaged = why === "damaged" || (why === "new" && context.rebuilds);
  const writer = await StoreWriter.begin(context, generation, content, { sequence, exported, damaged });
  const reason = losses.length > 0 ? "damaged" : "replaced";
  try {
    for (const old of snapshots) await disk.rename(files.path("snapshot", old), files.aside(reason, old, "snapshot"));
    for (const old of journals) await disk.rename(files.path("journal", old), files.aside(reason, old, "journal"));
    for (const old of replaced.slice(0, -REPLACED_KEPT)) {
      await unlinkIfThere(disk, files.aside("replaced", old, "snapshot"));
      await unlinkIfThere(disk, files.aside("replaced", old, "journal"));
    }
  } catch (error) {
    context.warn(failure("io", files.directory, "the files of before could not be set aside", error).message);
  }
  return writer;
}

function messagesOf(
  start: Start,
  found: Recovery<unknown> | undefined,
  content: LedgerImage,
  context: StoreContext,
): string[] {
  const { storeFile } = context.files;
  if (start.type === "resume") {
    const madeGood = found?.madeGood ?? [];
    return [
      ...start.warnings,
      ...madeGood.map(
        (generation) => `${storeFile}.snapshot.${generation} is damaged; an older one and its journals have all of it`,
      ),
      ...(found?.damaged === true ? [damagedMessage(context)] : []),
    ];
  }
  const { why, losses } = start;
  const imported = `${content.entries.length} reservations were taken over from the original's file ${storeFile}`;
  return [...losses, ...(why === "imported" ? [imported] : why === "damaged" ? [damagedMessage(context)] : [])];
}

/** The problem of a damaged store, and of a new one that waits for its rebuild. */
export function damagedProblem(context: Pick<StoreContext, "files" | "rebuilds">): StoreProblem {
  return { code: "damaged", file: context.files.storeFile, message: damagedMessage(context) };
}

function damagedMessage({ files: { storeFile }, rebuilds }: Pick<StoreContext, "files" | "rebuilds">): string {
  return rebuilds
    ? `the store ${storeFile} is new, or was damaged: no addresses are reserved until those in use on this node are known; /readyz says what that waits for`
    : `the store ${storeFile} was damaged: no addresses are reserved until those in use are known again; ` +
        `stop the daemon, then run: nv-ipam store repair --store-file ${storeFile}`;
}
