/**
 * Writes a store's files, one record after the other. The caller serialises: no two calls of `append` at once.
 *
 * Generation n is the journal n and, where there is one, the snapshot of what was before it. When a journal is nearly used up
 * the next one is made beside the work; when enough has been written, going on to it also takes a snapshot. A journal whose
 * write or sync failed is never written again: the next append begins a generation and waits for its snapshot too.
 */
import type { LedgerImage } from "../reservations/reservation.ts";
import { removeOldGenerations, type StoreState, saveSnapshot } from "./_generations.ts";
import { makeJournal, NextJournal } from "./_next_journal.ts";
import { encodeChanges, RELEASE_BYTES, type StoredChange } from "./changes.ts";
import type { StoreContext } from "./context.ts";
import { encodeRecord } from "./format.ts";
import { JournalFile } from "./journal_file.ts";
import { failure, type StoreFailure, type StoreProblem } from "./problem.ts";
import type { Recovery } from "./recovery.ts";

/** How many times a snapshot's size journals have before the next one: more write less, and make a start read more. */
const JOURNALS_PER_SNAPSHOT = 2;

/** The writing side of an open store. */
export class StoreWriter {
  readonly #context: StoreContext;
  #state: StoreState;
  /** How many reservations there are. */
  #held: number;
  /** Undefined after a failure. */
  #journal: JournalFile | undefined;
  #generation: number;
  readonly #next: NextJournal;
  #failure: StoreProblem | undefined;
  #snapshotProblem: StoreProblem | undefined;
  #snapshotting: Promise<void> | undefined;
  /** Bytes of journals that the last snapshot does not hold, those of the present journal not counted. */
  #bytesBefore: number;
  #snapshotBytes: number;
  #snapshotDueAt: number;
  #isSnapshotWanted = false;

  private constructor(
    context: StoreContext,
    state: StoreState,
    content: LedgerImage,
    generation: number,
    bytes: { readonly snapshot: number; readonly journals: number },
  ) {
    this.#context = context;
    this.#next = new NextJournal(context);
    this.#state = state;
    this.#held = content.entries.reduce((held, entry) => (entry === undefined ? held : held + 1), 0);
    this.#generation = generation;
    this.#bytesBefore = bytes.journals;
    this.#snapshotBytes = bytes.snapshot;
    this.#snapshotDueAt = dueAt(context, bytes.snapshot);
  }

