/** The event recorder against servers that refuse, stall and forget. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EventRecorder, type EventRecorderOptions, type EventSubject } from "../../../src/lib/kube/events.ts";
import { FakeClock, settle } from "../../fake_clock.ts";
import { drop, type Fault, FaultServer, json, object, stall, status } from "../_fault_server.ts";

const THING: EventSubject = { apiVersion: "v1", kind: "Thing", namespace: "ns", name: "a", uid: "u" };
const WARNING = { type: "Warning", reason: "TooFew", message: "two are missing" } as const;

interface Bench {
  readonly faults: FaultServer;
  readonly clock: FakeClock;
  readonly recorder: EventRecorder;
  readonly dropped: string[];
  readonly failed: string[];
  /** Waits until what was recorded has been sent, moving the clock through the waits between tries. */
  readonly sent: () => Promise<void>;
}

async function withRecorder(
  script: readonly Fault[],
  options: Partial<EventRecorderOptions>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const faults = await FaultServer.start(...script);
  faults.otherwise = (answer, { body }) => json(body === "" ? {} : object("made", "1"))(answer, {} as never);
  const clock = new FakeClock();
  const dropped: string[] = [];
  const failed: string[] = [];
  const recorder = new EventRecorder({
    client: faults.client(),
    component: "tester",
    clock,
    observer: { dropped: (_, { message }) => dropped.push(message), failed: ({ code }) => failed.push(code) },
    ...options,
  });
  const sent = async (): Promise<void> => {
    while (recorder.waiting > 0) {
      await settle();
      await clock.advance(clock.waits[0] ?? 0);
    }
  };
  try {
    await body({ faults, clock, recorder, dropped, failed, sent });
  } finally {
    const stopping = recorder.stop(0);
    await clock.advance(1);
    await stopping;
    await faults.stop();
  }
}

/** What was asked, as "METHOD name-or-count". */
function bodies(faults: FaultServer): readonly Record<string, unknown>[] {
  return faults.asked.map(({ body }) => JSON.parse(body));
}

const test = suite("events");

test("an event says who, what, why and when, in the object's namespace", async () => {
  const date = () => new Date("2026-01-02T03:04:05.678Z");
  await withRecorder([], { date }, async ({ faults, recorder, sent }) => {
    recorder.record(THING, WARNING);
    await sent();
    const [{ metadata, ...event } = { metadata: {} }] = bodies(faults);
    assert.is(faults.asked[0]?.url.pathname, "/api/v1/namespaces/ns/events");
    assert.match(String((metadata as { name: string }).name), /^a\.[0-9a-f]{16}$/);
    assert.equal(event, {
      apiVersion: "v1",
      kind: "Event",
      involvedObject: THING,
      ...WARNING,
      source: { component: "tester" },
      reportingComponent: "tester",
      firstTimestamp: "2026-01-02T03:04:05Z",
      lastTimestamp: "2026-01-02T03:04:05Z",
      count: 1,
    });
  });
});

test("an event about what is cluster-wide is in the namespace default", async () => {
  await withRecorder([], {}, async ({ faults, recorder, sent }) => {
    recorder.record({ ...THING, namespace: undefined }, WARNING);
    await sent();
    assert.is(faults.asked[0]?.url.pathname, "/api/v1/namespaces/default/events");
  });
});

for (const [end, cut] of [
  ["a dash", "-"],
  ["a dot", "."],
  ["a dot and a dash", ".-"],
] as const) {
  test(`an event about an object whose name is cut after ${end} has a name that an object can have`, async () => {
    const kept = "x".repeat(200 - cut.length);
    await withRecorder([], {}, async ({ faults, recorder, sent }) => {
      recorder.record({ ...THING, name: `${kept}${cut}y` }, WARNING);
      await sent();
      const { metadata } = bodies(faults)[0] as { readonly metadata: { readonly name: string } };
      assert.match(metadata.name, new RegExp(`^${kept}\\.[0-9a-f]{16}$`));
    });
  });
}

test("the same event again is counted, not told again", async () => {
  let seconds = 0;
  const date = () => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds++));
  await withRecorder([], { date }, async ({ faults, recorder, sent }) => {
    recorder.record(THING, WARNING);
    await sent();
    recorder.record(THING, WARNING);
    await sent();
    const [, again] = faults.asked;
    assert.is(`${again?.method} ${again?.url.pathname}`, "PATCH /api/v1/namespaces/ns/events/made");
    assert.equal(JSON.parse(again?.body ?? ""), { count: 2, lastTimestamp: "2026-01-01T00:00:01Z" });
  });
});

