/** The client against a real kube-apiserver. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { WatchEvent } from "../../../src/lib/kube/client.ts";
import type { KubeError } from "../../../src/lib/kube/error.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import type { Result } from "../../../src/lib/result.ts";
import { ApiServer } from "../_api_server.ts";

const CONFIG_MAPS = { group: "", version: "v1", plural: "configmaps" };
const NODES = { group: "", version: "v1", plural: "nodes" };

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface Node extends KubeObject {
  readonly spec?: unknown;
  readonly status?: { readonly phase?: string };
}

const server = await ApiServer.start({ users: [{ token: "nobody-token", user: "nobody" }] });
const client = server.client();

const test = suite("client");
test.after(() => server.remove());

function configMap(name: string, data: Readonly<Record<string, string>> = {}): unknown {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { of: "client-test" } }, data };
}

function value<T>(result: Result<T, KubeError>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function code(result: Result<unknown, KubeError>): string {
  return result.ok ? "ok" : result.error.code;
}

const at = (name: string) => ({ namespace: "default", name });

test("an object is created, read, replaced, patched and deleted", async () => {
  const made = value(await client.create<ConfigMap>(CONFIG_MAPS, "default", configMap("one", { a: "1" })));
  assert.is(code(await client.create(CONFIG_MAPS, "default", configMap("one"))), "alreadyExists");
  assert.equal(value(await client.get<ConfigMap>(CONFIG_MAPS, at("one"))).data, { a: "1" });
  const put = value(await client.put<ConfigMap>(CONFIG_MAPS, at("one"), { ...made, data: { a: "2" } }));
  assert.is(code(await client.put(CONFIG_MAPS, at("one"), { ...made, data: { a: "3" } })), "conflict");
  const patched = await client.patch<ConfigMap>(CONFIG_MAPS, at("one"), { data: { b: "4" } }, { type: "merge" });
  assert.equal(value(patched).data, { a: "2", b: "4" });
  assert.is.not(value(patched).metadata.resourceVersion, put.metadata.resourceVersion);
  const replace = [{ op: "replace", path: "/data/b", value: "5" }];
  const byJson = await client.patch<ConfigMap>(CONFIG_MAPS, at("one"), replace, { type: "json" });
  assert.equal(value(byJson).data, { a: "2", b: "5" });
  const apply = { ...(configMap("one") as object), data: { c: "6" } };
  const query = { fieldManager: "tester", force: "true" };
  const applied = await client.patch<ConfigMap>(CONFIG_MAPS, at("one"), apply, { type: "apply", query });
  assert.equal(value(applied).data, { a: "2", b: "5", c: "6" });
  assert.is(code(await client.delete(CONFIG_MAPS, at("one"), { preconditions: { uid: "another" } })), "conflict");
  assert.is(code(await client.delete(CONFIG_MAPS, at("one"))), "ok");
  assert.is(code(await client.get(CONFIG_MAPS, at("one"))), "notFound");
  assert.is(code(await client.delete(CONFIG_MAPS, at("one"))), "notFound");
});

test("a write of a subresource changes nothing else", async () => {
  const made = value(
    await client.create<Node>(NODES, undefined, { metadata: { name: "n1" }, spec: { podCIDR: "10.1.0.0/24" } }),
  );
  const changed = { ...made, spec: { ...(made.spec as object), unschedulable: true }, status: { phase: "Running" } };
  const put = value(await client.put<Node>(NODES, { name: "n1" }, changed, { subresource: "status" }));
  assert.is(put.status?.phase, "Running");
  assert.equal(put.spec, made.spec);
});

test("what is invalid, forbidden, or asked by nobody known is such an error, with the API's own words", async () => {
  const invalid = await client.create(CONFIG_MAPS, "default", configMap("Upper_Case"));
  assert.match(
    invalid.ok ? "" : `${invalid.error.code} ${invalid.error.message}`,
    /^invalid .*metadata\.name: Invalid value/,
  );
  const denied = await server.client("nobody-token").get(CONFIG_MAPS, at("one"));
  assert.match(
    denied.ok ? "" : `${denied.error.code} ${denied.error.message}`,
    /^forbidden .*User "nobody" cannot get/,
  );
  assert.is(code(await server.client("wrong-token").get(CONFIG_MAPS, at("one"))), "unauthorized");
});

test("pages of a list are together the list, of one moment", async () => {
  for (let i = 0; i < 7; i++) value(await client.create(CONFIG_MAPS, "default", configMap(`page-${i}`)));
  const request = { namespace: "default", labelSelector: "of=client-test", limit: 3 };
  const first = value(await client.list<ConfigMap>(CONFIG_MAPS, request));
  value(await client.create(CONFIG_MAPS, "default", configMap("page-later")));
  const versions = new Set([first.resourceVersion]);
  const names = first.items.map(({ metadata }) => metadata.name);
  for (let token = first.continue; token !== undefined; ) {
    const page = value(await client.list<ConfigMap>(CONFIG_MAPS, { ...request, continue: token }));
    versions.add(page.resourceVersion);
    names.push(...page.items.map(({ metadata }) => metadata.name));
    token = page.continue;
  }
  assert.equal(names, ["page-0", "page-1", "page-2", "page-3", "page-4", "page-5", "page-6"]);
  assert.is(versions.size, 1);
  assert.is(code(await client.list(CONFIG_MAPS, { ...request, continue: "no-token" })), "invalid");
});

test("a list of metadata brings metadata only", async () => {
  value(await client.create(CONFIG_MAPS, "default", configMap("meta", { a: "1" })));
  const selection = { namespace: "default", fieldSelector: "metadata.name=meta", metadataOnly: true };
  const { items } = value(await client.list<ConfigMap>(CONFIG_MAPS, selection));
  assert.equal(
    items.map(({ metadata, data }) => [metadata.name, metadata.labels, data]),
    [["meta", { of: "client-test" }, undefined]],
  );
});

test("a list of the metadata of nothing is empty", async () => {
  const selection = { namespace: "default", fieldSelector: "metadata.name=nobody", metadataOnly: true };
  assert.equal(value(await client.list<ConfigMap>(CONFIG_MAPS, selection)).items, []);
});

/** Watches until the server ends the stream, and returns the events as "type name". */
async function watch(from: string, during: () => Promise<unknown>): Promise<readonly string[]> {
  const events: WatchEvent<ConfigMap>[] = [];
  const watching = client.watch<ConfigMap>(CONFIG_MAPS, {
    namespace: "default",
    labelSelector: "of=client-test",
    resourceVersion: from,
    timeoutSeconds: 1,
    silenceMs: 60_000,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  await during();
  assert.is(code(await watching), "ok");
  return events.filter(({ type }) => type !== "BOOKMARK").map(({ type, object }) => `${type} ${object.metadata.name}`);
}

test("a watch brings every change since its version, and ends well when its time is over", async () => {
  const { resourceVersion } = value(await client.list(CONFIG_MAPS, { limit: 1 }));
  const seen = await watch(resourceVersion, async () => {
    const made = value(await client.create<ConfigMap>(CONFIG_MAPS, "default", configMap("watched")));
    value(await client.put(CONFIG_MAPS, at("watched"), { ...made, data: { a: "1" } }));
    value(await client.delete(CONFIG_MAPS, at("watched")));
  });
  assert.equal(seen, ["ADDED watched", "MODIFIED watched", "DELETED watched"]);
});

test("a watch by somebody who may not is forbidden", async () => {
  const options = { silenceMs: 60_000, signal: new AbortController().signal, onEvent: () => undefined };
  assert.is(code(await server.client("nobody-token").watch(CONFIG_MAPS, options)), "forbidden");
});

test("a path that is no object is read as text", async () => {
  assert.is(value(await client.raw("/readyz")), "ok");
  assert.match(value(await client.raw("/version")), /"gitVersion": "v1\./);
});

test.run();
