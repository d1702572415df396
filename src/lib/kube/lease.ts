/** The Lease object of a leader election, as client-go writes and reads it. */
import type { KubeObject, Resource } from "./object.ts";

export const LEASES: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases" };

/** coordination.k8s.io/v1 Lease. */
export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export interface LeaseSpec {
  /** Empty when it was released. */
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  /** RFC 3339 with microseconds. */
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** Who takes a lease, and for how long. */
export interface Claim {
  readonly identity: string;
  readonly leaseDurationSeconds: number;
  /** RFC 3339 with microseconds: for people, and for other implementations that look whether it changes. */
  readonly time: string;
}

/** The spec that takes the lease, or renews it when it is the claimant's already. */
export function claimed(before: LeaseSpec, { identity, leaseDurationSeconds, time }: Claim): LeaseSpec {
  const own = before.holderIdentity === identity;
  return {
    ...before,
    holderIdentity: identity,
    leaseDurationSeconds,
    acquireTime: own ? (before.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: (before.leaseTransitions ?? 0) + (own ? 0 : 1),
  };
}

/** The spec that gives the lease up: anybody may take it at once. */
export function released({ leaseTransitions = 0 }: LeaseSpec, time: string): LeaseSpec {
  return { holderIdentity: "", leaseDurationSeconds: 1, acquireTime: time, renewTime: time, leaseTransitions };
}

/** The present time as MicroTime has it. */
export function microTime(now: Date): string {
  return now.toISOString().replace(/Z$/, "000Z");
}
