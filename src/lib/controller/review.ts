/** What the validating webhook says to a pool that is created, edited or deleted. Pure. */
import { type FieldWarning, formatFieldErrors, formatFieldWarning } from "../api/field_error.ts";
import { readPool } from "../api/parse.ts";
import type { AnyPoolStatus, PoolObject } from "../api/types.ts";
import { validatePool } from "../api/validate.ts";
import { overlaps, poolKey } from "../planner/overlaps.ts";
import { plan } from "../planner/plan.ts";
import type { ClusterView } from "./cluster_view.ts";

/** The part of admission/v1 AdmissionRequest that is looked at. */
export interface PoolReview {
  readonly operation: string;
  readonly namespace: string;
  readonly object?: unknown;
  readonly oldObject?: unknown;
}

/** The answer. */
export interface Verdict {
  readonly allowed: boolean;
  /** Why not, for people; each field with its path. */
  readonly message?: string;
  readonly warnings: readonly string[];
}

/** The API server cuts longer warnings off, and all of them after 4096 characters. */
const MAX_WARNING = 256;
const MAX_WARNINGS = 16;

/** Conditions of a plan that are worth a warning while somebody looks. */
const TELLING = new Set(["OverlapsPool", "StaticAllocationsWait", "BlocksWithoutAddresses", "NearSizeLimit"]);

/**
 * Judges one request by what is known at this moment, without asking anybody.
 *
 * @param watched the namespace whose pools are dealt: others are none of ours, but for the rules of their specs.
 * @param view nodes and pools of the cluster; undefined as long as they are not known: then what needs them is allowed with
 *   a warning, as the controller holds the rule anyway.
 */
export function reviewPool(review: PoolReview, watched: string, view: ClusterView | undefined): Verdict {
  const isWatched = review.namespace === watched;
  if (review.operation === "DELETE") return isWatched ? reviewDeletion(review.oldObject) : allow([]);
  if (review.operation !== "CREATE" && review.operation !== "UPDATE") return { allowed: true, warnings: [] };
  const read = readPool(review.object);
  if (!read.ok) return { allowed: false, message: formatFieldErrors(read.error), warnings: [] };
  const pool = read.value;
  const old = review.operation === "UPDATE" ? readPool(review.oldObject) : undefined;
  const before = old?.ok ? old.value : undefined;

  const { errors, warnings } = validatePool(pool);
  // An object that was stored invalid can still be labelled, annotated and released by its finalizers.
  const isSameSpec = before !== undefined && sameSpec(review.object, review.oldObject);
  if (errors.length > 0) {
    const message = `the spec is not accepted: ${formatFieldErrors(errors)}`;
    return isSameSpec ? allow([message]) : { allowed: false, message, warnings: limited(fieldTexts(warnings)) };
  }
  const texts = fieldTexts(warnings);
  if (!isWatched) {
    return allow([...texts, `pools of namespace ${review.namespace} are not looked at: those of ${watched} are`]);
  }
  if (view === undefined) {
    const unknown = "whether this moves blocks that nodes have, or shares addresses with other pools, is not known yet";
    return allow([...texts, unknown]);
  }
  const conditions = planned(pool, before, view).conditions ?? [];
  const told = conditions.filter(({ type }) => TELLING.has(type)).map(({ message }) => message);
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready?.status === "False" && ready.reason === "WouldMoveBlocks" && !isSameSpec) {
    return { allowed: false, message: ready.message, warnings: limited([...texts, ...told]) };
  }
  return allow([...texts, ...told, ...(ready?.status === "False" ? [ready.message] : [])]);
}

/** The status that the controller would give the object, which keeps the blocks of the one before it. */
function planned(pool: PoolObject, before: PoolObject | undefined, view: ClusterView): AnyPoolStatus {
  const known = view.pool(poolKey(pool));
  const isKnown = known !== undefined && known.metadata.uid === before?.metadata.uid;
  // The watch may be a moment ahead of what the API server sends along.
  const status = isKnown ? known.status : before?.status;
  // The status is that of the pool's kind.
  const wanted = { ...pool, ...(status && { status }) } as PoolObject;
  const { status: _, ...fresh } = pool;
  const others = view.pools().filter((other) => poolKey(other) !== poolKey(pool));
  const key = poolKey(pool);
  const overlapping = overlaps([...others, fresh as PoolObject]).flatMap(([a, b]) =>
    a === key ? [b] : b === key ? [a] : [],
  );
  const rest = { delayMs: Number.MAX_SAFE_INTEGER, elapsedMs: () => 0, podUse: () => "unknown" as const };
  return plan({ pool: wanted, nodes: view.nodes(), now: new Date(0), rest, overlapsWith: overlapping }).status;
}

function reviewDeletion(object: unknown): Verdict {
  const read = readPool(object);
  const blocks = read.ok ? (read.value.status?.allocations?.length ?? 0) : 0;
  if (blocks === 0) return allow([]);
  const what = blocks === 1 ? "1 node has a block" : `${blocks} nodes have blocks`;
  return allow([`${what} of this pool: which node had which is forgotten; a new pool of this name deals them anew`]);
}

function sameSpec(a: unknown, b: unknown): boolean {
  return JSON.stringify(specOf(a)) === JSON.stringify(specOf(b));
}

function specOf(object: unknown): unknown {
  return typeof object === "object" && object !== null && "spec" in object ? object.spec : undefined;
}

function fieldTexts(warnings: readonly FieldWarning[]): readonly string[] {
  return warnings.map(formatFieldWarning);
}

function allow(warnings: readonly string[]): Verdict {
  return { allowed: true, warnings: limited(warnings) };
}

function limited(warnings: readonly string[]): readonly string[] {
  const shown = warnings.map((text) => (text.length > MAX_WARNING ? `${text.slice(0, MAX_WARNING - 1)}…` : text));
  return [...new Set(shown)].slice(0, MAX_WARNINGS);
}
