/** What a pool says about itself: conditions, and the Events of what has newly become so. Pure. */
import type { Condition, PoolMetadata } from "../api/types.ts";

/** Types of the conditions that the planner owns; conditions of other types are left alone. */
export type ConditionType =
  | "Ready"
  | "ReallocationAllowed"
  | "OverlapsPool"
  | "StaticAllocationsWait"
  | "BlocksWithoutAddresses"
  | "PodsUnchecked"
  | "NearSizeLimit";

/** The order in which new conditions are added. */
const OWN_TYPES: readonly ConditionType[] = [
  "Ready",
  "ReallocationAllowed",
  "OverlapsPool",
  "StaticAllocationsWait",
  "BlocksWithoutAddresses",
  "PodsUnchecked",
  "NearSizeLimit",
];

/** Why a pool is not ready; Events of both kinds of pool have the reasons of the original. */
export interface Trouble {
  readonly reason: "InvalidSpec" | "WouldMoveBlocks" | "NoFreeBlocks" | "StaticAllocationWaits" | "StatusTooLarge";
  readonly eventReason: Exclude<Trouble["reason"], "NoFreeBlocks"> | "NoFreeRanges" | "NoFreePrefixes";
  readonly message: string;
}

/** A condition that is True for now. */
export interface Finding {
  readonly type: Exclude<ConditionType, "Ready">;
  readonly reason: string;
  readonly message: string;
}

/** An Event about the pool. */
export interface PoolEvent {
  readonly type: "Warning";
  readonly reason: string;
  readonly message: string;
}

/** When and for which generation a status is written. */
export interface Stamp {
  /** RFC 3339. */
  readonly now: string;
  readonly generation: number | undefined;
}

/** The stamp of a status that is written now. Kubernetes writes times in whole seconds. */
export function stampOf(now: Date, { generation }: PoolMetadata): Stamp {
  return { now: `${now.toISOString().slice(0, 19)}Z`, generation };
}

/**
 * The pool's conditions: Ready, and one for each finding; those that are no longer so are removed. lastTransitionTime changes
 * only with the status.
 *
 * @param troubles in order of weight; none: the pool is ready.
 */
export function conditionsOf(
  before: readonly Condition[],
  troubles: readonly Trouble[],
  findings: readonly Finding[],
  stamp: Stamp,
): { conditions: readonly Condition[]; events: readonly PoolEvent[] } {
  const old = new Map<string, Condition>();
  for (const condition of before) if (!old.has(condition.type)) old.set(condition.type, condition);
  const wanted = new Map<string, Condition>([["Ready", restamp(old.get("Ready"), readyOf(troubles), stamp)]]);
  for (const finding of findings) {
    wanted.set(finding.type, restamp(old.get(finding.type), { ...finding, status: "True" }, stamp));
  }

  const isOwn = (type: string) => OWN_TYPES.some((own) => own === type);
  const stay = [...old.values()].flatMap((condition) =>
    isOwn(condition.type) ? (wanted.get(condition.type) ?? []) : condition,
  );
  const added = OWN_TYPES.flatMap((type) => (old.has(type) ? [] : (wanted.get(type) ?? [])));
  return { conditions: [...stay, ...added], events: eventsOf(old, troubles, findings, stamp.generation) };
}

/**
 * The conditions of a pool whose planned status could not be written: only Ready is another.
 *
 * @returns no Events where the conditions before told the same.
 */
export function notReady(
  before: readonly Condition[],
  trouble: Trouble,
  stamp: Stamp,
): { conditions: readonly Condition[]; events: readonly PoolEvent[] } {
  const old = before.find(({ type }) => type === "Ready");
  const ready = restamp(old, readyOf([trouble]), stamp);
  const { eventReason: reason, message } = trouble;
  return {
    conditions: old === undefined ? [ready, ...before] : before.map((each) => (each === old ? ready : each)),
    events: old?.message === message ? [] : [{ type: "Warning", reason, message }],
  };
}

function readyOf(troubles: readonly Trouble[]): Pick<Condition, "type" | "status" | "reason" | "message"> {
  const [heaviest] = troubles;
  if (heaviest === undefined) {
    return { type: "Ready", status: "True", reason: "BlocksDealt", message: "every matching node has its block" };
  }
  const message = troubles.map((trouble) => trouble.message).join("; ");
  return { type: "Ready", status: "False", reason: heaviest.reason, message };
}

function restamp(
  old: Condition | undefined,
  { type, status, reason, message }: Pick<Condition, "type" | "status" | "reason" | "message">,
  { now, generation }: Stamp,
): Condition {
  const since = old?.status === status && isTime(old.lastTransitionTime) ? old.lastTransitionTime : now;
  const condition = { type, status, reason, message, lastTransitionTime: since };
  return generation === undefined ? condition : { ...condition, observedGeneration: generation };
}

/**
 * An Event for each trouble and finding that the conditions before did not tell in the same words; for an edit that is
 * refused always, or whoever made the second one would not hear of it.
 */
function eventsOf(
  old: ReadonlyMap<string, Condition>,
  troubles: readonly Trouble[],
  findings: readonly Finding[],
  generation: number | undefined,
): readonly PoolEvent[] {
  const told = old.get("Ready");
  const toldTroubles = told?.status === "False" ? told.message : "";
  const isRefusedEdit = ({ reason }: Trouble): boolean =>
    told?.observedGeneration !== generation && (reason === "InvalidSpec" || reason === "WouldMoveBlocks");
  return [
    ...troubles
      .filter((trouble) => isRefusedEdit(trouble) || !toldTroubles.includes(trouble.message))
      .map(({ eventReason, message }) => ({ type: "Warning" as const, reason: eventReason, message })),
    ...findings
      .filter(({ type, message }) => old.get(type)?.message !== message)
      .map(({ reason, message }) => ({ type: "Warning" as const, reason, message })),
  ];
}

/** Whether two lists of conditions say the same. */
export function sameConditions(a: readonly Condition[], b: readonly Condition[]): boolean {
  return (
    a.length === b.length &&
    a.every((condition, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        condition.type === other.type &&
        condition.status === other.status &&
        condition.reason === other.reason &&
        condition.message === other.message &&
        condition.lastTransitionTime === other.lastTransitionTime &&
        condition.observedGeneration === other.observedGeneration
      );
    })
  );
}

function isTime(text: string): boolean {
  return text !== "" && !Number.isNaN(Date.parse(text));
}
