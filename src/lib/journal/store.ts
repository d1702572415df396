/** A node's reservations on disk: opening, committing, closing. */
import { Low } from "lowdb";
import type { Log } from "../observe/log.ts";
import { toSnapshot } from "../reservations/image.ts";
import { Ledger } from "../reservations/ledger.ts";
import type { LedgerSnapshot } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import { JournalAdapter } from "./adapter.ts";
import { DEFAULT_SIZES, type StoreContext, type StoreSizes } from "./context.ts";
import type { Disk, DiskLock } from "./disk.ts";
import { StoreFiles } from "./files.ts";
import { exportLegacyFile, readLegacyFile } from "./handover.ts";
import type { Journaled } from "./journaled.ts";
import { type DiskUse, MeteredDisk } from "./meter.ts";
import { nodeDisk } from "./node_disk.ts";
import { damagedProblem, ensureDirectory, findStore, openWriter, placeNotice } from "./opening.ts";
import { StoreFailure, type StoreProblem } from "./problem.ts";

export type { StoreProblem } from "./problem.ts";

/** How to open a store. */
export interface StoreOptions {
  /** `--store-file`. The names of our files derive from it; itself it is the original's store file. */
  readonly storeFile: string;
  readonly log: Log;
  /** Default: the machine's. */
  readonly disk?: Disk;
  readonly sizes?: StoreSizes;
  /**
   * Whether the caller finds out by itself which addresses are in use, and says so by `markRebuilt`: then a new store waits
   * for that too. Default: a new store is empty, and a damaged one waits for people.
   */
  readonly rebuilds?: boolean;
  /** Told of each commit how many seconds it took until its record was on the disk. */
  readonly committed?: (seconds: number) => void;
}

/**
 * `damaged`, also where it is new and the caller `rebuilds`: nothing is reserved until `markRebuilt`. `failed`: nothing is
 * acknowledged. `full`: nothing is reserved.
 */
export type StoreHealth = "ready" | "damaged" | "failed" | "full";

/** What metrics show of a store. */
export interface StoreStats extends DiskUse {
  /** Number of the journal that is written. */
  readonly generation: number;
  /** Bytes of the journals that the last snapshot does not hold: what a start has to replay. */
  readonly journalBytes: number;
  /** Bytes of the last snapshot. */
  readonly snapshotBytes: number;
}

/** Opens the node's store. Its lock is held until it is closed. */
export async function openStore({
  storeFile,
  log,
  disk = nodeDisk,
  sizes = DEFAULT_SIZES,
  rebuilds = false,
  committed = () => undefined,
}: StoreOptions): Promise<Result<Store<Ledger>, StoreProblem>> {
  const files = new StoreFiles(storeFile);
  const metered = new MeteredDisk(disk);
  const warn = (message: string): void => log.error(message);
  const context = { disk: metered, files, sizes, rebuilds, warn, committed };
  try {
    await ensureDirectory(metered, files.directory);
    const lock = metered.lock(files.lock);
    if (!lock.ok) return lock;
    try {
      return ok(await Store.open(context, metered, lock.value, () => new Ledger(), log));
    } catch (error) {
      lock.value.release();
      throw error;
    }
  } catch (error) {
    return fail(problemOf(error));
  }
}

/** An open store. */
export class Store<L extends Journaled> {
  readonly #context: StoreContext;
  readonly #disk: MeteredDisk;
  readonly #lock: DiskLock;
  readonly #adapter: JournalAdapter<L>;
  readonly #db: Low<L>;
  #noticeProblem: StoreProblem | undefined;
  #placingNotice = false;

  private constructor(
    context: StoreContext,
    disk: MeteredDisk,
    lock: DiskLock,
    adapter: JournalAdapter<L>,
    db: Low<L>,
    noticeProblem: StoreProblem | undefined,
  ) {
    this.#context = context;
    this.#disk = disk;
    this.#lock = lock;
    this.#adapter = adapter;
    this.#db = db;
    this.#noticeProblem = noticeProblem;
  }

  /** Use {@link openStore}. */
  static async open<L extends Journaled>(
    context: StoreContext,
    disk: MeteredDisk,
    lock: DiskLock,
    create: () => L,
    log: Log,
  ): Promise<Store<L>> {
    let noticeProblem: StoreProblem | undefined;
    const adapter = new JournalAdapter(async () => {
      const opened = await openWriter(context, create);
      for (const message of opened.messages) log.warning(message);
      noticeProblem = opened.noticeProblem;
      return opened;
    });
    const db = new Low(adapter, create());
    await db.read();
    return new Store(context, disk, lock, adapter, db, noticeProblem);
  }

  /** What is in the store. Change it and call {@link commit} without waiting in between. */
  get ledger(): L {
    return this.#db.data;
  }

