/**
 * The store file of the original, `--store-file` itself: taken over when the original wrote it after us, made unreadable for
 * the original while we run, and written again when we stop.
 */
import type { LedgerSnapshot } from "../reservations/reservation.ts";
import { type Disk, readStart, readWhole } from "./disk.ts";
import type { StoreFiles } from "./files.ts";
import { checksumAtStart, formatLegacy, parseLegacy } from "./legacy.ts";
import { fromLegacy, toLegacy } from "./legacy_content.ts";
import { failure, StoreFailure } from "./problem.ts";
import type { Recovery } from "./recovery.ts";
import { replaceFile, stageFile } from "./staging.ts";

/** What the original's store file holds. */
export type LegacyFile =
  | { readonly type: "absent" | "empty" }
  /** Our text, which says that the reservations are kept elsewhere. */
  | { readonly type: "notice" }
  /** What we exported, unchanged. */
  | { readonly type: "exported" }
  | { readonly type: "valid"; readonly content: LedgerSnapshot; readonly checksum: number }
  | { readonly type: "invalid"; readonly reason: string };

/** What to serve, after our own files and the original's were read. */
export type Start =
  | { readonly type: "resume"; readonly warnings: readonly string[] }
  | {
      readonly type: "begin";
      readonly why: "new" | "imported" | "damaged";
      /** What to begin with: what the original's file says, what could be read of ours, or nothing. */
      readonly with: LedgerSnapshot | "found" | "nothing";
      readonly exported: number | undefined;
      /** What is wrong with the files that are set aside, a sentence each. */
      readonly losses: readonly string[];
    };

/** Reads the original's file. `exported` is the checksum of what we exported last. */
export async function readLegacyFile(
  disk: Disk,
  { storeFile }: StoreFiles,
  exported: number | undefined,
): Promise<LegacyFile> {
  try {
    const start = (await readStart(disk, storeFile, 64))?.toString("latin1");
    if (start === undefined) return { type: "absent" };
    if (start === "") return { type: "empty" };
    if (start.startsWith(NOTICE_START)) return { type: "notice" };
    // A large file is not read only to find that it is ours.
    if (exported !== undefined && checksumAtStart(start) === exported) return { type: "exported" };
    return readContent((await readWhole(disk, storeFile))?.toString() ?? "", storeFile);
  } catch (error) {
    throw failure("handover", storeFile, "cannot read the original's store file", error);
  }
}

/** What to serve. `found` is undefined when there are no files of ours. */
export function decideStart(
  found: Pick<Recovery<unknown>, "losses" | "exported"> | undefined,
  legacy: LegacyFile,
  { storeFile }: StoreFiles,
): Start {
  const begin = (why: "new" | "damaged", losses: readonly string[] = []): Start => {
    const source = found === undefined ? "nothing" : "found";
    return { type: "begin", why, with: source, exported: found?.exported, losses };
  };
  const invalid = legacy.type === "invalid" ? `${storeFile} is no store of the original: ${legacy.reason}` : undefined;
  if (legacy.type === "valid") {
    const { content, checksum } = legacy;
    if (found === undefined || found.losses.length > 0 || found.exported !== checksum) {
      return { type: "begin", why: "imported", with: content, exported: checksum, losses: found?.losses ?? [] };
    }
  }
  if (found === undefined) {
    if (legacy.type === "notice") return begin("damaged", [`the files that ${storeFile} speaks of are missing`]);
    return invalid === undefined ? begin("new") : begin("damaged", [invalid]);
  }
  if (found.losses.length > 0) return begin("damaged", found.losses);
  const isOther = legacy.type === "invalid" || legacy.type === "empty";
  if (isOther && found.exported !== undefined) {
    // The original may have gone on from our export, and what it knew is lost.
    return begin("damaged", [invalid ?? `${storeFile} is empty, but had been exported`]);
  }
  return { type: "resume", warnings: invalid === undefined ? [] : [`${invalid}; it is set aside`] };
}

/** Puts the text in place at which the original refuses to start. */
export async function writeNotice(disk: Disk, { storeFile }: StoreFiles): Promise<void> {
  try {
    await replaceFile(disk, storeFile, (file) => file.write(0, Buffer.from(noticeText(storeFile))));
  } catch (error) {
    throw failure("handover", storeFile, "cannot replace the original's store file", error);
  }
}

/**
 * Hands the content over to the original, unless somebody else wrote its file while we ran: what the next start would not
 * pass over is left for it. `exported` is the checksum of what the original had from us, or we from it. `mark` makes durable
 * that the file with this checksum is our own; only then does it get its name.
 */
export async function exportLegacyFile(
  disk: Disk,
  files: StoreFiles,
  content: LedgerSnapshot,
  exported: number | undefined,
  mark: (checksum: number) => Promise<void>,
): Promise<void> {
  const { storeFile } = files;
  const found = await readLegacyFile(disk, files, exported);
  const next = decideStart({ losses: [], exported }, found, files);
  if (next.type === "begin") {
    const what = next.why === "imported" ? "the original" : "somebody";
    const then = next.why === "imported" ? "takes it over" : `counts the store as damaged: ${next.losses.join("; ")}`;
    const message = `${what} wrote ${storeFile} while this daemon ran: it is left alone, and the next start ${then}`;
    throw new StoreFailure({ code: "handover", file: storeFile, message });
  }
  const { text, checksum } = formatLegacy(toLegacy(content));
  try {
    const staged = await stageFile(disk, storeFile, (file) => file.write(0, Buffer.from(text)));
    try {
      await mark(checksum);
      await staged.publish();
    } catch (error) {
      await staged.discard().catch(() => undefined);
      throw error;
    }
    await staged.file.close();
  } catch (error) {
    throw failure("handover", storeFile, "cannot export to the original's store file", error);
  }
}

const NOTICE_START = "nv-ipam keeps the reservations of this node in ";

function noticeText(storeFile: string): string {
  return [
    `${NOTICE_START}${storeFile}.snapshot.* and ${storeFile}.journal.* while it runs.`,
    "This text is no store on purpose: the Go nv-ipam-node must not start from an outdated one. It can after the daemon was",
    `stopped cleanly, or after: nv-ipam store export --store-file ${storeFile}`,
    "",
  ].join("\n");
}

function readContent(text: string, storeFile: string): LegacyFile {
  const parsed = parseLegacy(text);
  const content = parsed.ok ? fromLegacy(parsed.value.store) : parsed;
  if (parsed.ok && content.ok) return { type: "valid", content: content.value, checksum: parsed.value.checksum };
  const reason = parsed.ok ? (content.ok ? "" : content.error.message) : parsed.error.message;
  if (!parsed.ok && parsed.error.code === "version") {
    const message = `${storeFile} is of a version of the original's store that this release does not know: ${reason}`;
    throw new StoreFailure({ code: "version", file: storeFile, message });
  }
  return { type: "invalid", reason };
}
