/** Puts into words what a plan found: troubles that keep a pool from being ready, and further findings. */
import { type FieldError, formatFieldErrors } from "../api/field_error.ts";
import { ALLOW_REALLOCATION_ANNOTATION, type PoolKind } from "../api/types.ts";
import { formatCidr } from "../ip/address.ts";
import { blockText, type Held } from "./block_entry.ts";
import type { Finding, Trouble } from "./conditions.ts";
import type { Dealt, WaitingStatic } from "./deal.ts";
import type { Terms } from "./terms.ts";

/** Names shown of a list that may be long. */
const SHOWN = 5;
/** 80 % of the 1.5 MiB that etcd stores as one object. */
const SIZE_LIMIT_BYTES = Math.floor(0.8 * 1.5 * 1024 * 1024);

/** What keeps the pool from being ready, in order of weight. */
export function troublesOf(
  kind: PoolKind,
  errors: readonly FieldError[],
  wouldMove: readonly Held[],
  terms: Terms | undefined,
  { waiting, waitingStatics, resting }: Dealt,
): Trouble[] {
  const troubles: Trouble[] = [];
  if (errors.length > 0) {
    const message = `the spec is not accepted: ${formatFieldErrors(errors)}`;
    troubles.push({ reason: "InvalidSpec", eventReason: "InvalidSpec", message });
  }
  if (wouldMove.length > 0) {
    const blocks = listText(wouldMove.map(({ nodeName, entry }) => `${nodeName} ${blockText(entry)}`));
    const way = `take it back, or allow it by the annotation ${ALLOW_REALLOCATION_ANNOTATION}: "true"`;
    const message = `the spec is not accepted, it would move blocks that nodes have: ${blocks}; ${way}`;
    troubles.push({ reason: "WouldMoveBlocks", eventReason: "WouldMoveBlocks", message });
  }
  if (waiting.length > 0) {
    const where = terms === undefined || terms.inferred ? "" : ` in ${formatCidr(terms.division.network)}`;
    const rest = resting.length === 0 ? "" : ` (${resting.length} rest)`;
    const [what, field] = kind === "IPPool" ? ["block", "subnet"] : ["prefix", "cidr"];
    const way = `widen ${field}, or let nodeSelector choose fewer nodes`;
    const message = `no free ${what}${where} for ${listText(waiting)}${rest}; ${way}`;
    const eventReason = kind === "IPPool" ? "NoFreeRanges" : "NoFreePrefixes";
    troubles.push({ reason: "NoFreeBlocks", eventReason, message });
  }
  const without = waitingStatics.filter(({ node }) => node === "waits");
  if (without.length > 0) {
    const message = `no prefix for ${listText(without.map(staticText))}`;
    troubles.push({ reason: "StaticAllocationWaits", eventReason: "StaticAllocationWaits", message });
  }
  return troubles;
}

/** What else is worth knowing. */
export function findingsOf(facts: {
  readonly mayMove: boolean;
  readonly overlapsWith: readonly string[];
  readonly waitingStatics: readonly WaitingStatic[];
  readonly terms: Terms | undefined;
  /** Nodes whose block has no usable address. */
  readonly unusable: readonly string[];
  readonly podsUnchecked: boolean;
  /** About the bytes of the whole object as JSON. */
  readonly objectBytes: number;
}): Finding[] {
  const findings: Finding[] = [];
  if (facts.mayMove) {
    const message = `edits may move blocks while the annotation ${ALLOW_REALLOCATION_ANNOTATION} stands`;
    findings.push({ type: "ReallocationAllowed", reason: "Annotated", message });
  }
  if (facts.overlapsWith.length > 0) {
    const message = `shares addresses with ${listText([...facts.overlapsWith].sort())}`;
    findings.push({ type: "OverlapsPool", reason: "OverlapsPool", message });
  }
  if (facts.waitingStatics.length > 0) {
    const message = `static allocations wait until their prefix is free: ${listText(facts.waitingStatics.map(staticText))}`;
    findings.push({ type: "StaticAllocationsWait", reason: "PrefixInUse", message });
  }
  if (facts.terms !== undefined && !facts.terms.usability.geometryIsUsable && !facts.terms.usability.allIsExcluded) {
    const message = "no block leaves a pod an address that it could get without asking for it";
    findings.push({ type: "BlocksWithoutAddresses", reason: "NoUsableAddress", message });
  } else if (facts.unusable.length > 0) {
    const message = `the blocks of these nodes have no usable address left: ${listText(facts.unusable)}`;
    findings.push({ type: "BlocksWithoutAddresses", reason: "NoUsableAddress", message });
  }
  if (facts.podsUnchecked) {
    const message = "released blocks rest for --block-release-delay only: the controller may not list pods";
    findings.push({ type: "PodsUnchecked", reason: "PodsForbidden", message });
  }
  if (facts.objectBytes > SIZE_LIMIT_BYTES) {
    const message = "the pool nears the size that etcd stores as one object (1.5 MiB); split it";
    findings.push({ type: "NearSizeLimit", reason: "LargeObject", message });
  }
  return findings;
}

function staticText({ wanted, holder, node }: WaitingStatic): string {
  const whose = wanted.nodeName === "" ? "for no node" : `for ${wanted.nodeName}`;
  if (node === "keepsAnother") return `${wanted.prefix} ${whose}, which keeps the prefix it has`;
  if (holder === wanted.nodeName) return `${wanted.prefix} ${whose}, whose former prefix still rests`;
  return holder === "" ? `${wanted.prefix} ${whose}` : `${wanted.prefix} ${whose}, which ${holder} has`;
}

/** The first few of what may be many, as messages name them. */
export function listText(items: readonly string[]): string {
  const shown = items.slice(0, SHOWN).join(", ");
  return items.length > SHOWN ? `${shown} and ${items.length - SHOWN} more` : shown;
}
