/** The reflector against servers that do what servers and networks do on bad days. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeError } from "../../../src/lib/kube/error.ts";
import { bookmark, drop, event, type Fault, noStreaming, page, stall, status, stream } from "../_fault_server.ts";
import { query, withReflector } from "./_reflector.ts";

const test = suite("reflector faults");

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
    await withReflector([fault, page("9", ["c"]), stall], {}, async ({ changes, failures, until }) => {
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

test("Retry-After is a lower bound of the wait", async () => {
  const throttled = status(429, "TooManyRequests", { "retry-after": "1" });
  await withReflector([throttled, stall], {}, async ({ failures, until }) => {
    await until(() => failures.length > 0);
    assert.is(failures[0]?.error.retryAfterMs, 1000);
    assert.is(failures[0]?.waitMs, 1000);
  });
});

test("R12 a watch that falls silent is declared dead and opened again", async () => {
  const silent = stream("open", event("ADDED", "b", "8"));
  const script = [noStreaming, page("7", []), silent, stream("open", event("ADDED", "c", "9"))];
  await withReflector(script, { silenceMs: 50 }, async ({ faults, changes, failures, until }) => {
    await until(() => changes.includes("added default/c 9"));
    assert.is(failures[0]?.error.code, "unreachable");
    assert.match(failures[0]?.error.message ?? "", /nothing came for 50 ms/);
    assert.is(query(faults, 3).resourceVersion, "8");
  });
});

test("a streaming list that is whole and then silent is followed by a watch: where nothing changes it has no bookmark for minutes", async () => {
  const script = [
    stream("open", event("ADDED", "a", "7"), bookmark("7", true)),
    stream("open", event("ADDED", "c", "9")),
  ];
  await withReflector(script, { silenceMs: 300 }, async ({ faults, changes, failures, until }) => {
    await until(() => changes.includes("added default/c 9"));
    assert.equal(failures, []);
    assert.is(query(faults, 1).resourceVersion, "7");
  });
});

test("R12 a watch that never brought anything leads to a new list: the server's data may have been restored", async () => {
  const script = [noStreaming, page("70", ["a", "b"]), stream("open"), page("7", ["a"]), stall];
  await withReflector(script, { silenceMs: 50 }, async ({ faults, reflector, changes, until }) => {
    await until(() => changes.includes("updated default/a 7"));
    assert.equal([...reflector.store.keys()], ["default/a"]);
    await faults.untilAsked(5);
    assert.is(query(faults, 4).resourceVersion, "7");
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

test.run();
