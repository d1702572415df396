/** All objects of a kind, page by page. */
import { fail, ok, type Result } from "../result.ts";
import type { CallOptions, KubeClient } from "./client.ts";
import type { KubeError } from "./error.ts";
import type { KubeObject, Resource, Selection } from "./object.ts";

/** What is listed. */
export interface ListAllRequest<T, S> extends Selection, CallOptions {
  /** What of an object is kept: of the rest nothing stays in memory once its page is read. */
  readonly keep: (object: T) => S;
  /** Objects a page. Default 500. */
  readonly pageSize?: number;
}

/**
 * Lists them as of one moment. Where the pages take longer than the server remembers that moment, the list is asked for anew,
 * all at once.
 *
 * @returns the first other error.
 */
export async function listAll<T extends KubeObject, S = T>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  { keep, pageSize = 500, ...request }: ListAllRequest<T, S>,
): Promise<Result<readonly S[], KubeError>> {
  let all: S[] = [];
  let limit: number | undefined = pageSize;
  let next: string | undefined;
  for (;;) {
    const page = await client.list<T>(resource, { ...request, limit, continue: next });
    if (!page.ok && page.error.code === "gone" && next !== undefined) {
      all = [];
      limit = undefined;
      next = undefined;
      continue;
    }
    if (!page.ok) return fail(page.error);
    for (const item of page.value.items) all.push(keep(item));
    next = page.value.continue;
    if (next === undefined) return ok(all);
  }
}
