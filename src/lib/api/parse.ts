/** Turns arbitrary JSON values into pool objects: the shape is checked here, the meaning in validate.ts. */
import { fail, ok, type Result } from "../result.ts";
import { defined, FieldReader, isFields } from "./_fields.ts";
import { readSpec } from "./_spec_shape.ts";
import { parseAllocations, parseStatus } from "./_status_shape.ts";
import { type FieldError, FieldErrors } from "./field_error.ts";
import { type Allocation, API_VERSION, type Pool, type PoolKind, type PoolMetadata, type PoolObject } from "./types.ts";

export { parseStatus } from "./_status_shape.ts";

/**
 * Reads a pool object. Unknown members are ignored; null counts as absent. A status is read as far as it can be.
 *
 * @param unknown takes the unknown members of the spec
 * @returns every wrong type and missing member (the first 30) with its path. Never throws, whatever JSON holds.
 */
export function parsePool(value: unknown, unknown?: FieldErrors): Result<Pool, readonly FieldError[]> {
  const read = readPool(value, unknown);
  if (!read.ok) return read;
  return "unreadable" in read.value ? fail(read.value.unreadable) : ok(read.value);
}

/**
 * Reads whatever the API server holds under one of the two kinds. Unlike parsePool it does not give up an object whose spec
 * has wrong types: its status is still in force.
 *
 * @returns errors only for what is no pool object at all: another kind or version, no name.
 */
export function readPool(value: unknown, unknown?: FieldErrors): Result<PoolObject, readonly FieldError[]> {
  const identity = new FieldErrors();
  if (!isFields(value)) {
    identity.add("", value, "must be an object");
    return fail(identity.list());
  }
  const object = new FieldReader(value, "", identity);
  const kind = readKind(object, identity);
  const metadata = object.requiredObject("metadata", "an object with the pool's name", readMetadata);
  if (kind === undefined || metadata === undefined || identity.list().length > 0) return fail(identity.list());

  const broken = new FieldErrors();
  const spec = new FieldReader(value, "", broken, unknown).requiredObject(
    "spec",
    "the pool's configuration",
    (reader) => readSpec(kind, reader),
  );
  const status = parseStatus(kind, value.status);
  if (spec === undefined || broken.list().length > 0) {
    return ok(defined({ kind, metadata, unreadable: broken.list(), status }));
  }
  // The kind chose the shape of spec and status, which the types of the union cannot follow.
  return ok(defined({ apiVersion: API_VERSION, kind, metadata, spec, status }) as Pool);
}

/** Reads status.allocations from its JSON text; what cannot be read is left out. */
export function readAllocations(kind: PoolKind, text: string): readonly Allocation[] {
  try {
    return parseAllocations(kind, JSON.parse(text)) ?? [];
  } catch {
    return [];
  }
}

function readKind(object: FieldReader, errors: FieldErrors): PoolKind | undefined {
  const apiVersion = object.requiredString("apiVersion", API_VERSION);
  if (apiVersion !== undefined && apiVersion !== API_VERSION) {
    errors.add("apiVersion", apiVersion, `must be ${API_VERSION}`);
  }
  const kind = object.requiredString("kind", "IPPool or CIDRPool");
  if (kind === undefined || kind === "IPPool" || kind === "CIDRPool") return kind;
  errors.add("kind", kind, "must be IPPool or CIDRPool");
  return undefined;
}

function readMetadata(metadata: FieldReader): PoolMetadata {
  return defined({
    name: metadata.requiredString("name", "the pool's name") ?? "",
    namespace: metadata.string("namespace"),
    uid: metadata.string("uid"),
    generation: metadata.integer("generation"),
    resourceVersion: metadata.string("resourceVersion"),
    creationTimestamp: metadata.string("creationTimestamp"),
    annotations: metadata.stringMap("annotations"),
  });
}
