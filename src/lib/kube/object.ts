/** Names and shapes that every object of the Kubernetes API has. */
import { fail, ok, type Result } from "../result.ts";
import { type KubeError, statusError } from "./error.ts";

/** A kind of objects, as the API server's paths name it. */
export interface Resource {
  /** Empty for the core API. */
  readonly group: string;
  readonly version: string;
  /** Lower case plural, for example `nodes`. */
  readonly plural: string;
}

/** Where an object is; without a namespace for what is cluster-wide. */
export interface ObjectName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The fields of meta/v1 ObjectMeta that this room reads; others are there as well. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Any object. Items of a list carry neither apiVersion nor kind. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** One page of a list. */
export interface ListPage<T> {
  /** The moment that the list shows. */
  readonly resourceVersion: string;
  /** Where the next page begins; none after the last one. */
  readonly continue?: string;
  readonly items: readonly T[];
}

/** Which objects, and what of them. */
export interface Selection {
  /** Without one: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Asks for metadata only (PartialObjectMetadata). */
  readonly metadataOnly?: boolean | undefined;
}

/** `namespace/name`, or the name alone for what is cluster-wide. */
export function keyOf(name: ObjectName): string {
  return name.namespace ? `${name.namespace}/${name.name}` : name.name;
}

/** The path of a kind's list, in one namespace or in all. @returns the error `notFound` for a name that no namespace can have. */
export function listPath({ group, version, plural }: Resource, namespace?: string): Result<string, KubeError> {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  if (!namespace) return ok(`${root}/${plural}`);
  return isPathSegment(namespace)
    ? ok(`${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`)
    : fail(impossible("namespace", namespace));
}

/** The path of one object, or of its subresource. @returns the error `notFound` for a name that no object can have. */
export function objectPath(
  resource: Resource,
  { namespace, name }: ObjectName,
  subresource?: string,
): Result<string, KubeError> {
  const list = listPath(resource, namespace);
  if (!list.ok) return list;
  if (!isPathSegment(name)) return fail(impossible(`object of ${resource.plural}`, name));
  const path = `${list.value}/${encodeURIComponent(name)}`;
  return ok(subresource === undefined ? path : `${path}/${subresource}`);
}

/** The API's own rule for names of all kinds. The server decodes a path before it takes it apart: encoding would not help. */
function isPathSegment(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/%]/.test(name);
}

function impossible(what: string, name: string): KubeError {
  return statusError("not asked", { code: 404, message: `no ${what} can be called ${JSON.stringify(name)}` });
}