  /**
   * Resolves when all that the ledger shows now is on the disk; only then may an answer that builds on it leave. When it
   * cannot be written, what was not durable is taken back in the ledger before this resolves.
   */
  commit(): Promise<Result<void, StoreProblem>> {
    return settle(this.#db.write());
  }

  /** Whether an ADD may begin. Where the reason may have passed, asking also makes the store try again. */
  admitsReservations(): Result<void, StoreProblem> {
    const [problem] = this.#obstacles();
    if (problem === undefined) return ok(undefined);
    this.#adapter.retry();
    this.#adapter.writer.retry();
    this.#retryNotice();
    return fail(problem);
  }

  /** How the store is. */
  state(): StoreHealth {
    const { state, failure, shortage } = this.#adapter.writer;
    if (failure !== undefined) return "failed";
    if (state.damaged) return "damaged";
    return shortage === undefined && this.#noticeProblem === undefined ? "ready" : "full";
  }

  /** All that is wrong with it now. */
  problems(): readonly StoreProblem[] {
    const { snapshotProblem } = this.#adapter.writer;
    return [...this.#obstacles(), ...(snapshotProblem === undefined ? [] : [snapshotProblem])];
  }

  stats(): StoreStats {
    const { generation, journalBytes, snapshotBytes } = this.#adapter.writer;
    return { ...this.#disk.use, generation, journalBytes, snapshotBytes };
  }

  /** Whether `markRebuilt` is waited for. */
  get awaitsRebuild(): boolean {
    return this.#adapter.writer.state.damaged;
  }

  /** Says that all addresses in use are known again: ends the damaged state, durably. */
  markRebuilt(): Promise<Result<void, StoreProblem>> {
    return settle(this.#adapter.markRebuilt());
  }

  /**
   * Waits for what was committed and lets the store go. By default hands the content over to the original's store file, so
   * that the original can be started next; a damaged store is not handed over, since the original would hand out its lost
   * addresses again, nor is any where the original wrote that file meanwhile: the next start imports it, as after a crash.
   */
  async close({ exportLegacy = true }: { readonly exportLegacy?: boolean } = {}): Promise<Result<void, StoreProblem>> {
    await this.#adapter.seal();
    const exported = exportLegacy ? await this.#export() : ok(undefined);
    const closed = await settle(this.#adapter.close());
    this.#lock.release();
    return exported.ok ? closed : exported;
  }

  async #export(): Promise<Result<void, StoreProblem>> {
    const { damaged, exported } = this.#adapter.writer.state;
    if (damaged) return fail(damagedProblem(this.#context));
    const { disk, files } = this.#context;
    const mark = (checksum: number): Promise<void> => this.#adapter.markExported(checksum);
    return settle(exportLegacyFile(disk, files, toSnapshot(this.ledger.image()), exported, mark));
  }

  #obstacles(): StoreProblem[] {
    const { failure, state, shortage } = this.#adapter.writer;
    const damage = state.damaged ? damagedProblem(this.#context) : undefined;
    return [failure, damage, shortage, this.#noticeProblem].filter((problem) => problem !== undefined);
  }

  #retryNotice(): void {
    if (this.#noticeProblem === undefined || this.#placingNotice) return;
    this.#placingNotice = true;
    const { disk, files } = this.#context;
    readLegacyFile(disk, files, this.#adapter.writer.state.exported)
      .then((legacy) => placeNotice(this.#context, legacy))
      .then((problem) => {
        this.#noticeProblem = problem;
      })
      // The problem of before stands.
      .catch(() => undefined)
      .finally(() => {
        this.#placingNotice = false;
      });
  }
}

/** What a store's files say, for people and for `inspect` while no daemon runs. */
export interface StoreReport {
  /** `new`: there is nothing. `damaged`: records are lost, or were and the addresses in use are not known again. */
  readonly state: "new" | "whole" | "damaged";
  /** What a start would serve. */
  readonly content: LedgerSnapshot;
  /** Where that is from: our files, or the original's file that a start would take over. */
  readonly source: "journal" | "original";
  /** Number of the newest journal; 0 when there is none. */
  readonly generation: number;
  /** What is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** Reads a store without its lock and without changing anything; meant for when no daemon runs. */
export async function readStore({
  storeFile,
  disk = nodeDisk,
}: Pick<StoreOptions, "storeFile" | "disk">): Promise<Result<StoreReport, StoreProblem>> {
  const files = new StoreFiles(storeFile);
  try {
    const { ledger, found, start } = await findStore(disk, files, () => new Ledger());
    const madeGood = found?.madeGood.map((n) => `${files.path("snapshot", n)} is damaged; nothing is lost by it`);
    const common = { content: ledger.snapshot(), generation: Math.max(0, ...(found?.listing.journals ?? [])) };
    if (start.type === "resume") {
      const state = found?.damaged === true ? "damaged" : "whole";
      return ok({ ...common, state, source: "journal", problems: [...start.warnings, ...(madeGood ?? [])] });
    }
    const { why, losses: problems } = start;
    if (why === "imported") return ok({ ...common, state: "whole", source: "original", problems });
    return ok({ ...common, state: why, source: "journal", problems });
  } catch (error) {
    return fail(problemOf(error));
  }
}

function settle(work: Promise<void>): Promise<Result<void, StoreProblem>> {
  return work.then(
    () => ok(undefined),
    (error: unknown) => fail(problemOf(error)),
  );
}

/** Anything but a problem of the store is a bug. */
function problemOf(error: unknown): StoreProblem {
  if (error instanceof StoreFailure) return error.problem;
  throw error;
}
