/** Calls of the Kubernetes API: typed, with errors as values, each bounded in time. */
import { fail, ok, type Result } from "../result.ts";
import { encodeQuery, readJson, readStatus } from "./_answer.ts";
import { type WatchRequest, watchEvents } from "./_watch.ts";
import type { Connection, HttpAnswer, HttpRequest } from "./connection.ts";
import { exceptionText, type KubeError, localError, type Status } from "./error.ts";
import {
  type KubeObject,
  type ListPage,
  listPath,
  type ObjectName,
  objectPath,
  type Resource,
  type Selection,
} from "./object.ts";

export type { ParseEvent, WatchEvent, WatchRequest } from "./_watch.ts";

/** What every call takes. */
export interface CallOptions {
  /** Gives the call up: the error is `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call, its answer read. Default 30,000. */
  readonly timeoutMs?: number;
}

export interface ListRequest extends Selection, CallOptions {
  /** Objects a page; without it, all at once. */
  readonly limit?: number | undefined;
  /** Of the page before. */
  readonly continue?: string | undefined;
}

export interface WriteOptions extends CallOptions {
  /** For example `status`. */
  readonly subresource?: string;
}

/** The media types of a patch. */
export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface PatchOptions extends WriteOptions {
  readonly type: PatchType;
  /** Query of an apply: `fieldManager`, `force`. */
  readonly query?: Readonly<Record<string, string>>;
}

export interface DeleteOptions extends CallOptions {
  /** Deletes only the object with this UID or version: otherwise the error is `conflict`. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** 0 deletes a pod at once, whatever its kubelet says. */
  readonly gracePeriodSeconds?: number;
}

type Answer<T> = Promise<Result<T, KubeError>>;

const METADATA = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/**
 * A client of one API server. A name that no object can have is `notFound`, and nothing is asked: in a path it would be another
 * request.
 */
export class KubeClient {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The server's URL. */
  get server(): string {
    return this.#connection.server;
  }

  /** The namespace of what is named without one, as kubectl has it: that of the kubeconfig's context. */
  get namespace(): string {
    return this.#connection.namespace;
  }

  get<T extends KubeObject>(resource: Resource, name: ObjectName, options: CallOptions = {}): Answer<T> {
    return this.#call("GET", objectPath(resource, name), options);
  }

  /** One page. Without a resourceVersion the server reads consistently. */
  async list<T extends KubeObject>(resource: Resource, request: ListRequest = {}): Answer<ListPage<T>> {
    const { namespace, limit, continue: token, metadataOnly = false } = request;
    const query = encodeQuery({ ...selectors(request), limit, continue: token });
    const path = listPath(resource, namespace);
    const read = await this.#call<RawList<T>>("GET", path, request, { query, ...accept(metadataOnly, METADATA_LIST) });
    if (!read.ok) return read;
    const { metadata } = read.value;
    // An empty list of metadata has null.
    const items = read.value.items === null ? [] : read.value.items;
    if (!Array.isArray(items) || typeof metadata?.resourceVersion !== "string") {
      return fail(localError("malformed", `the answer to a list of ${resource.plural} is not one`));
    }
    const next = metadata.continue ? { continue: metadata.continue } : {};
    return ok({ resourceVersion: metadata.resourceVersion, items, ...next });
  }

  create<T extends KubeObject>(
    resource: Resource,
    namespace: string | undefined,
    object: unknown,
    options: CallOptions = {},
  ): Answer<T> {
    return this.#call("POST", listPath(resource, namespace), options, json(object));
  }

  /** Replaces an object, or its subresource. With a resourceVersion in it, only that version: else `conflict`. */
  put<T extends KubeObject>(
    resource: Resource,
    name: ObjectName,
    object: unknown,
    options: WriteOptions = {},
  ): Answer<T> {
    return this.#call("PUT", objectPath(resource, name, options.subresource), options, json(object));
  }

