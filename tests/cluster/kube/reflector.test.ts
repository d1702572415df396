/** The reflector against a real kube-apiserver: directly, and through a network that fails. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeClient } from "../../../src/lib/kube/client.ts";
import type { KubeError } from "../../../src/lib/kube/error.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { Reflector, type ReflectorOptions } from "../../../src/lib/kube/reflector.ts";
import type { Result } from "../../../src/lib/result.ts";
import { seededRandom } from "../../random.ts";
import { ApiServer } from "../_api_server.ts";
import { FaultProxy } from "../_fault_server.ts";

const CONFIG_MAPS = { group: "", version: "v1", plural: "configmaps" };
const NODES = { group: "", version: "v1", plural: "nodes" };

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const server = await ApiServer.start();
const client = server.client();
let namespaces = 0;

const test = suite("reflector");
test.after(() => server.remove());

/** A namespace of the test's own. */
async function freshNamespace(): Promise<string> {
  const name = `reflector-${++namespaces}`;
  const resource = { group: "", version: "v1", plural: "namespaces" };
  value(await client.create(resource, undefined, { metadata: { name } }));
  return name;
}

function value<T>(result: Result<T, KubeError>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

interface Running {
  readonly reflector: Reflector<ConfigMap>;
  /** Changes as "type name data.v". */
  readonly changes: string[];
  readonly failures: KubeError[];
  readonly lists: number[];
}

/** Runs `body` with a reflector of a namespace's ConfigMaps. */
async function withReflector(
  options: Pick<ReflectorOptions<ConfigMap, ConfigMap>, "namespace"> & Partial<ReflectorOptions<ConfigMap, ConfigMap>>,
  body: (running: Running) => Promise<void>,
): Promise<void> {
  const changes: string[] = [];
  const failures: KubeError[] = [];
  const lists: number[] = [];
  const reflector = new Reflector<ConfigMap>({
    client,
    resource: CONFIG_MAPS,
    keep: (object) => object,
    backoff: { firstMs: 5, longestMs: 100 },
    // kube-root-ca.crt comes to each namespace when it will.
    labelSelector: "of=reflector-test",
    observer: { failed: (_, error) => failures.push(error), listed: (count) => lists.push(count) },
    ...options,
  });
  reflector.store.subscribe((change) => {
    const object = change.type === "deleted" ? change.before : change.now;
    changes.push(`${change.type} ${object.metadata.name} ${object.data?.v ?? ""}`);
  });
  const abort = new AbortController();
  const run = reflector.run(abort.signal);
  // The reflector's own timers do not keep the process alive.
  const alive = setInterval(() => undefined, 1000);
  try {
    await body({ reflector, changes, failures, lists });
  } finally {
    abort.abort();
    await run;
    clearInterval(alive);
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

async function write(namespace: string, name: string, v: string, writer: KubeClient = client): Promise<void> {
  const metadata = { name, namespace, labels: { of: "reflector-test" } };
  const made = await writer.create(CONFIG_MAPS, namespace, { metadata, data: { v } });
  if (!made.ok) value(await writer.put(CONFIG_MAPS, { namespace, name }, { metadata, data: { v } }));
}

async function remove(namespace: string, name: string): Promise<void> {
  value(await client.delete(CONFIG_MAPS, { namespace, name }));
}

/** What the server has, as the store would hold it. */
async function truth(namespace: string): Promise<readonly string[]> {
  const { items } = value(await client.list<ConfigMap>(CONFIG_MAPS, { namespace, labelSelector: "of=reflector-test" }));
  return items.map(describe).sort();
}

function describe({ metadata, data }: ConfigMap): string {
  return `${metadata.name} ${metadata.resourceVersion} ${data?.v}`;
}

function held({ store }: Reflector<ConfigMap>): readonly string[] {
  return [...store.values()].map(describe).sort();
}

test("what is there comes first, and then every change as it happens", async () => {
  const namespace = await freshNamespace();
  for (const name of ["a", "b"]) await write(namespace, name, "1");
  await withReflector({ namespace }, async ({ reflector, changes, lists, failures }) => {
    await reflector.synced;
    assert.equal(changes.sort(), ["added a 1", "added b 1"]);
    assert.equal(lists, [2]);
    await write(namespace, "a", "2");
    await write(namespace, "c", "1");
    await remove(namespace, "b");
    await until(() => changes.length === 5);
    assert.equal(changes.slice(2), ["updated a 2", "added c 1", "deleted b 1"]);
    assert.equal(held(reflector), await truth(namespace));
    assert.equal(failures, []);
  });
});

test("an empty namespace is known to be empty", async () => {
  await withReflector({ namespace: await freshNamespace() }, async ({ reflector, lists }) => {
    await reflector.synced;
    assert.equal(lists, [0]);
  });
});

test("metadata only, by selectors: a change of what is not selected is not heard of", async () => {
  for (const name of ["m1", "m2"])
    value(await client.create(NODES, undefined, { metadata: { name, labels: { name } } }));
  const selection = { namespace: undefined, resource: NODES, labelSelector: "name in (m1)", metadataOnly: true };
  await withReflector(selection, async ({ reflector, changes }) => {
    await reflector.synced;
    const ready = { status: { conditions: [{ type: "Ready", status: "True" }] } };
    const status = { type: "merge", subresource: "status" } as const;
    value(await client.patch(NODES, { name: "m1" }, ready, status));
    await until(() => changes.length === 2);
    assert.equal(changes, ["added m1 ", "updated m1 "]);
    const stored = reflector.store.get("m1");
    assert.equal(Object.keys(stored ?? {}).sort(), ["apiVersion", "kind", "metadata"]);
    value(await client.patch(NODES, { name: "m1" }, { metadata: { labels: { name: "other" } } }, { type: "merge" }));
    await until(() => changes.length === 3);
    assert.equal(changes[2], "deleted m1 ");
  });
});

for (const streaming of [true, false]) {
  test(`a list of ten megabytes is known whole (${streaming ? "streaming" : "in pages"})`, async () => {
    const namespace = await freshNamespace();
    for (let i = 0; i < 20; i++) await write(namespace, `big-${i}`, `${i} `.padEnd(500_000, "x"));
    await withReflector({ namespace, streaming, pageSize: 7 }, async ({ reflector, failures }) => {
      await reflector.synced;
      assert.equal(failures, []);
      assert.equal(held(reflector), await truth(namespace));
      assert.is(reflector.store.size, 20);
    });
    for (let i = 0; i < 20; i++) await remove(namespace, `big-${i}`);
  });
}

test("a server whose streaming lists are turned off is asked for pages", async () => {
  const other = await ApiServer.start({ flags: ["--feature-gates=WatchList=false"] });
  try {
    const far = other.client();
    const metadata = { name: "a", labels: { of: "reflector-test" } };
    value(await far.create(CONFIG_MAPS, "default", { metadata, data: { v: "1" } }));
    await withReflector({ namespace: "default", client: far }, async ({ reflector, changes, failures }) => {
      await reflector.synced;
      await write("default", "a", "2", far);
      await until(() => changes.length === 2);
      assert.equal([changes, failures], [["added a 1", "updated a 2"], []]);
    });
  } finally {
    await other.remove();
  }
});

test("a watch that the server ends goes on without a gap, and without a new list", async () => {
  const namespace = await freshNamespace();
  await withReflector({ namespace, watchSeconds: 1, random: () => 0 }, async ({ changes, lists, failures }) => {
    for (let v = 0; v < 25; v++) {
      await write(namespace, "a", `${v}`);
      await delay(100);
    }
    await until(() => changes.length === 25);
    assert.equal(changes, ["added a 0", ...Array.from({ length: 24 }, (_, v) => `updated a ${v + 1}`)]);
    assert.equal([lists.length, failures.length], [1, 0]);
  });
});

test("R12 an API server that is stopped and started again is found again, and nothing is told to be deleted meanwhile", async () => {
  const namespace = await freshNamespace();
  await write(namespace, "a", "1");
  await withReflector({ namespace }, async ({ reflector, changes, failures }) => {
    await reflector.synced;
    await server.stopApi();
    await until(() => failures.length > 3);
    assert.ok(reflector.hasSynced);
    assert.equal(changes, ["added a 1"]);
    await server.startApi();
    await write(namespace, "a", "2");
    await until(() => changes.length > 1);
    assert.equal(changes, ["added a 1", "updated a 2"]);
  });
});

test("R12 an API server that is held up with its connections open is noticed, and found again", async () => {
  const namespace = await freshNamespace();
  await withReflector({ namespace, silenceMs: 500 }, async ({ reflector, changes, failures }) => {
    await reflector.synced;
    failures.length = 0;
    server.signalApi("SIGSTOP");
    await until(() => failures.length > 1);
    server.signalApi("SIGCONT");
    assert.equal(new Set(failures.map(({ code }) => code)), new Set(["unreachable"]));
    await write(namespace, "a", "1");
    await until(() => changes.length === 1);
  });
});

test("a version that the server has forgotten leads to a new list that tells what happened meanwhile", async () => {
  const namespace = await freshNamespace();
  for (const name of ["changed", "gone", "same"]) await write(namespace, name, "1");
  const proxy = await FaultProxy.start(server.port);
  const far = server.client(undefined, proxy.url);
  await withReflector({ namespace, client: far }, async ({ reflector, changes, failures, lists }) => {
    await reflector.synced;
    proxy.refusing = true;
    proxy.cut();
    await write(namespace, "changed", "2");
    await remove(namespace, "gone");
    await write(namespace, "new", "1");
    // A server that has just started remembers nothing from before.
    await server.stopApi();
    await server.startApi();
    proxy.refusing = false;
    await until(() => changes.length === 6);
    assert.equal(changes.slice(3).sort(), ["added new 1", "deleted gone 1", "updated changed 2"]);
    assert.ok(failures.some(({ code }) => code === "gone"));
    assert.is(lists.length, 2);
  });
  await proxy.stop();
});

for (const [name, streaming] of [
  ["with streaming lists", true],
  ["with lists in pages", false],
] as const) {
  test(`through a network that cuts, stalls and refuses, the store ends up as the server is (${name})`, async () => {
    const random = seededRandom(`reflector ${name}`);
    const namespace = await freshNamespace();
    const proxy = await FaultProxy.start(server.port);
    const far = server.client(undefined, proxy.url);
    const options = { namespace, client: far, silenceMs: 300, pageSize: 3, streaming, listTimeoutMs: 1000 };
    await withReflector(options, async ({ reflector, failures }) => {
      for (let step = 0; step < 120; step++) {
        const name = `c${random.below(10)}`;
        if (random.below(4) > 0 || reflector.store.get(`${namespace}/${name}`) === undefined) {
          await write(namespace, name, `${step}`);
        } else await client.delete(CONFIG_MAPS, { namespace, name });
        if (step % 8 === 0) {
          proxy.cutAfter = random.pick([5000, 20_000, Number.POSITIVE_INFINITY]);
          proxy.stall(random.below(4) === 0);
          proxy.refusing = random.below(6) === 0;
          if (random.below(2) === 0) proxy.cut();
        }
        await delay(random.below(20));
      }
      proxy.cutAfter = Number.POSITIVE_INFINITY;
      proxy.refusing = false;
      proxy.stall(false);
      const expected = await truth(namespace);
      await until(() => JSON.stringify(held(reflector)) === JSON.stringify(expected));
      assert.ok(failures.length > 0);
    });
    await proxy.stop();
  });
}

test.run();
