/** The reflector's lists: in pages or as a stream, whole or not at all. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { bookmark, drop, event, json, noStreaming, object, page, stall, status, stream } from "../_fault_server.ts";
import { query, withReflector } from "./_reflector.ts";

const test = suite("reflector lists");

test("a list comes in pages when the server has no streaming list, and the watch begins where the list ends", async () => {
  const script = [noStreaming, page("7", ["a", "b"], "next"), page("7", ["c"]), stall];
  await withReflector(script, { pageSize: 2 }, async ({ faults, reflector, changes }) => {
    await faults.untilAsked(4);
    assert.equal(changes, ["added default/a 7", "added default/b 7", "added default/c 7"]);
    assert.ok(reflector.hasSynced);
    assert.equal(query(faults, 1), { limit: "2" });
    assert.equal(query(faults, 2), { limit: "2", continue: "next" });
    const { timeoutSeconds, ...watch } = query(faults, 3);
    assert.equal(watch, { watch: "true", allowWatchBookmarks: "true", resourceVersion: "7" });
    assert.ok(Number(timeoutSeconds) >= 300 && Number(timeoutSeconds) <= 600, timeoutSeconds);
  });
});

test("R14 no list names a resourceVersion, so that each is a consistent read", async () => {
  const script = [noStreaming, page("7", []), status(410, "Expired"), page("9", []), stall];
  await withReflector(script, {}, async ({ faults }) => {
    await faults.untilAsked(5);
    for (const index of [0, 1, 3]) assert.is(query(faults, index).resourceVersion, undefined);
    assert.is(query(faults, 2).resourceVersion, "7");
    assert.is(query(faults, 4).resourceVersion, "9");
  });
});

test("a streaming list is in the store when its bookmark has come, and the same stream goes on as the watch", async () => {
  const initial = [event("ADDED", "a", "3"), event("ADDED", "b", "4"), bookmark("5", true)];
  const script = [stream("open", ...initial, event("MODIFIED", "a", "6"), event("DELETED", "b", "7"))];
  await withReflector(script, {}, async ({ faults, changes, until }) => {
    await until(() => changes.length === 4);
    assert.equal(changes, ["added default/a 3", "added default/b 4", "updated default/a 6", "deleted default/b 4"]);
    const { timeoutSeconds: _, ...list } = query(faults, 0);
    assert.equal(list, {
      watch: "true",
      allowWatchBookmarks: "true",
      sendInitialEvents: "true",
      resourceVersionMatch: "NotOlderThan",
    });
  });
});

test("a streaming list that breaks before its bookmark leaves the store as it was, and is begun anew", async () => {
  const broken = stream("break", event("ADDED", "a", "3"));
  const whole = stream("open", event("ADDED", "b", "4"), bookmark("5", true));
  await withReflector([broken, drop, broken, drop, whole], {}, async ({ changes, failures, until }) => {
    await until(() => changes.length > 0);
    assert.equal(changes, ["added default/b 4"]);
    assert.is(failures.length, 4);
  });
});

test("a streaming list that the server ends before its bookmark is a failure, which is waited after", async () => {
  const ended = stream("end", event("ADDED", "a", "3"));
  await withReflector([ended, page("5", []), stall], {}, async ({ reflector, failures, until }) => {
    await until(() => reflector.hasSynced);
    assert.is(failures.length, 1);
    assert.is(reflector.store.size, 0);
  });
});

for (const [name, fault] of [
  ["is refused", status(504, "Timeout")],
  ["breaks", stream("break", event("ADDED", "a", "3"))],
  ["has no bookmark", stream("open", event("ADDED", "a", "3"))],
] as const) {
  test(`after a streaming list that ${name} the next is in pages, as a server may have those alone`, async () => {
    await withReflector([fault, page("7", ["a"]), stall], { silenceMs: 200 }, async ({ faults, changes }) => {
      await faults.untilAsked(3);
      assert.equal(changes, ["added default/a 7"]);
      assert.is(query(faults, 1).sendInitialEvents, undefined);
      assert.is(query(faults, 2).resourceVersion, "7");
    });
  });
}

test("an object that is deleted before a streaming list is whole is not in it", async () => {
  const initial = [event("ADDED", "a", "3"), event("ADDED", "b", "4"), event("DELETED", "a", "5")];
  await withReflector([stream("open", ...initial, bookmark("6", true))], {}, async ({ reflector, changes, until }) => {
    await until(() => reflector.hasSynced);
    assert.equal(changes, ["added default/b 4"]);
  });
});

test("a list whose next page has expired is asked for in one piece", async () => {
  const script = [noStreaming, page("7", ["a"], "next"), status(410, "Expired"), page("9", ["a", "b"]), stall];
  await withReflector(script, {}, async ({ faults, changes }) => {
    await faults.untilAsked(5);
    assert.equal(changes, ["added default/a 9", "added default/b 9"]);
    assert.equal(query(faults, 3), {});
  });
});

test("a list is kept whole: an answer that is none changes nothing", async () => {
  const wrong = [json({ metadata: {} }), json([]), json({ items: [object("x", "1")] }), json("text")];
  await withReflector([noStreaming, ...wrong, page("7", ["a"]), stall], {}, async ({ faults, changes, failures }) => {
    await faults.untilAsked(7);
    assert.equal(changes, ["added default/a 7"]);
    assert.equal(new Set(failures.map(({ error }) => error.code)), new Set(["malformed"]));
  });
});

test("metadata, selectors and the namespace are asked for", async () => {
  const selection = {
    namespace: "kube-system",
    labelSelector: "a=b,c",
    fieldSelector: "spec.nodeName=n1",
    metadataOnly: true,
  };
  await withReflector([noStreaming, page("7", []), stall], selection, async ({ faults }) => {
    await faults.untilAsked(3);
    for (const [index, kind] of [
      ["0", "PartialObjectMetadata"],
      ["1", "PartialObjectMetadataList"],
    ] as const) {
      const asked = faults.asked[Number(index)];
      assert.is(asked?.url.pathname, "/api/v1/namespaces/kube-system/things");
      assert.is(asked?.headers.accept, `application/json;as=${kind};g=meta.k8s.io;v=v1`);
      assert.is(query(faults, Number(index)).labelSelector, "a=b,c");
      assert.is(query(faults, Number(index)).fieldSelector, "spec.nodeName=n1");
    }
  });
});

test("what is kept of an object is all that the store holds", async () => {
  const keep = ({ metadata: { name, resourceVersion = "" } }: KubeObject) => ({ metadata: { name, resourceVersion } });
  await withReflector([noStreaming, page("7", ["a"]), stall], { keep }, async ({ faults, reflector }) => {
    await faults.untilAsked(3);
    assert.equal(reflector.store.get("default/a"), { metadata: { name: "a", resourceVersion: "7" } });
  });
});

test.run();
