/** THE list of rules: what a pool must keep so that webhook, controller, daemon and standalone mode accept it. */
import { checkCIDRPoolSpec } from "./_cidrpool_rules.ts";
import { checkIPPoolSpec } from "./_ippool_rules.ts";
import { checkSelector } from "./_selector_rules.ts";
import { divisionOf } from "./division.ts";
import { type FieldError, FieldErrors, type FieldWarning } from "./field_error.ts";
import type { AppliedSpec, NodeSelector, PoolObject, PoolSpec } from "./types.ts";
import { Usability } from "./usability.ts";

/** What validation found. The pool is valid when `errors` is empty. */
export interface Validity {
  readonly errors: readonly FieldError[];
  readonly warnings: readonly FieldWarning[];
}

/** What the CNI library accepts as the name of a network, which a pool is named like. */
const POOL_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/**
 * Checks a pool against every rule. It refuses what the original's controller refuses, and nothing else but block sizes
 * above 2^53 - 1 and selectors of more than 5,000 requirements; what is legal but hardly meant is a warning. The spec's part
 * is remembered for as long as the spec object lives.
 */
export function validatePool(pool: PoolObject): Validity {
  const spec = "unreadable" in pool ? { errors: pool.unreadable, warnings: [] } : validateSpec(pool.spec);
  if (POOL_NAME.test(pool.metadata.name)) return spec;
  const name = new FieldErrors();
  name.add(
    "metadata.name",
    pool.metadata.name,
    "must be letters, digits, _ . and -, beginning with a letter or a digit",
  );
  return { errors: [...name.list(), ...spec.errors], warnings: spec.warnings };
}

const remembered = new WeakMap<object, Validity>();

/** The part of validatePool that concerns the spec, or status.appliedSpec. */
export function validateSpec(spec: PoolSpec | AppliedSpec): Validity {
  const known = remembered.get(spec);
  if (known !== undefined) return known;
  const findings = { errors: new FieldErrors(), warnings: new FieldErrors() };
  if ("cidr" in spec) checkCIDRPoolSpec(spec, findings);
  else checkIPPoolSpec(spec, findings);
  if (findings.errors.list().length === 0) checkBlocks(spec, findings.warnings);
  const { nodeSelector } = spec as Partial<PoolSpec>;
  if (nodeSelector !== undefined) checkSelector(nodeSelector, "spec.nodeSelector", findings.errors, findings.warnings);
  const validity = { errors: findings.errors.list(), warnings: findings.warnings.list() };
  remembered.set(spec, validity);
  return validity;
}

/** Whether the selector keeps its rules by itself, whatever the rest of its spec does. */
export function isValidSelector(selector: NodeSelector | undefined): boolean {
  if (selector === undefined) return true;
  const errors = new FieldErrors();
  checkSelector(selector, "spec.nodeSelector", errors, new FieldErrors());
  return errors.list().length === 0;
}

function checkBlocks(spec: PoolSpec | AppliedSpec, warnings: FieldErrors): void {
  const division = divisionOf(spec);
  if (division === undefined) return;
  const usability = new Usability(spec, division);
  const what = "cidr" in spec ? "prefix" : "block";
  if (usability.allIsExcluded) {
    warnings.add("spec.perNodeExclusions", "list", `cover every address of a node's ${what}: no node gets one`);
  } else if (!usability.geometryIsUsable) {
    warnings.add("spec", "object", `leaves no ${what} an address that a pod could get without asking for it`);
  } else if (usability.undealable.count() === division.count) {
    warnings.add("spec.exclusions", "list", `leave no ${what} a usable address: no node gets one`);
  }
}
