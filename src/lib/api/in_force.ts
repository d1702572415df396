/** Which of a pool's two specs holds, and what its members mean once defaults are filled in. */
import { ALLOW_REALLOCATION_ANNOTATION, type AppliedSpec, type PoolMetadata, type PoolObject } from "./types.ts";
import { validateSpec } from "./validate.ts";

/**
 * The spec that blocks are dealt and addresses are served by (R5): status.appliedSpec, the last one that the controller
 * accepted, or where there is none the spec itself.
 *
 * @returns undefined when neither is there and valid: such a pool serves nothing. Remembered with the spec objects.
 */
export function specInForce(pool: PoolObject): AppliedSpec | undefined {
  return validAppliedSpec(pool) ?? validSpec(pool);
}

/** status.appliedSpec, if it is there and valid. */
export function validAppliedSpec(pool: PoolObject): AppliedSpec | undefined {
  const applied = pool.status?.appliedSpec;
  return applied !== undefined && validateSpec(applied).errors.length === 0 ? applied : undefined;
}

/** The spec, if it is valid. */
function validSpec(pool: PoolObject): AppliedSpec | undefined {
  return "unreadable" in pool || validateSpec(pool.spec).errors.length > 0 ? undefined : pool.spec;
}

/** The spec as status.appliedSpec keeps it: without the nodeSelector, which is always the present one. */
export function toAppliedSpec(spec: AppliedSpec): AppliedSpec {
  const { nodeSelector: _, ...applied } = spec as AppliedSpec & { nodeSelector?: unknown };
  return applied;
}

/**
 * Whether pods get the pool's gateway as their default gateway. The misspelt alias counts where the field itself is absent;
 * it may stand, without effect, where there is no gateway.
 */
export function wantsDefaultGateway(spec: AppliedSpec): boolean {
  const hasGateway = "cidr" in spec ? spec.gatewayIndex !== undefined : Boolean(spec.gateway);
  return hasGateway && (spec.defaultGateway ?? spec.defautGateway ?? false);
}

/** Whether the pool is annotated so that edits of its division may move blocks (R5). */
export function allowsReallocation(metadata: PoolMetadata): boolean {
  return metadata.annotations?.[ALLOW_REALLOCATION_ANNOTATION] === "true";
}
