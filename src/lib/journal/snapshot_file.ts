/** Snapshots: the whole content of a store at one instant, as records that make it out of nothing. */
import { setImmediate } from "node:timers/promises";
import { changesOf } from "../reservations/image.ts";
import type { Change, LedgerImage } from "../reservations/reservation.ts";
import { decodeChanges, encodeChanges, type KnownPools, type StoredChange } from "./changes.ts";
import { type DiskFile, discard } from "./disk.ts";
import { asciiJson, bodyOf, encodeRecord, FILE_HEADER_BYTES, fileHeader, scanRecords } from "./format.ts";

const ROWS_PER_RECORD = 128;

/** What a snapshot says about itself, in its last record. */
export interface SnapshotEnd {
  /** Sequence number of the last journal record whose changes the snapshot holds. */
  readonly sequence: number;
  /** Number of records before this one. */
  readonly records: number;
  /** See StoredChange. */
  readonly exported?: number;
  /** Acknowledged records were lost, and the addresses in use are not known again yet. */
  readonly damaged: boolean;
}

/** Writes a snapshot in slices, between which other work goes on. Returns its length in bytes. */
export async function writeSnapshot(
  file: DiskFile,
  content: LedgerImage,
  end: Omit<SnapshotEnd, "records">,
): Promise<number> {
  let position = 0;
  let records = 0;
  const put = async (data: Buffer): Promise<void> => {
    await file.write(position, data);
    position += data.length;
    discard(data);
    await setImmediate();
  };
  await put(fileHeader("snapshot"));
  for (const slice of slices(changesOf(content))) {
    records++;
    await put(encodeRecord(records, "c", encodeChanges(slice)));
  }
  await put(encodeRecord(records + 1, "e", asciiJson({ ...end, records })));
  return position;
}

/**
 * Applies a snapshot, or what is left of it, to an empty state. The first line must have been checked.
 *
 * @returns undefined when the snapshot is damaged.
 */
export function readSnapshot(
  bytes: Buffer,
  apply: (changes: readonly StoredChange[]) => void,
): SnapshotEnd | undefined {
  const { records, tail } = scanRecords(bytes);
  let whole = tail === "clean" && records[0]?.offset === FILE_HEADER_BYTES;
  let end: SnapshotEnd | undefined;
  const pools: KnownPools = new Map();
  for (const [index, record] of records.entries()) {
    whole &&= record.sequence === index + 1 && end === undefined;
    const body = bodyOf(bytes, record);
    try {
      if (record.type === "c") apply(decodeChanges(body, pools));
      else end = readEnd(body);
    } catch {
      whole = false;
    }
  }
  return whole && end?.records === records.length - 1 ? end : undefined;
}

/** Throws when the body is none of an end. */
function readEnd(body: string): SnapshotEnd {
  const end = JSON.parse(body) as Readonly<Record<keyof SnapshotEnd, unknown>>;
  const { sequence, records, exported = 0, damaged } = end;
  if (![sequence, records, exported].every(Number.isSafeInteger) || typeof damaged !== "boolean")
    throw new Error(`this is no end of a snapshot: ${body}`);
  return end as SnapshotEnd;
}

function* slices(changes: Iterable<Change>): Generator<Change[]> {
  let slice: Change[] = [];
  for (const change of changes) {
    slice.push(change);
    if (slice.length < ROWS_PER_RECORD) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}
