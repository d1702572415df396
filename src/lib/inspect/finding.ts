/** What `inspect check` finds. */

/** `error`: a rule is broken, or pods cannot start. `warning`: may become one, or is somebody's choice. `info`: rights itself. */
export type Severity = "error" | "warning" | "info";

/** Every reason; docs/inspect.md says what each means and what to do. */
export const REASONS = [
  "AddressHeldTwice",
  "BlockOfUnknownNode",
  "BlockWithoutAddresses",
  "Exhausted",
  "FormerPool",
  "InvalidSpec",
  "NearlyExhausted",
  "NodeWithoutBlock",
  "NotAdopted",
  "NotServing",
  "OutsideBlock",
  "OverlappingBlocks",
  "OverlappingPools",
  "PoolCondition",
  "PoolNotReady",
  "PoolProblem",
  "Resting",
  "SpecWarning",
  "StaleReservation",
  "StaticInOtherBlock",
  "UnknownPool",
  "UnreservedAddress",
  "UnsupportedVersion",
  "WouldMoveBlocks",
  "WrittenOtherwise",
] as const;

export type Reason = (typeof REASONS)[number];

/** One thing found. What it is not about is "". */
export interface Finding {
  readonly severity: Severity;
  readonly reason: Reason;
  readonly poolKind: string;
  readonly pool: string;
  readonly node: string;
  /** namespace/name */
  readonly pod: string;
  readonly message: string;
}

/** What a finding is about. */
export interface Subject {
  readonly poolKind?: string;
  readonly pool?: string;
  readonly node?: string;
  readonly pod?: string;
}

/** A finding about what is given of the subject, and of nothing else. */
export function finding(severity: Severity, reason: Reason, about: Subject, message: string): Finding {
  const { poolKind = "", pool = "", node = "", pod = "" } = about;
  return { severity, reason, poolKind, pool, node, pod, message };
}

const ORDER: readonly Severity[] = ["error", "warning", "info"];

/** Errors first, each kind together. */
export function sorted(findings: readonly Finding[]): readonly Finding[] {
  return findings.toSorted(
    (a, b) =>
      ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity) || (a.reason < b.reason ? -1 : a.reason > b.reason ? 1 : 0),
  );
}

/** A block of which so large a part is used has few addresses left. */
const NEARLY = { part: 10n, least: 10n };

/** Whether a block's usable addresses are used up, or nearly so. Small blocks that are made for what they hold are never nearly so. */
export function fullness(usable: bigint, free: bigint): "Exhausted" | "NearlyExhausted" | undefined {
  if (free <= 0n) return "Exhausted";
  return usable >= NEARLY.least && free * NEARLY.part <= usable ? "NearlyExhausted" : undefined;
}
