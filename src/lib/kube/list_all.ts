/** All objects of a kind, page by page. */
import { fail, ok, type Result } from "../result.ts";
import type { CallOptions, KubeClient } from "./client.ts";
import { type KubeError, localError } from "./error.ts";
import type { KubeObject, Resource, Selection } from "./object.ts";

/** What is listed. */
export interface ListAllRequest<T, S> extends Selection, CallOptions {
  /** What of an object is kept: of the rest nothing stays in memory once its page is read. */
  readonly keep: (object: T) => S;
  /** Objects a page. Default 500. */
  readonly pageSize?: number | undefined;
}

/** A whole list. */
export interface Listed<S> {
  /** The moment that it shows. */
  readonly resourceVersion: string;
  readonly items: readonly S[];
}

/** Pages of one list: more objects than an API server has. */
const MOST_PAGES = 10_000;

/**
 * Lists them as of one moment. Where the pages take longer than the server remembers that moment, the list is asked for anew,
 * all at once.
 *
 * @returns the first other error; `malformed` where the server goes on for ever.
 */
export async function readList<T extends KubeObject, S = T>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  { keep, pageSize = 500, ...request }: ListAllRequest<T, S>,
): Promise<Result<Listed<S>, KubeError>> {
  let items: S[] = [];
  let limit: number | undefined = pageSize;
  let next: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await client.list<T>(resource, { ...request, limit, continue: next });
    if (!page.ok && page.error.code === "gone" && next !== undefined) {
      items = [];
      limit = undefined;
      next = undefined;
      continue;
    }
    if (!page.ok) return fail(page.error);
    for (const item of page.value.items) items.push(keep(item));
    next = page.value.continue;
    if (next === undefined) return ok({ resourceVersion: page.value.resourceVersion, items });
  }
  const message = `the list of ${resource.plural} does not end: the API server gave ${MOST_PAGES} pages, and names one more`;
  return fail(localError("malformed", message));
}

/** The same without the moment. */
export async function listAll<T extends KubeObject, S = T>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  request: ListAllRequest<T, S>,
): Promise<Result<readonly S[], KubeError>> {
  const listed = await readList<T, S>(client, resource, request);
  return listed.ok ? ok(listed.value.items) : listed;
}