  /**
   * Goes on with the files that were read, or with new ones where that fails: what was read is on the disk then, even if
   * the process that wrote it ended before its sync. Throws StoreFailure.
   */
  static async resume(context: StoreContext, found: Recovery<unknown>, content: LedgerImage): Promise<StoreWriter> {
    const { journal, next } = found;
    const bytes = { snapshot: found.snapshotBytes, journals: found.journalBytes };
    const generation = journal?.generation ?? Math.max(0, ...found.listing.snapshots);
    const { sequence, exported, damaged } = found;
    const writer = new StoreWriter(context, { sequence, exported, damaged }, content, generation, bytes);
    const path = context.files.path("journal", generation);
    try {
      if (journal === undefined) throw new Error("there is no journal to go on with");
      writer.#journal = await JournalFile.reopen(context.disk, path, journal);
      writer.#bytesBefore -= writer.#journal.length;
      if (next !== undefined) {
        writer.#next.adopt(
          await JournalFile.reopen(context.disk, context.files.path("journal", next.generation), next),
        );
      }
    } catch (error) {
      writer.#fail(failure("failed", path, "cannot go on with the journal", error));
      await writer.append([], () => content);
    }
    // What a damaged snapshot was made good with is soon summed up anew.
    writer.#isSnapshotWanted = found.madeGood.length > 0;
    writer.#upkeep();
    return writer;
  }

  /**
   * Begins a store with this content as generation `generation`. The journal begins with a record of no changes: should the
   * snapshot be damaged later, the content of earlier generations cannot pass for this one's. Throws StoreFailure.
   */
  static async begin(
    context: StoreContext,
    generation: number,
    content: LedgerImage,
    state: StoreState,
  ): Promise<StoreWriter> {
    const writer = new StoreWriter(context, state, content, generation, { snapshot: 0, journals: 0 });
    try {
      writer.#journal = await makeJournal(context, generation, writer.#capacity);
      await writer.#write(encodeRecord(state.sequence, "c", encodeChanges([])));
      writer.#planSnapshot(await saveSnapshot(context, generation, content, state));
    } catch (error) {
      await writer.close();
      throw error;
    }
    return writer;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Number of the journal that is written. */
  get generation(): number {
    return this.#generation;
  }

  /** Bytes of the journals that the last snapshot does not hold. */
  get journalBytes(): number {
    return this.#bytesBefore + (this.#journal?.length ?? 0);
  }

  /** Bytes of the last snapshot. */
  get snapshotBytes(): number {
    return this.#snapshotBytes;
  }

  /** Why nothing can be acknowledged at present, if so; the next append tries to set it right. */
  get failure(): StoreProblem | undefined {
    return this.#failure;
  }

  /** Why nothing new should be reserved: the room that is left is needed for releases, and no more can be had. */
  get shortage(): StoreProblem | undefined {
    const room = (this.#journal?.room ?? 0) + this.#next.room;
    return room < this.#reserve ? this.#next.shortage : undefined;
  }

  /** Why the last snapshot could not be written; nothing is lost by that, but journals pile up. */
  get snapshotProblem(): StoreProblem | undefined {
    return this.#snapshotProblem;
  }

  /**
   * Writes the changes as one record; resolves when they are on the disk. `image` gives the ledger's content with exactly
   * these changes; it is called, if at all, before this method first waits.
   *
   * @throws StoreFailure when they are not, and must be taken back.
   */
  async append(changes: readonly StoredChange[], image: () => LedgerImage, rebuilt = false): Promise<void> {
    const state = this.#stateAfter(changes, rebuilt);
    const record = encodeRecord(state.sequence, "c", encodeChanges(changes));
    if (this.#journal === undefined || rebuilt) await this.#renew(record, image(), state);
    else if (this.#isTimeForSnapshot(record.length)) await this.#rotate(record, image(), state);
    else await this.#write(record);
    this.#state = state;
    for (const change of changes) {
      if (change.type === "reserve") this.#held++;
      else if (change.type === "release") this.#held--;
    }
    this.#upkeep();
  }

  /** Tries again to make the next journal, after a shortage. */
  retry(): void {
    this.#next.retry();
    this.#upkeep();
  }

  /** Waits for what goes on beside the work, then closes the files. */
  async close(): Promise<void> {
    await this.#next.close();
    await this.#snapshotting;
    // All that matters in it was synced.
    await this.#journal?.close().catch(() => undefined);
    this.#journal = undefined;
  }

  get #reserve(): number {
    return this.#context.sizes.reserve + this.#held * RELEASE_BYTES;
  }

  get #capacity(): number {
    return this.#context.sizes.journal + this.#reserve;
  }

  #stateAfter(changes: readonly StoredChange[], rebuilt: boolean): StoreState {
    const { sequence, exported, damaged } = this.#state;
    const mark = changes.findLast((change) => change.type === "exported");
    return { sequence: sequence + 1, exported: mark?.checksum ?? exported, damaged: damaged && !rebuilt };
  }

  async #write(record: Buffer): Promise<void> {
    if (this.#journal !== undefined && record.length > this.#journal.room) await this.#goOn(record.length);
    const journal = this.#journal;
    if (journal === undefined) throw new Error("nothing is written after a failure before a generation was begun");
    const began = performance.now();
    try {
      await journal.append(record);
    } catch (error) {
      const failed = failure("failed", journal.path, "a reservation could not be written", error);
      this.#fail(failed);
      throw failed;
    }
    this.#context.committed((performance.now() - began) / 1000);
  }

  /** Makes the next journal the present one. */
  async #goOn(room: number): Promise<void> {
    const next = await this.#next.take(this.#generation + 1, this.#capacity, room);
    this.#bytesBefore += this.#journal?.length ?? 0;
    this.#journal?.close().catch(() => undefined);
    this.#journal = next;
    this.#generation = next.generation;
  }

  /** Goes on to the next journal, and sums up what was before in a snapshot beside the work. */
  async #rotate(record: Buffer, image: LedgerImage, state: StoreState): Promise<void> {
    await this.#goOn(record.length);
    await this.#write(record);
    const summedUp = this.#bytesBefore;
    this.#bytesBefore = 0;
    this.#snapshotDueAt = Number.POSITIVE_INFINITY;
    this.#isSnapshotWanted = false;
    this.#snapshotting = saveSnapshot(this.#context, this.#generation, image, state)
      .then((bytes) => {
        this.#planSnapshot(bytes);
        return removeOldGenerations(this.#context);
      })
      .catch((error: StoreFailure) => {
        this.#bytesBefore += summedUp;
        this.#snapshotDueAt = this.journalBytes + this.#context.sizes.snapshotAfter;
        this.#snapshotProblem = error.problem;
        this.#context.warn(error.problem.message);
      })
      .finally(() => {
        this.#snapshotting = undefined;
      });
  }

  /**
   * Begins a generation that nothing before it is needed for, and waits until it is complete. The record comes last: what
   * was before it may not be on the disk otherwise. It is written nevertheless, so that the journals stay without a gap.
   */
  async #renew(record: Buffer, image: LedgerImage, state: StoreState): Promise<void> {
    await this.#snapshotting;
    const generation = this.#generation;
    await this.#goOn(record.length);
    try {
      this.#planSnapshot(await saveSnapshot(this.#context, this.#generation, image, state));
      await this.#write(record);
    } catch (error) {
      // The next attempt replaces the files of this one: they hold changes that are taken back.
      this.#generation = generation;
      throw this.#fail(failure("failed", this.#context.files.storeFile, "cannot begin new files", error));
    }
    this.#bytesBefore = 0;
    this.#failure = undefined;
    await removeOldGenerations(this.#context);
  }

  /** `bytes`: the length of the snapshot that was just written. */
  #planSnapshot(bytes: number): void {
    this.#snapshotBytes = bytes;
    this.#snapshotDueAt = dueAt(this.#context, bytes);
    this.#snapshotProblem = undefined;
  }

  /** A snapshot waits until the journal is used up, so that no zeros are written in vain; but not a wanted one. */
  #isTimeForSnapshot(room: number): boolean {
    if (this.#isSnapshotWanted) return this.#next.isMade;
    return this.journalBytes >= this.#snapshotDueAt && this.#journal !== undefined && this.#journal.room < room;
  }

  /** Begins to make the next journal when it will be needed. */
  #upkeep(): void {
    const room = this.#journal?.room;
    if (room === undefined) return;
    const isNeeded = room < this.#reserve + this.#context.sizes.journal / 2 || this.#isSnapshotWanted;
    if (isNeeded) this.#next.prepare(this.#generation + 1, this.#capacity, room);
  }

  #fail(failed: StoreFailure): StoreFailure {
    if (this.#failure === undefined) this.#context.warn(failed.problem.message);
    this.#failure = failed.problem;
    this.#journal?.close().catch(() => undefined);
    this.#journal = undefined;
    return failed;
  }
}

/** Bytes of journals behind a snapshot of so many bytes that make the next one due. */
function dueAt({ sizes }: StoreContext, snapshotBytes: number): number {
  return Math.max(sizes.snapshotAfter, JOURNALS_PER_SNAPSHOT * snapshotBytes);
}
