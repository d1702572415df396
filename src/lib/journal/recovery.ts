/**
 * Reads a store's files into the state that was acknowledged, or says what of it is lost. Changes nothing.
 *
 * Records are numbered without gaps. When two journals hold the same numbers, a write to the earlier one failed and was
 * taken back: the later one counts. So whatever is missing shows, and nothing that was taken back returns.
 */
import { journalEnds, type ReadJournal, readJournals, replay } from "./_chain.ts";
import { encodeChanges, type StoredChange } from "./changes.ts";
import { type Disk, discard, readStart, readWhole } from "./disk.ts";
import type { StoreFiles, StoreListing } from "./files.ts";
import { bodyOf, FILE_HEADER_BYTES, type FileKind, FORMAT_VERSION, readFileHeader } from "./format.ts";
import type { JournalEnd } from "./journal_file.ts";
import type { Journaled } from "./journaled.ts";
import { StoreFailure } from "./problem.ts";
import { readSnapshot, type SnapshotEnd } from "./snapshot_file.ts";

const NO_CHANGES = encodeChanges([]);

/** A store as it was found, with what it holds as a ledger of kind L. */
export interface Recovery<L> {
  readonly ledger: L;
  /** Number of the last record. */
  readonly sequence: number;
  /** See StoredChange. */
  readonly exported: number | undefined;
  /** An earlier start found damage, and nobody has said since that the addresses in use are known again. */
  readonly damaged: boolean;
  /** What cannot be read now, a sentence each; then `ledger` has what could be read. */
  readonly losses: readonly string[];
  /** Damaged snapshots that an older one and its journals made good. */
  readonly madeGood: readonly number[];
  readonly listing: StoreListing;
  readonly snapshotBytes: number;
  /** Bytes of the journals behind that snapshot. */
  readonly journalBytes: number;
  /** The journal that was written last. */
  readonly journal: JournalEnd | undefined;
  /** The unused journal behind it. */
  readonly next: JournalEnd | undefined;
}

/** What is read of a store from one of its snapshots on. */
interface Attempt<L> {
  readonly state: StateOf<L>;
  readonly bytes: number;
  /** Undefined when the snapshot is damaged. */
  readonly end: SnapshotEnd | undefined;
  readonly journals: readonly ReadJournal[];
  readonly losses: readonly string[];
  readonly sequence: number;
}

/** A ledger that records are applied to, and what they say beside it. */
class StateOf<L> {
  readonly ledger: L;
  exported: number | undefined;
  readonly apply: (changes: readonly StoredChange[]) => void;

  constructor(ledger: L & Pick<Journaled, "apply">) {
    this.ledger = ledger;
    this.apply = (changes) => {
      const mark = changes.find((change) => change.type === "exported");
      if (mark !== undefined) this.exported = mark.checksum;
      ledger.apply(changes.filter((change) => change.type !== "exported"));
    };
  }
}

/**
 * Reads the store. `create` makes an empty ledger; more than one is made when snapshots are damaged.
 *
 * @returns undefined when there is none.
 * @throws StoreFailure `version` when a file was written by a later release; what the disk throws.
 */
export async function recover<L extends Pick<Journaled, "apply">>(
  disk: Disk,
  files: StoreFiles,
  create: () => L,
): Promise<Recovery<L> | undefined> {
  const listing = await files.list(disk);
  const broken = await brokenHeaders(disk, files, listing);
  if (listing.snapshots.length === 0) return recoverWithoutSnapshot(disk, files, listing, new StateOf(create()));

  const damagedSnapshots: number[] = [];
  let best: Attempt<L> | undefined;
  for (const generation of listing.snapshots.toReversed()) {
    const attempt = await readFrom({ disk, files, generation, listing, broken }, new StateOf(create()));
    const isWhole = attempt.end !== undefined;
    if (isWhole && attempt.losses.length === 0) return toRecovery(attempt, listing, damagedSnapshots, []);
    if (isWhole || best === undefined) best = attempt;
    if (isWhole) break;
    damagedSnapshots.push(generation);
  }
  const losses = damagedSnapshots.map((generation) => `${files.path("snapshot", generation)} is damaged`);
  return best && toRecovery(best, listing, [], [...losses, ...best.losses]);
}

