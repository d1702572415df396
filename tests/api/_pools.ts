/** Pool objects for tests, as JSON. */
import { parsePool } from "../../src/lib/api/parse.ts";
import type { Pool } from "../../src/lib/api/types.ts";

export type Json = Readonly<Record<string, unknown>>;

const API = "nv-ipam.nvidia.com/v1alpha1";

/** An IPPool of a /24 with blocks of 8, changed by `spec`. */
export function ippool(spec: Json = {}, rest: Json = {}): Json {
  return {
    apiVersion: API,
    kind: "IPPool",
    metadata: { name: "pool1" },
    spec: { subnet: "10.10.0.0/24", perNodeBlockSize: 8, ...spec },
    ...rest,
  };
}

/** A CIDRPool of a /16 with a /24 for each node, changed by `spec`. */
export function cidrpool(spec: Json = {}, rest: Json = {}): Json {
  return {
    apiVersion: API,
    kind: "CIDRPool",
    metadata: { name: "pool1" },
    spec: { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, ...spec },
    ...rest,
  };
}

/** The object as a pool; a test that needs it must not give a wrong shape. */
export function parsed(object: Json): Pool {
  const result = parsePool(object);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