  patch<T extends KubeObject>(resource: Resource, name: ObjectName, patch: unknown, options: PatchOptions): Answer<T> {
    const path = objectPath(resource, name, options.subresource);
    const query = encodeQuery(options.query ?? {});
    const { body } = json(patch);
    return this.#call("PATCH", path, options, { query, body, headers: { "content-type": PATCH_TYPES[options.type] } });
  }

  /** Deletes an object; success as well when it stays until its finalizers are done. */
  delete(resource: Resource, name: ObjectName, options: DeleteOptions = {}): Answer<KubeObject | Status> {
    const { preconditions, gracePeriodSeconds } = options;
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions, gracePeriodSeconds };
    return this.#call("DELETE", objectPath(resource, name), options, json(body));
  }

  /**
   * Watches until the server ends the stream, which it does after `timeoutSeconds`. BOOKMARK events are handed on too.
   *
   * @returns ok when the server ended it between two events; else why it broke, an ERROR event's Status included. A stream
   *   without a byte for `silenceMs` is `unreachable`.
   */
  async watch<T extends KubeObject>(resource: Resource, request: WatchRequest<T>): Answer<void> {
    const { namespace, metadataOnly = false, resourceVersion, timeoutSeconds, initialEvents = false } = request;
    const streaming = { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" };
    const query = encodeQuery({
      ...selectors(request),
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds,
      ...(initialEvents ? streaming : {}),
    });
    const path = listPath(resource, namespace);
    if (!path.ok) return path;
    const headers = accept(metadataOnly, METADATA).headers;
    return watchEvents(callText("watch", path.value), request, (signal) =>
      this.#connection.send({ method: "GET", path: `${path.value}${query}`, headers, signal }),
    );
  }

  /** Reads what is no object, for example `/readyz` or `/version`, as text. */
  async raw(path: string, options: CallOptions = {}): Answer<string> {
    return this.#exchange({ method: "GET", path, headers: {} }, options, async (answer) =>
      ok(await answer.body.text()),
    );
  }

  /** Cuts every connection, watches too. */
  close(): Promise<void> {
    return this.#connection.close();
  }

  async #call<T>(
    method: HttpRequest["method"],
    path: Result<string, KubeError>,
    options: CallOptions,
    { query = "", ...content }: Partial<Pick<HttpRequest, "body" | "headers">> & { readonly query?: string } = {},
  ): Answer<T> {
    if (!path.ok) return path;
    const request = { method, path: `${path.value}${query}`, headers: { accept: "application/json" }, ...content };
    return this.#exchange(request, options, (answer) => readJson<T>(callText(method, path.value), answer));
  }

  async #exchange<T>(
    request: Omit<HttpRequest, "signal">,
    { signal, timeoutMs = 30_000 }: CallOptions,
    read: (answer: HttpAnswer) => Answer<T>,
  ): Answer<T> {
    const what = callText(request.method, request.path);
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      const both = signal === undefined ? limit : AbortSignal.any([signal, limit]);
      const sent = await this.#connection.send({ ...request, signal: both });
      if (!sent.ok) return sent;
      return sent.value.statusCode < 300 ? await read(sent.value) : fail(await readStatus(what, sent.value));
    } catch (error) {
      if (signal?.aborted) return fail(localError("aborted", `${what}: given up`));
      if (limit.aborted) return fail(localError("unreachable", `${what}: no answer within ${timeoutMs} ms`));
      return fail(localError("unreachable", `${what}: ${exceptionText(error)}`));
    }
  }
}

interface RawList<T> {
  readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

function selectors({ labelSelector, fieldSelector }: Selection): Readonly<Record<string, string | undefined>> {
  return { labelSelector, fieldSelector };
}

function accept(metadataOnly: boolean, form: string): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { accept: metadataOnly ? `application/json;${form}` : "application/json" } };
}

function json(value: unknown): Required<Pick<HttpRequest, "body" | "headers">> {
  return { body: JSON.stringify(value), headers: { accept: "application/json", "content-type": "application/json" } };
}

/** How messages name a call: without its query, which is long, and another one each time. */
function callText(verb: string, path: string): string {
  return `${verb} ${path.split("?", 1)[0]}`;
}