async function recoverWithoutSnapshot<L>(
  disk: Disk,
  files: StoreFiles,
  listing: StoreListing,
  state: StateOf<L>,
): Promise<Recovery<L> | undefined> {
  const journals = await readJournals(disk, files, listing.journals);
  if (journals.every(isUnused)) return undefined;
  const { sequence, losses } = replay(journals, undefined, state.apply);
  const missing = `${files.path("snapshot", journals[0]?.generation ?? 1)} is missing`;
  return toRecovery({ state, bytes: 0, end: undefined, journals, losses, sequence }, listing, [], [missing, ...losses]);
}

/** A store that was being begun has a journal, but no changes in it, before it has its first snapshot. */
function isUnused({ records, tail, bytes }: ReadJournal): boolean {
  return tail !== "damaged" && records.every((record) => bodyOf(bytes, record) === NO_CHANGES);
}

interface Source {
  readonly disk: Disk;
  readonly files: StoreFiles;
  readonly listing: StoreListing;
  readonly broken: ReadonlySet<string>;
  readonly generation: number;
}

async function readFrom<L>(
  { disk, files, listing, broken, generation }: Source,
  state: StateOf<L>,
): Promise<Attempt<L>> {
  const path = files.path("snapshot", generation);
  const bytes = (await readWhole(disk, path)) ?? Buffer.alloc(0);
  const length = bytes.length;
  const readEnd = readSnapshot(bytes, state.apply);
  discard(bytes);
  const end = broken.has(path) ? undefined : readEnd;
  const behind = listing.journals.filter((journal) => journal >= generation);
  const journals = await readJournals(disk, files, behind);
  const { sequence, losses } = replay(journals, end?.sequence, state.apply);
  for (const journal of journals) {
    if (broken.has(journal.path)) losses.push(`the first line of ${journal.path} is damaged`);
  }
  const newest = behind.at(-1) ?? generation;
  for (let expected = generation; expected <= newest; expected++) {
    if (!behind.includes(expected)) losses.push(`${files.path("journal", expected)} is missing`);
  }
  return { state, bytes: length, end, journals, losses, sequence };
}

function toRecovery<L>(
  { state, bytes, end, journals, sequence }: Attempt<L>,
  listing: StoreListing,
  madeGood: readonly number[],
  losses: readonly string[],
): Recovery<L> {
  const ends = journalEnds(journals);
  for (const journal of journals) discard(journal.bytes);
  return {
    ledger: state.ledger,
    sequence,
    exported: state.exported ?? end?.exported,
    damaged: end?.damaged ?? false,
    losses,
    madeGood: [...madeGood],
    listing,
    snapshotBytes: bytes,
    journalBytes: journals.reduce((sum, journal) => sum + journal.end, 0),
    ...ends,
  };
}

/** Paths of the files whose first line is damaged. */
async function brokenHeaders(disk: Disk, files: StoreFiles, listing: StoreListing): Promise<ReadonlySet<string>> {
  const broken = new Set<string>();
  const check = async (kind: FileKind, generation: number): Promise<void> => {
    const path = files.path(kind, generation);
    const version = readFileHeader(kind, (await readStart(disk, path, FILE_HEADER_BYTES)) ?? Buffer.alloc(0));
    if (version === undefined) broken.add(path);
    else if (version !== FORMAT_VERSION) throw new StoreFailure(unknownVersion(path, version));
  };
  for (const generation of listing.snapshots) await check("snapshot", generation);
  for (const generation of listing.journals) await check("journal", generation);
  return broken;
}

function unknownVersion(file: string, version: number) {
  const message = `${file} has format version ${version}, this release reads ${FORMAT_VERSION}: start the release that wrote it`;
  return { code: "version", file, message } as const;
}
