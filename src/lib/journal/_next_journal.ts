/** The journal behind the present one: made beside the work, so that a commit meets neither its zeros nor a full disk. */
import type { StoreContext } from "./context.ts";
import { JournalFile } from "./journal_file.ts";
import { failure, type StoreFailure, type StoreProblem } from "./problem.ts";

/** Makes a journal with room for `capacity` bytes of records. Throws StoreFailure. */
export async function makeJournal(
  { disk, files }: StoreContext,
  generation: number,
  capacity: number,
): Promise<JournalFile> {
  const path = files.path("journal", generation);
  try {
    return await JournalFile.create(disk, path, generation, capacity);
  } catch (error) {
    throw failure("failed", path, "cannot make the journal", error);
  }
}

/** The next journal, while there is none, while it is made, and until it is taken. */
export class NextJournal {
  readonly #context: StoreContext;
  #made: JournalFile | undefined;
  #making: Promise<void> | undefined;
  #shortage: StoreProblem | undefined;
  /** After a shortage: the room in the present one below which it is tried again, unless asked for earlier. */
  #retryBelow = Number.POSITIVE_INFINITY;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Has one that was found. */
  adopt(found: JournalFile): void {
    this.#made = found;
  }

  get isMade(): boolean {
    return this.#made !== undefined;
  }

  /** Bytes that have room in it. */
  get room(): number {
    return this.#made?.room ?? 0;
  }

  /** Why it could not be made, while that is so. */
  get shortage(): StoreProblem | undefined {
    return this.#shortage;
  }

  /** Begins to make it, if nobody has. After a shortage only when there is notably less than `room` in the present one. */
  prepare(generation: number, capacity: number, room: number): void {
    if (this.#made !== undefined || this.#making !== undefined || room >= this.#retryBelow) return;
    this.#making = makeJournal(this.#context, generation, capacity)
      .then((made) => {
        this.#made = made;
        this.#shortage = undefined;
        this.#retryBelow = Number.POSITIVE_INFINITY;
      })
      .catch((error: StoreFailure) => {
        if (this.#shortage === undefined) this.#context.warn(error.problem.message);
        this.#shortage = error.problem;
        this.#retryBelow = room - this.#context.sizes.journal / 16;
      })
      .finally(() => {
        this.#making = undefined;
      });
  }

  /** A shortage may have passed. */
  retry(): void {
    this.#retryBelow = Number.POSITIVE_INFINITY;
  }

  /** Gives it away; where it is missing, or has not that much room, one is made now. Throws StoreFailure. */
  async take(generation: number, capacity: number, room: number): Promise<JournalFile> {
    await this.#making;
    const made = this.#made;
    if (made !== undefined && made.room >= room) {
      this.#made = undefined;
      return made;
    }
    const larger = await makeJournal(this.#context, generation, Math.max(capacity, room));
    this.#made?.close().catch(() => undefined);
    this.#made = undefined;
    return larger;
  }

  /** Waits until it is made, if it is being made, and closes it. */
  async close(): Promise<void> {
    await this.#making;
    await this.#made?.close().catch(() => undefined);
    this.#made = undefined;
  }
}
