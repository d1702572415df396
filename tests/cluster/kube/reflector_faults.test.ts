/** The reflector against servers that do what servers and networks do on bad days. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeError } from "../../../src/lib/kube/error.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { Reflector, type ReflectorOptions } from "../../../src/lib/kube/reflector.ts";
import {
  bookmark,
  drop,
  event,
  type Fault,
  FaultServer,
  json,
  noStreaming,
  object,
  page,
  stall,
  status,
  stream,
} from "../_fault_server.ts";

const RESOURCE = { group: "", version: "v1", plural: "things" };

interface Bench {
  readonly faults: FaultServer;
  readonly reflector: Reflector<KubeObject>;
  /** Changes as "type key resourceVersion". */
  readonly changes: string[];
  readonly failures: { readonly during: string; readonly error: KubeError; readonly waitMs: number }[];
  /** Resolves when the condition holds; looks after each change, failure and list. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** Runs `body` with a reflector of a server that has this script. */
async function withReflector(
  script: readonly Fault[],
  options: Partial<ReflectorOptions<KubeObject, KubeObject>>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const faults = await FaultServer.start(...script);
  const changes: string[] = [];
  const failures: Bench["failures"][number][] = [];
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const look of waiting.splice(0)) look();
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const reflector = new Reflector<KubeObject>({
    client: faults.client(),
    resource: RESOURCE,
    keep: (thing) => thing,
    backoff: { firstMs: 1, longestMs: 5 },
    observer: {
      failed: (during, error, waitMs) => {
        failures.push({ during, error, waitMs });
        wake();
      },
      listed: wake,
      watching: wake,
    },
    ...options,
  });
  reflector.store.subscribe((change) => {
    const { resourceVersion } = (change.type === "deleted" ? change.before : change.now).metadata;
    changes.push(`${change.type} ${change.key} ${resourceVersion}`);
    wake();
  });
  const abort = new AbortController();
  const run = reflector.run(abort.signal);
  try {
    await body({ faults, reflector, changes, failures, until });
  } finally {
    abort.abort();
    await run;
    waiting = [];
    await faults.stop();
  }
}

function query(faults: FaultServer, index: number): Record<string, string> {
  return Object.fromEntries(faults.asked[index]?.url.searchParams ?? []);
}

const test = suite("reflector faults");

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
  await withReflector([broken, broken, whole], {}, async ({ changes, failures, until }) => {
    await until(() => changes.length > 0);
    assert.equal(changes, ["added default/b 4"]);
    assert.is(failures.length, 2);
  });
});

test("a streaming list that the server ends before its bookmark is a failure, which is waited after", async () => {
  const ended = stream("end", event("ADDED", "a", "3"));
  await withReflector([ended, stream("open", bookmark("5", true))], {}, async ({ reflector, failures, until }) => {
    await until(() => reflector.hasSynced);
    assert.is(failures.length, 1);
    assert.is(reflector.store.size, 0);
  });
});

const BREAKS: readonly (readonly [name: string, fault: Fault, code: KubeError["code"]])[] = [
  ["a connection dropped without an answer", drop, "unreachable"],
  ["a connection dropped in mid-stream", stream("break", event("ADDED", "b", "8")), "unreachable"],
  ["half a line of JSON", stream("end", event("ADDED", "b", "8"), '{"type":"ADDED","obj'), "malformed"],
  ["a line that is no JSON", stream("open", event("ADDED", "b", "8"), "<html>\n"), "malformed"],
  ["an event without an object", stream("open", '{"type":"ADDED"}\n'), "malformed"],
  ["an event of a type that there is not", stream("open", event("RENAMED", "b", "8")), "malformed"],
  ["an answer 500", status(500, "InternalError"), "server"],
  ["an answer 503 that is a page of a proxy", (answer) => answer.writeHead(503).end("<html>"), "server"],
  ["an answer 429", status(429, "TooManyRequests"), "throttled"],
  ["an answer 403", status(403, "Forbidden"), "forbidden"],
  [
    "an ERROR event",
    stream("open", event("ADDED", "b", "8"), { type: "ERROR", object: { kind: "Status", code: 500, message: "etcd" } }),
    "server",
  ],
];

