import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Outcome, type QueueOptions, WorkQueue } from "../../src/lib/kube/queue.ts";
import { FakeClock, settle } from "../fake_clock.ts";
import { seededRandom } from "../random.ts";

interface Bench {
  readonly clock: FakeClock;
  readonly queue: WorkQueue;
  /** What was begun, and when. */
  readonly begun: { readonly key: string; readonly at: number }[];
  /** Lets the oldest piece of work of a key end. */
  readonly finish: (key: string, outcome: Outcome) => Promise<void>;
}

/** A queue whose work ends when the test says so, or at once with `outcomes`. */
function bench(options: Partial<QueueOptions> = {}, outcomes?: (key: string) => Outcome): Bench {
  const clock = new FakeClock();
  const begun: { key: string; at: number }[] = [];
  const open = new Map<string, (outcome: Outcome) => void>();
  const work = (key: string): Promise<Outcome> => {
    begun.push({ key, at: clock.now() });
    assert.not.ok(open.has(key), `${key} is worked on twice at once`);
    if (outcomes !== undefined) return Promise.resolve(outcomes(key));
    return new Promise((resolve) => open.set(key, resolve));
  };
  const finish = async (key: string, outcome: Outcome): Promise<void> => {
    const resolve = open.get(key);
    open.delete(key);
    resolve?.(outcome);
    await settle();
  };
  return { clock, queue: new WorkQueue({ work, clock, ...options }), begun, finish };
}

const test = suite("work queue");

test("a key added while it is worked on is worked on once more afterwards, however often it was added", async () => {
  const { queue, begun, finish } = bench({ concurrency: 4 });
  queue.add("a");
  for (let i = 0; i < 10; i++) queue.add("a");
  await settle();
  assert.is(begun.length, 1);
  await finish("a", "done");
  assert.is(begun.length, 2);
  await finish("a", "done");
  assert.is(begun.length, 2);
  assert.is(queue.depth + queue.running, 0);
});

test("keys that wait are worked on once each, in the order of their coming", async () => {
  const { queue, begun, finish } = bench();
  for (const key of ["a", "b", "c", "b", "a", "c"]) queue.add(key);
  assert.is(queue.depth, 3, "b and c, and a once more");
  for (const key of ["a", "b", "c", "a"]) await finish(key, "done");
  assert.equal(begun.map(({ key }) => key).join(""), "abca");
});

test("so many keys are worked on at once as concurrency says", async () => {
  const { queue, finish } = bench({ concurrency: 3 });
  for (let i = 0; i < 10; i++) queue.add(`${i}`);
  assert.is(queue.running, 3);
  await finish("1", "done");
  assert.is(queue.running, 3);
  assert.is(queue.depth, 6);
});

test("a key that fails waits twice as long each time up to a bound, and success makes it start over", async () => {
  let outcome: Outcome = "retry";
  const { clock, queue, begun } = bench({ firstRetryMs: 100, longestRetryMs: 1000 }, () => outcome);
  queue.add("a");
  await clock.advance(4500);
  assert.equal(
    begun.map(({ at }) => at),
    [0, 100, 300, 700, 1500, 2500, 3500, 4500],
  );
  outcome = "done";
  await clock.advance(1000);
  outcome = "retry";
  queue.add("a");
  await clock.advance(100);
  assert.is(begun.at(-1)?.at, 5600);
});

test("a key added while its retry waits is worked on at once, and the former retry is dropped", async () => {
  const outcomes: Outcome[] = ["retry", "done"];
  const { clock, queue, begun } = bench({ firstRetryMs: 1000 }, () => outcomes.shift() ?? "done");
  queue.add("a");
  await clock.advance(10);
  queue.add("a");
  await clock.advance(10_000);
  assert.equal(
    begun.map(({ at }) => at),
    [0, 10],
  );
});

