import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ListRequest } from "../../src/lib/kube/client.ts";
import { statusError } from "../../src/lib/kube/error.ts";
import { listAll } from "../../src/lib/kube/list_all.ts";
import type { KubeObject, ListPage } from "../../src/lib/kube/object.ts";
import { fail, ok } from "../../src/lib/result.ts";

const PODS = { group: "", version: "v1", plural: "pods" };
const NAMES = Array.from({ length: 7 }, (_, index) => `p${index}`);

/** A server with seven pods that forgets a list's moment after some pages. @param forgets at which request; -1: never. */
function server(forgets: number) {
  const requests: { limit: number | undefined; from: string | undefined }[] = [];
  const list = async <T extends KubeObject>(_: unknown, request: ListRequest = {}) => {
    const { limit, continue: from } = request;
    requests.push({ limit, from });
    if (requests.length - 1 === forgets) return fail(statusError("GET", { code: 410, reason: "Expired" }));
    const first = Number(from ?? 0);
    const names = NAMES.slice(first, first + (limit ?? NAMES.length));
    const next = limit !== undefined && first + limit < NAMES.length ? { continue: String(first + limit) } : {};
    const items = names.map((name) => ({ metadata: { name } })) as unknown as T[];
    const page: ListPage<T> = { resourceVersion: "1", items, ...next };
    return ok(page);
  };
  return { client: { list }, requests };
}

const request = { keep: ({ metadata }: KubeObject) => metadata.name, pageSize: 3 };

test("a list comes page by page, and what is kept of it is all of it", async () => {
  const { client, requests } = server(-1);
  assert.equal(await listAll(client, PODS, request), ok(NAMES));
  assert.equal(requests, [
    { limit: 3, from: undefined },
    { limit: 3, from: "3" },
    { limit: 3, from: "6" },
  ]);
});

test("where the server has forgotten the moment the list is asked for anew, all at once, and nothing is there twice", async () => {
  const { client, requests } = server(1);
  assert.equal(await listAll(client, PODS, request), ok(NAMES));
  assert.equal(requests.at(-1), { limit: undefined, from: undefined });
});

test("a server that forgets at once is an error, not asked for ever", async () => {
  const { client, requests } = server(0);
  const listed = await listAll(client, PODS, request);
  assert.is(listed.ok ? "ok" : listed.error.code, "gone");
  assert.is(requests.length, 1);
});

test("a server that names one more page each time is an error in the end", async () => {
  let asked = 0;
  const list = async <T extends KubeObject>() => {
    asked++;
    return ok<ListPage<T>>({ resourceVersion: "1", items: [], continue: "more" });
  };
  const listed = await listAll({ list }, PODS, request);
  assert.is(
    listed.ok ? "ok" : listed.error.message,
    "the list of pods does not end: the API server gave 10000 pages, and names one more",
  );
  assert.is(asked, 10_000);
});

test.run();
