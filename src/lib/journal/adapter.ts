/** The store as lowdb sees it: `new Low(adapter, ledger)`, `read()` recovers, `write()` makes the changes durable. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Adapter } from "lowdb";
import type { StoredChange } from "./changes.ts";
import type { Journaled } from "./journaled.ts";
import { StoreFailure } from "./problem.ts";
import type { StoreWriter } from "./writer.ts";

/** Turns of the event loop without a new caller after which nobody is waited for: a few tens of microseconds. */
const IDLE_TURNS = 4;

/** The changes of all callers that wait for the same sync. */
interface Group {
  readonly changes: StoredChange[];
  callers: number;
  rebuilt: boolean;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * Makes transactions durable, those of all callers that wait at the same time with one write and one sync.
 *
 * A caller changes the ledger and calls `write` without waiting in between. When a write fails, its group and all that was
 * changed after it are taken back in the ledger and fail too, since they build on it.
 */
export class JournalAdapter<L extends Journaled> implements Adapter<L> {
  readonly #open: () => Promise<{ readonly ledger: L; readonly writer: StoreWriter }>;
  #opened: { readonly ledger: L; readonly writer: StoreWriter } | undefined;
  #forming: Group | undefined;
  #writing: Group | undefined;
  #idle: Promise<void> = Promise.resolve();
  /** How many callers the group had that was written last. */
  #latest = 0;
  #sealed = false;

  /** @param open recovers the store; called once, by the first `read`. Its error is what `read` throws. */
  constructor(open: () => Promise<{ readonly ledger: L; readonly writer: StoreWriter }>) {
    this.#open = open;
  }

  /** The recovered ledger. Throws StoreFailure. */
  async read(): Promise<L> {
    this.#opened ??= await this.#open();
    return this.#opened.ledger;
  }

  /**
   * Resolves when all that the ledger shows now is durable: what it changed since the last call, and what others changed
   * before. An answer built on the ledger's state may leave then. Throws StoreFailure when it could not be written and was
   * taken back.
   */
  write(ledger: L): Promise<void> {
    const changes = ledger.takeChanges();
    if (this.#sealed) {
      takeBack(ledger, changes);
      const message = "the store is being closed: try again when the daemon has been started";
      return Promise.reject(new StoreFailure({ code: "closed", file: "", message }));
    }
    // After a failure what was taken back may still be in the files, and show after a crash: only new ones end that.
    if (changes.length > 0 || this.#opened?.writer.failure !== undefined) return this.#join(changes);
    return (this.#forming ?? this.#writing)?.done.promise ?? Promise.resolve();
  }

  /** Writes down that the state was exported into a file with this checksum. Throws StoreFailure. */
  markExported(checksum: number): Promise<void> {
    return this.#join([{ type: "exported", checksum }]);
  }

  /** Ends the damaged state, with files that nothing damaged is needed for. Throws StoreFailure. */
  markRebuilt(): Promise<void> {
    return this.#join([], true);
  }

  /** After a failure: tries to begin new files, without waiting for a change to write. */
  retry(): void {
    if (this.writer.failure === undefined || this.#forming !== undefined || this.#writing !== undefined) return;
    // Whether it failed again shows in the writer.
    this.#join([]).catch(() => undefined);
  }

  /** What writes the files. Only after `read`. */
  get writer(): StoreWriter {
    return this.#use.writer;
  }

  /** Refuses writes from now on; waits for those of before. */
  async seal(): Promise<void> {
    this.#sealed = true;
    await this.#idle;
  }

  /** Closes the files, after all that was handed over is written. */
  async close(): Promise<void> {
    await this.seal();
    await this.writer.close();
  }

  #join(changes: readonly StoredChange[], rebuilt = false): Promise<void> {
    const { ledger, writer } = this.#use;
    const group = this.#forming ?? { changes: [], callers: 0, rebuilt: false, done: Promise.withResolvers<void>() };
    group.changes.push(...changes);
    group.callers++;
    group.rebuilt ||= rebuilt;
    const isIdle = this.#forming === undefined && this.#writing === undefined;
    this.#forming = group;
    if (isIdle) this.#idle = this.#commitAll(ledger, writer);
    return group.done.promise;
  }

  get #use(): { readonly ledger: L; readonly writer: StoreWriter } {
    if (this.#opened === undefined) throw new Error("the store is used before it was read");
    return this.#opened;
  }

  async #commitAll(ledger: L, writer: StoreWriter): Promise<void> {
    // All requests that arrived together join before the first of them is written.
    await nextTurn();
    for (let group = this.#forming; group !== undefined; group = this.#forming) {
      await gathered(group, this.#latest / 2);
      this.#latest = group.callers;
      this.#forming = undefined;
      this.#writing = group;
      try {
        await writer.append(group.changes, () => ledger.image(), group.rebuilt);
        group.done.resolve();
      } catch (error) {
        this.#failAll(ledger, group, error);
      }
      this.#writing = undefined;
    }
  }

  #failAll(ledger: L, group: Group, cause: unknown): void {
    const behind = this.#forming;
    this.#forming = undefined;
    takeBack(ledger, [...group.changes, ...(behind?.changes ?? [])]);
    group.done.reject(cause);
    behind?.done.reject(cause);
  }
}

/**
 * Waits while callers keep coming, until the group has as many as `enough`: half of those that came together before. So of many
 * callers one half is written while the other half's next requests are read; otherwise whoever came first after a sync would be
 * written alone, and all others would wait for two syncs. One caller, or one that comes later than the others, waits for nobody.
 */
async function gathered(group: Group, enough: number): Promise<void> {
  for (let turns = 0, before = 0; group.callers < enough && turns < IDLE_TURNS; ) {
    turns = group.callers > before ? 0 : turns + 1;
    before = group.callers;
    await nextTurn();
  }
}

function takeBack(ledger: Journaled, changes: readonly StoredChange[]): void {
  ledger.undo(changes.filter((change) => change.type !== "exported"));
}
