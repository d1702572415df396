/** Reads the status of either kind from untrusted JSON. What cannot be read is left out: a status is never refused as a whole. */
import { defined, FieldReader, type Fields, isFields, member } from "./_fields.ts";
import { readSpec } from "./_spec_shape.ts";
import { FieldErrors } from "./field_error.ts";
import type { Allocation, AnyPoolStatus, AppliedSpec, BlockCounts, Condition, PoolKind, Released } from "./types.ts";

/**
 * Reads a status, as from the API server or a state file.
 *
 * @returns undefined when it is no object.
 */
export function parseStatus(kind: PoolKind, value: unknown): AnyPoolStatus | undefined {
  if (!isFields(value)) return undefined;
  const generation = member(value, "observedGeneration");
  return defined({
    allocations: parseAllocations(kind, member(value, "allocations")),
    released: items(value, "released")?.flatMap((entry) => readReleased(kind, entry) ?? []),
    appliedSpec: readAppliedSpec(kind, member(value, "appliedSpec")),
    observedGeneration: Number.isSafeInteger(generation) ? (generation as number) : undefined,
    blocks: readCounts(member(value, "blocks")),
    conditions: items(value, "conditions")?.flatMap((entry) => readCondition(entry) ?? []),
  });
}

/** Reads status.allocations; undefined when it is no list. A loop: of all that a status has, these are many. */
export function parseAllocations(kind: PoolKind, value: unknown): readonly Allocation[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const allocations: Allocation[] = [];
  for (const entry of value) {
    const allocation = readAllocation(kind, entry);
    if (allocation !== undefined) allocations.push(allocation);
  }
  return allocations;
}

function items(fields: Fields, key: string): readonly unknown[] | undefined {
  const value = member(fields, key);
  return Array.isArray(value) ? value : undefined;
}

function text(fields: Fields, key: string): string | undefined {
  const value = member(fields, key);
  return typeof value === "string" ? value : undefined;
}

function readAllocation(kind: PoolKind, entry: unknown): Allocation | undefined {
  if (!isFields(entry)) return undefined;
  const nodeName = text(entry, "nodeName");
  if (nodeName === undefined) return undefined;
  if (kind === "IPPool") {
    const startIP = text(entry, "startIP");
    const endIP = text(entry, "endIP");
    return startIP === undefined || endIP === undefined ? undefined : { nodeName, startIP, endIP };
  }
  const prefix = text(entry, "prefix");
  if (prefix === undefined) return undefined;
  const gateway = text(entry, "gateway");
  return gateway === undefined ? { nodeName, prefix } : { nodeName, prefix, gateway };
}

function readReleased(kind: PoolKind, entry: unknown): Released<Allocation> | undefined {
  const allocation = readAllocation(kind, entry);
  if (allocation === undefined || !isFields(entry)) return undefined;
  return { ...allocation, releasedAt: text(entry, "releasedAt") ?? "", reason: text(entry, "reason") ?? "" };
}

function readAppliedSpec(kind: PoolKind, value: unknown): AppliedSpec | undefined {
  if (!isFields(value)) return undefined;
  const errors = new FieldErrors();
  const { nodeSelector: _, ...applied } = readSpec(kind, new FieldReader(value, "status.appliedSpec", errors));
  return errors.list().length > 0 ? undefined : applied;
}

function readCounts(value: unknown): BlockCounts | undefined {
  if (!isFields(value)) return undefined;
  const count = (key: keyof BlockCounts): number => {
    const number = member(value, key);
    return typeof number === "number" && Number.isSafeInteger(number) ? number : 0;
  };
  return { total: count("total"), allocated: count("allocated"), free: count("free"), resting: count("resting") };
}

function readCondition(entry: unknown): Condition | undefined {
  if (!isFields(entry)) return undefined;
  const type = text(entry, "type");
  const status = text(entry, "status");
  if (type === undefined || (status !== "True" && status !== "False" && status !== "Unknown")) return undefined;
  const generation = member(entry, "observedGeneration");
  const condition: Condition = {
    type,
    status,
    reason: text(entry, "reason") ?? "",
    message: text(entry, "message") ?? "",
    lastTransitionTime: text(entry, "lastTransitionTime") ?? "",
  };
  return typeof generation === "number" ? { ...condition, observedGeneration: generation } : condition;
}
