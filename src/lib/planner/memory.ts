/** What one pool's last plan worked out, so that the next one costs what has changed and not what there is. */
import type { Allocation, AppliedSpec, Pool, PoolObject } from "../api/types.ts";
import { type Held, sameEntries } from "./block_entry.ts";
import type { Standing } from "./standing.ts";
import { sameWholeSpec, type Terms } from "./terms.ts";

/** What a standing was worked out for, beside its entries. */
export interface Circumstances {
  /** The terms in force. */
  readonly terms: Terms | undefined;
  /** The present spec's terms. */
  readonly asked: Terms | undefined;
  readonly mayMove: boolean;
}

/**
 * Hand the same one to each plan of a pool. A plan comes out the same with it and without; it only spares work where
 * the pool says what the last plan said. One for each pool, in the hands of one caller.
 */
export class PlanMemory {
  #spec: Pool["spec"] | undefined;
  #applied: AppliedSpec | undefined;
  #allocations: readonly Allocation[] = [];
  #standing: Standing | undefined;
  #circumstances: Circumstances | undefined;

  /** The same pool, with the remembered spec objects where they say the same: much that is known hangs on them. */
  recognise(pool: PoolObject): PoolObject {
    if ("unreadable" in pool) return pool;
    const known = this.#spec;
    const { status } = pool;
    // An equal spec is one of the same kind.
    const spec = known !== undefined && sameWholeSpec(known, pool.spec) ? known : pool.spec;
    const applied = status?.appliedSpec;
    const same = applied !== undefined && this.#applied !== undefined && sameWholeSpec(this.#applied, applied);
    const appliedSpec = same ? this.#applied : applied;
    this.#spec = spec;
    this.#applied = appliedSpec;
    if (spec === pool.spec && appliedSpec === applied) return pool;
    return { ...pool, spec, ...(status && { status: { ...status, ...(appliedSpec && { appliedSpec }) } }) } as Pool;
  }

  /** The last plan's standing, if these are the entries that it came to; else it is forgotten. */
  known(allocations: readonly Allocation[]): Standing | undefined {
    if (this.#standing !== undefined && !sameEntries(allocations, this.#allocations)) this.#standing = undefined;
    return this.#standing;
  }

  /** The last plan's standing, if these are its entries and circumstances, and all its nodes stay. */
  standing(staying: readonly Held[], circumstances: Circumstances): Standing | undefined {
    const before = this.#circumstances;
    const isSame =
      before?.terms === circumstances.terms &&
      before?.asked === circumstances.asked &&
      before?.mayMove === circumstances.mayMove;
    return isSame && this.#standing?.holders.length === staying.length ? this.#standing : undefined;
  }

  /** Remembers what a plan came to. */
  remember(allocations: readonly Allocation[], standing: Standing, circumstances: Circumstances): void {
    this.#allocations = allocations;
    this.#standing = standing;
    this.#circumstances = circumstances;
  }
}