test("retries of all keys together keep to their rate once the burst is used up", async () => {
  const { clock, queue, begun } = bench(
    { firstRetryMs: 1, retryBurst: 5, retriesPerSecond: 10, concurrency: 20 },
    (key) => (begun.filter((b) => b.key === key).length === 1 ? "retry" : "done"),
  );
  for (let i = 0; i < 15; i++) queue.add(`${i}`);
  await clock.advance(1);
  assert.is(begun.length - 15, 5);
  await clock.advance(499);
  assert.is(begun.length - 15, 10);
  await clock.advance(500);
  assert.is(begun.length - 15, 15);
});

test("of several delays the earliest counts, once", async () => {
  const { clock, queue, begun } = bench({}, () => "done");
  for (const ms of [500, 200, 900]) queue.addAfter("a", ms);
  await clock.advance(5000);
  assert.equal(begun, [{ key: "a", at: 200 }]);
});

test("an outcome may ask for the key again later", async () => {
  const outcomes: Outcome[] = [{ againMs: 600 }];
  const { clock, queue, begun } = bench({}, () => outcomes.shift() ?? "done");
  queue.add("a");
  await clock.advance(10_000);
  assert.equal(
    begun.map(({ at }) => at),
    [0, 600],
  );
});

test("work that throws is told of and retried", async () => {
  const errors: unknown[] = [];
  let calls = 0;
  const clock = new FakeClock();
  const work = async (): Promise<Outcome> => {
    calls++;
    if (calls === 1) throw new Error("a bug");
    return "done";
  };
  const queue = new WorkQueue({ work, clock, firstRetryMs: 100, onError: (_, error) => errors.push(error) });
  queue.add("a");
  await clock.advance(100);
  assert.is(calls, 2);
  assert.match(String(errors), /a bug/);
});

test("a stopped queue begins nothing, and waits for what is under way", async () => {
  const { queue, begun, finish } = bench();
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  let stopped = false;
  const stopping = queue.stop(1000).then(() => {
    stopped = true;
  });
  queue.add("d");
  await settle();
  assert.not.ok(stopped);
  await finish("a", { againMs: 1 });
  await stopping;
  assert.equal(begun.length, 1);
});

test("a queue that stops aborts the work's signal when its grace is over, and gives up on work that ignores it", async () => {
  const clock = new FakeClock();
  const aborted: string[] = [];
  const work = (key: string, signal: AbortSignal): Promise<Outcome> =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        aborted.push(key);
        if (key === "heeds") resolve("retry");
      });
    });
  const queue = new WorkQueue({ work, clock, concurrency: 2 });
  queue.add("heeds");
  queue.add("ignores");
  const stopping = queue.stop(1000);
  await clock.advance(999);
  assert.equal(aborted, []);
  await clock.advance(1);
  assert.equal(aborted, ["heeds", "ignores"]);
  await clock.advance(1000);
  await stopping;
  assert.is(queue.running, 1);
});

test("whatever happens, no key is worked on twice at once, and each is worked on after it was last added", async () => {
  const random = seededRandom("queue");
  const clock = new FakeClock();
  const running = new Set<string>();
  const lastBegun = new Map<string, number>();
  const lastAdded = new Map<string, number>();
  let order = 0;
  const work = (key: string): Promise<Outcome> => {
    assert.not.ok(running.has(key));
    running.add(key);
    lastBegun.set(key, ++order);
    return new Promise((resolve) => {
      clock.after(random.below(50), () => {
        running.delete(key);
        resolve(random.pick<Outcome>(["done", "done", "retry", { againMs: 5 }]));
      });
    });
  };
  const queue = new WorkQueue({
    work,
    clock,
    concurrency: 3,
    longestRetryMs: 200,
    retriesPerSecond: 1000,
  });
  for (let step = 0; step < 300; step++) {
    const key = `${random.below(8)}`;
    lastAdded.set(key, ++order);
    if (random.below(3) === 0) queue.addAfter(key, random.below(100));
    else queue.add(key);
    await clock.advance(random.below(20));
  }
  await clock.advance(2000);
  for (const [key, added] of lastAdded) assert.ok((lastBegun.get(key) ?? 0) > added, key);
});

test.run();