test("what is recorded many times while it waits is sent once, with its count", async () => {
  await withRecorder([], {}, async ({ faults, recorder, sent }) => {
    recorder.record({ ...THING, name: "first" }, WARNING);
    for (let i = 0; i < 20; i++) recorder.record(THING, WARNING);
    await sent();
    assert.equal(
      bodies(faults).map(({ count }) => count),
      [1, 20],
    );
  });
});

test("an event that the server has forgotten is told anew", async () => {
  await withRecorder([json(object("made", "1")), status(404, "NotFound")], {}, async ({ faults, recorder, sent }) => {
    recorder.record(THING, WARNING);
    await sent();
    recorder.record(THING, WARNING);
    await sent();
    assert.equal(
      faults.asked.map(({ method }) => method),
      ["POST", "PATCH", "POST"],
    );
  });
});

test("where the server is not reached an event is tried five times, then given up; the next is tried again", async () => {
  await withRecorder(
    [drop, drop, drop, status(500, "x"), status(429, "y")],
    {},
    async ({ faults, recorder, failed, sent }) => {
      recorder.record(THING, WARNING);
      await sent();
      assert.equal([faults.asked.length, failed], [5, ["throttled"]]);
      recorder.record({ ...THING, name: "b" }, WARNING);
      await sent();
      assert.is(faults.asked.length, 6);
    },
  );
});

test("an event that the server refuses is not tried again", async () => {
  await withRecorder([status(403, "Forbidden")], {}, async ({ faults, recorder, failed, sent }) => {
    recorder.record(THING, WARNING);
    await sent();
    assert.equal([faults.asked.length, failed], [1, ["forbidden"]]);
  });
});

test("recording never waits, and drops what is more than may wait", async () => {
  await withRecorder([stall], { waiting: 10 }, async ({ recorder, dropped }) => {
    for (let i = 0; i < 50; i++) recorder.record({ ...THING, name: `${i}` }, { ...WARNING, message: `${i}` });
    await settle();
    assert.is(recorder.waiting, 11, "ten, and one that is being sent");
    assert.is(dropped.length, 39);
  });
});

test("an object that has too much to say is heard again as time passes", async () => {
  await withRecorder([], { burst: 3, refillMs: 1000 }, async ({ clock, recorder, dropped, sent }) => {
    const say = (count: number): void => {
      for (let i = 0; i < count; i++) recorder.record(THING, { ...WARNING, message: `${clock.now()} ${i}` });
    };
    say(5);
    await sent();
    assert.equal(dropped, ["0 3", "0 4"]);
    recorder.record({ ...THING, name: "another" }, WARNING);
    assert.is(dropped.length, 2, "another object has a say of its own");
    await clock.advance(2000);
    dropped.length = 0;
    say(5);
    assert.is(dropped.length, 3);
  });
});

test("a message longer than the API allows is cut between two characters", async () => {
  await withRecorder([], {}, async ({ faults, recorder, sent }) => {
    recorder.record(THING, { ...WARNING, message: "€".repeat(1000) });
    await sent();
    const [{ message } = {}] = bodies(faults);
    assert.match(String(message), /^€+…$/);
    assert.ok(Buffer.byteLength(String(message)) <= 1024);
  });
});

test("a stopping recorder sends what waits, and takes no more", async () => {
  await withRecorder([], {}, async ({ faults, recorder, dropped }) => {
    for (const name of ["a", "b", "c"]) recorder.record({ ...THING, name }, WARNING);
    await recorder.stop(10_000);
    assert.is(faults.asked.length, 3);
    recorder.record(THING, WARNING);
    assert.is(dropped.length, 1);
  });
});

test("a stopping recorder gives up when its grace is over", async () => {
  await withRecorder([stall], {}, async ({ faults, clock, recorder }) => {
    recorder.record(THING, WARNING);
    await faults.untilAsked(1);
    const stopping = recorder.stop(1000);
    await clock.advance(1000);
    await stopping;
    assert.is(recorder.waiting, 0);
  });
});

test.run();
