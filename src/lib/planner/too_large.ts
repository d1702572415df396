/** What becomes of a pool whose planned status is larger than the API server stores. Pure. */
import type { AnyPoolStatus, PoolObject } from "../api/types.ts";
import { notReady, type PoolEvent, stampOf, type Trouble } from "./conditions.ts";

const TROUBLE: Trouble = {
  reason: "StatusTooLarge",
  eventReason: "StatusTooLarge",
  message:
    "the status is too large to be stored and stays as it was; split the pool, let nodeSelector choose fewer nodes, or shorten the lists of the spec",
};

/**
 * The status that tells of it: as it was, but not ready.
 *
 * @returns no Events where it was told before.
 */
export function tooLarge(
  { metadata, status }: PoolObject,
  now: Date,
): { readonly status: AnyPoolStatus; readonly events: readonly PoolEvent[] } {
  const { conditions, events } = notReady(status?.conditions ?? [], TROUBLE, stampOf(now, metadata));
  return { status: { allocations: [], ...status, conditions }, events };
}