for (const [name, fault, code] of BREAKS) {
  test(`a watch goes on from the last version seen after ${name}`, async () => {
    const script = [noStreaming, page("7", ["a"]), fault, stream("open", event("ADDED", "c", "9"))];
    await withReflector(script, {}, async ({ faults, changes, failures, until }) => {
      await until(() => changes.includes("added default/c 9"));
      assert.equal(
        failures.map(({ during, error }) => [during, error.code]),
        [["watch", code]],
      );
      const seen = changes.includes("added default/b 8");
      assert.is(query(faults, 3).resourceVersion, seen ? "8" : "7");
      assert.not.ok(changes.some((change) => change.startsWith("deleted")));
    });
  });

  test(`a list is begun anew after ${name}`, async () => {
    const script = [fault, stream("open", event("ADDED", "c", "9"), bookmark("9", true))];
    await withReflector(script, {}, async ({ changes, failures, until }) => {
      await until(() => changes.length > 0);
      assert.equal(changes, ["added default/c 9"]);
      assert.is(failures[0]?.error.code, code);
    });
  });
}

test("a bookmark moves the version that a watch goes on from", async () => {
  const script = [noStreaming, page("7", ["a"]), stream("break", bookmark("12")), stall];
  await withReflector(script, {}, async ({ faults, changes }) => {
    await faults.untilAsked(4);
    assert.is(query(faults, 3).resourceVersion, "12");
    assert.equal(changes, ["added default/a 7"]);
  });
});

test("a watch that the server ends in time is opened again without a wait", async () => {
  const ends = stream("end", bookmark("8"));
  await withReflector([noStreaming, page("7", []), ends, ends, stall], {}, async ({ faults, failures }) => {
    await faults.untilAsked(5);
    assert.equal(failures, []);
  });
});

test("watches that the server ends at once without a word are waited after", async () => {
  const nothing = stream("end");
  await withReflector([noStreaming, page("7", []), nothing, nothing, stall], {}, async ({ faults, failures }) => {
    await faults.untilAsked(5);
    assert.is(failures.length, 2);
  });
});

for (const [name, gone] of [
  ["an answer 410", status(410, "Expired")],
  ["an ERROR event 410", stream("open", { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } })],
] as const) {
  test(`a version that the server has forgotten (${name}) leads to a new list, and the store tells how it differs`, async () => {
    const script = [noStreaming, page("7", ["a", "b"]), gone, page("9", ["b", "c"]), stall];
    await withReflector(script, {}, async ({ faults, reflector, changes, until }) => {
      await until(() => changes.length === 5);
      await faults.untilAsked(5);
      assert.equal(changes.slice(2), ["deleted default/a 7", "updated default/b 9", "added default/c 9"]);
      assert.ok(reflector.hasSynced);
    });
  });
}

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

test("Retry-After is a lower bound of the wait", async () => {
  const throttled = status(429, "TooManyRequests", { "retry-after": "1" });
  await withReflector([throttled, stall], {}, async ({ failures, until }) => {
    await until(() => failures.length > 0);
    assert.is(failures[0]?.error.retryAfterMs, 1000);
    assert.is(failures[0]?.waitMs, 1000);
  });
});

test("R12 a watch that stays open and silent is declared dead and opened again", async () => {
  const silent = stream("open", event("ADDED", "b", "8"));
  const script = [noStreaming, page("7", []), silent, stall, stream("open", event("ADDED", "c", "9"))];
  await withReflector(script, { silenceMs: 50 }, async ({ faults, changes, failures, until }) => {
    await until(() => changes.includes("added default/c 9"));
    assert.equal(
      failures.slice(0, 2).map(({ error }) => error.code),
      ["unreachable", "unreachable"],
    );
    assert.match(failures[0]?.error.message ?? "", /nothing came for 50 ms/);
    assert.is(query(faults, 4).resourceVersion, "8");
  });
});

test("R12 the store keeps what it had through an outage", async () => {
  await withReflector([noStreaming, page("7", ["a"])], {}, async ({ faults, reflector, failures, until }) => {
    faults.otherwise = drop;
    await until(() => failures.length > 5);
    assert.ok(reflector.hasSynced);
    assert.is(reflector.store.get("default/a")?.metadata.resourceVersion, "7");
  });
});

test("waits grow from failure to failure, and are short again after a success", async () => {
  const failing = Array.from({ length: 6 }, () => drop);
  const script = [noStreaming, page("7", []), ...failing, stream("break", bookmark("8")), stall];
  await withReflector(
    script,
    { backoff: { firstMs: 1, longestMs: 16 }, random: () => 0.999 },
    async ({ faults, failures }) => {
      await faults.untilAsked(10);
      assert.equal(
        failures.map(({ waitMs }) => Math.ceil(waitMs)),
        [1, 2, 4, 8, 16, 16, 1],
      );
    },
  );
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
