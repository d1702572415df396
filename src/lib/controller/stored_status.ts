/**
 * Holds on to what a status said where it says less now, and not by our doing: the original's CRD knows status.allocations
 * only, so that the API server cuts off the rest of what is written; and whoever edits, restores or replaces a status may
 * take blocks out of it that nodes use.
 */
import { allowsReallocation } from "../api/in_force.ts";
import type { Allocation, AnyPoolStatus, PoolObject } from "../api/types.ts";
import { blockText, sameEntries } from "../planner/block_entry.ts";

/** A pool as it is to be planned. */
export interface Restored {
  readonly pool: PoolObject;
  /** How many entries others took out of its status, which are in it again. */
  readonly lost: number;
}

interface Known {
  readonly status: AnyPoolStatus;
  /** Whether members were cut off when it was last written. */
  readonly isPruned: boolean;
  /** Whether it is to be written once more, though it has not changed. */
  readonly isDue: boolean;
  /** What was sent last without an answer: the status is this one, if the API server shows it. */
  readonly sent?: AnyPoolStatus;
  /** When something was put back last, in milliseconds. */
  readonly putBackAt?: number;
}

/** Milliseconds between two times of putting back: a second writer that goes on taking out is not to be written against. */
const PUT_BACK_PAUSE_MS = 10_000;

/** Statuses as this process knows them to be right, by the pool's UID. What they say lasts as long as this process. */
export class StoredStatus {
  readonly #known = new Map<string, Known>();

  /** Remembers a status that was written, and whether members of it were cut off. */
  written(uid: string, status: AnyPoolStatus, isPruned: boolean): void {
    const { putBackAt } = this.#known.get(uid) ?? {};
    this.#known.set(uid, { status, isPruned, isDue: false, ...(putBackAt !== undefined && { putBackAt }) });
  }

  /** Remembers that what a pool's status had lost was put back. */
  putBack(uid: string, nowMs: number): void {
    const known = this.#known.get(uid);
    if (known !== undefined) this.#known.set(uid, { ...known, putBackAt: nowMs });
  }

  /** Milliseconds until the pool's status may be written with what it lost; 0 or less: at once. */
  untilPutBack(uid: string, nowMs: number): number {
    const { putBackAt = Number.NEGATIVE_INFINITY } = this.#known.get(uid) ?? {};
    return putBackAt + PUT_BACK_PAUSE_MS - nowMs;
  }

  /** Remembers a status that may have been written: no answer came. */
  sent(uid: string, status: AnyPoolStatus): void {
    const known = this.#known.get(uid);
    if (known !== undefined) this.#known.set(uid, { ...known, sent: status });
  }

  /** Remembers a status that was found to be right. */
  keep(uid: string, status: AnyPoolStatus): void {
    this.#known.set(uid, { isPruned: false, isDue: false, ...this.#known.get(uid), status });
  }

  /** The schema may be another now. @returns whether something was cut off from this pool, which is to be tried again. */
  tryAgain(uid: string): boolean {
    const known = this.#known.get(uid);
    if (!known?.isPruned) return false;
    this.#known.set(uid, { ...known, isDue: true });
    return true;
  }

  /** Whether the pool's status is to be written in any case. */
  isDue(uid: string): boolean {
    return this.#known.get(uid)?.isDue ?? false;
  }

  /**
   * The pool with what its status has lost: entries whose block nobody has in it any more. A block that it says of another
   * node, or that it lets rest, stays as it says: that may have been the leader before. So does everything where the pool is
   * annotated so that blocks may move.
   */
  restore(pool: PoolObject): Restored {
    const status = pool.status ?? {};
    const known = this.#lookUp(pool.metadata.uid ?? "", status);
    if (known === undefined) return { pool, lost: 0 };
    const { allocations = [], released = [], ...rest } = known.status;
    const mayMove = allowsReallocation(pool.metadata);
    const isLost = lossesOf(status);
    const taken = mayMove || allocations === status.allocations ? [] : allocations.filter(isLost);
    // status.blocks is in every status that the planner makes.
    const isCut = known.isPruned && status.blocks === undefined;
    const resting = (mayMove && !isCut) || released === status.released ? [] : released.filter(isLost);
    const lost = taken.length + (isCut ? 0 : resting.length);
    if (lost === 0 && !isCut) return { pool, lost };
    const whole = {
      ...(isCut && rest),
      ...status,
      appliedSpec: status.appliedSpec ?? rest.appliedSpec,
      allocations: [...(status.allocations ?? []), ...taken],
      released: [...(status.released ?? []), ...resting],
    };
    // The planner gave the status of the pool's kind.
    return { pool: { ...pool, status: whole } as PoolObject, lost };
  }

  #lookUp(uid: string, { allocations = [], blocks }: AnyPoolStatus): Known | undefined {
    const sent = this.#known.get(uid)?.sent;
    if (sent !== undefined && sameEntries(sent.allocations ?? [], allocations))
      this.written(uid, sent, blocks === undefined);
    return this.#known.get(uid);
  }

  /** Forgets pools that are no more. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#known.keys()) if (!uids.has(uid)) this.#known.delete(uid);
  }
}

/** Whether a status says nothing any more of an entry's block. Its entries are looked at when that is first asked. */
function lossesOf({ allocations = [], released = [] }: AnyPoolStatus): (entry: Allocation) => boolean {
  let blocks: ReadonlySet<string> | undefined;
  return (entry) => {
    blocks ??= new Set([...allocations, ...released].map(blockText));
    return !blocks.has(blockText(entry));
  };
}
