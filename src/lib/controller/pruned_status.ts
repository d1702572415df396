/**
 * Keeps what a status says where the cluster's CRD does not: the original's schema knows status.allocations only, and the API
 * server cuts off the rest of what is written.
 */
import type { AnyPoolStatus, PoolObject } from "../api/types.ts";

/** Statuses whose writing lost members, by the pool's UID. What they say lasts as long as this process. */
export class PrunedStatus {
  readonly #written = new Map<string, AnyPoolStatus>();
  /** Pools whose status is to be written once more, though it has not changed. */
  readonly #due = new Set<string>();

  /** Remembers a status whose writing lost members. */
  keep(uid: string, written: AnyPoolStatus): void {
    this.#written.set(uid, written);
    this.#due.delete(uid);
  }

  /** A status of this pool was stored as it was written. */
  drop(uid: string): void {
    this.#written.delete(uid);
    this.#due.delete(uid);
  }

  /** The schema may be another now. @returns whether something was cut off from this pool, which is to be tried again. */
  tryAgain(uid: string): boolean {
    if (!this.#written.has(uid)) return false;
    this.#due.add(uid);
    return true;
  }

  /** Whether the pool's status is to be written in any case. */
  isDue(uid: string): boolean {
    return this.#due.has(uid);
  }

  /** The pool with the members of its status that were cut off. Allocations are always what the API server says. */
  restore(pool: PoolObject): PoolObject {
    const written = this.#written.get(pool.metadata.uid ?? "");
    // status.blocks is in every status that the planner makes.
    if (written === undefined || pool.status?.blocks !== undefined) return pool;
    const { allocations: _, ...rest } = written;
    const { allocations } = pool.status ?? {};
    // The planner gave the status of the pool's kind.
    return { ...pool, status: { ...(allocations && { allocations }), ...rest } } as PoolObject;
  }

  /** Forgets pools that are no more. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#written.keys()) if (!uids.has(uid)) this.drop(uid);
  }
}
