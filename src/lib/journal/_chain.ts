/** The journals behind a snapshot, read as one sequence of records. */
import { decodeChanges, type KnownPools, type StoredChange } from "./changes.ts";
import { type Disk, readWhole } from "./disk.ts";
import type { StoreFiles } from "./files.ts";
import { bodyOf, FILE_HEADER_BYTES, type Scan, type StoredRecord, scanRecords } from "./format.ts";
import type { JournalEnd } from "./journal_file.ts";

/** A journal that was read. */
export interface ReadJournal extends Scan {
  readonly path: string;
  readonly generation: number;
  readonly bytes: Buffer;
}

/** Reads journals; `generations` ascend. */
export async function readJournals(
  disk: Disk,
  files: StoreFiles,
  generations: readonly number[],
): Promise<ReadJournal[]> {
  const journals: ReadJournal[] = [];
  for (const generation of generations) {
    const path = files.path("journal", generation);
    const bytes = (await readWhole(disk, path)) ?? Buffer.alloc(0);
    journals.push({ ...scanRecords(bytes), path, generation, bytes });
  }
  return journals;
}

/**
 * Applies the records with numbers above `after`; all of them where that is not known.
 *
 * @returns the number of the last record, and what cannot be read, a sentence each.
 */
export function replay(
  journals: readonly ReadJournal[],
  after: number | undefined,
  apply: (changes: readonly StoredChange[]) => void,
) {
  const losses: string[] = [];
  let sequence = after;
  const pools: KnownPools = new Map();
  for (const { record, journal } of effectiveRecords(journals)) {
    const { path } = journal;
    sequence ??= record.sequence - 1;
    if (record.sequence <= sequence) continue;
    if (record.sequence > sequence + 1)
      losses.push(`records ${sequence + 1} to ${record.sequence - 1} are missing before those of ${path}`);
    try {
      apply(decodeChanges(bodyOf(journal.bytes, record), pools));
    } catch (error) {
      losses.push(`record ${record.sequence} of ${path} makes no sense: ${String(error)}`);
    }
    sequence = record.sequence;
  }
  // Behind records that later journals go on from, only a write can stand that failed and was taken back.
  const lastWithRecords = journals.findLastIndex(({ records }) => records.length > 0);
  for (const { tail, path, end } of journals.slice(Math.max(lastWithRecords, 0))) {
    if (tail === "damaged") losses.push(`${path} is damaged from byte ${end} on`);
  }
  return { sequence: sequence ?? 0, losses };
}

/** Where writing goes on: the last journal with anything in it, and the unused one behind that. */
export function journalEnds(journals: readonly ReadJournal[]) {
  const last = journals.findLastIndex(({ used }) => used > FILE_HEADER_BYTES);
  const [journal, next] = journals.slice(Math.max(last, 0));
  return { journal: journal && endOf(journal), next: next && endOf(next) };
}

/** The records that count: of numbers that two journals have, those of the later one. */
function* effectiveRecords(
  journals: readonly ReadJournal[],
): Generator<{ record: StoredRecord; journal: ReadJournal }, void> {
  for (const [index, journal] of journals.entries()) {
    const later = journals.slice(index + 1).flatMap(({ records }) => records[0]?.sequence ?? []);
    const limit = Math.min(...later);
    for (const record of journal.records) if (record.sequence < limit) yield { record, journal };
  }
}

function endOf({ generation, bytes, records, end, used }: ReadJournal): JournalEnd {
  const lastOffset = records.at(-1)?.offset ?? FILE_HEADER_BYTES;
  return { generation, size: bytes.length, last: Buffer.from(bytes.subarray(lastOffset, end)), lastOffset, used };
}
