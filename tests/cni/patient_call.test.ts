import { suite } from "uvu";
import * as assert from "uvu/assert";
import { patient } from "../../src/lib/cni/patient_call.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { CallFailure, UnaryCall } from "../../src/lib/rpc/client/call.ts";
import { tell } from "./_plugin.ts";

const test = suite("patient_call");

const REQUEST: UnaryCall = { target: "/x", path: "/s/M", message: new Uint8Array(), timeoutMs: 1000 };
const DOWN: CallFailure = { type: "connect", status: 14, message: "nobody listens" };

/** A daemon that gives the answers one after the other, the last one for ever; each takes so many milliseconds. */
function daemon(answers: readonly (CallFailure | "served")[], { takesMs = 10, isAwaited = (): boolean => true } = {}) {
  let now = 5;
  const limits: number[] = [];
  const told = new Set<number | undefined>();
  const call = patient(
    async ({ timeoutMs, limitMs }): Promise<Result<Uint8Array, CallFailure>> => {
      limits.push(timeoutMs);
      told.add(limitMs);
      now += takesMs;
      const answer = answers[Math.min(limits.length, answers.length) - 1] ?? "served";
      return answer === "served" ? ok(new Uint8Array([1])) : fail(answer);
    },
    {
      elapsedMs: () => now,
      sleep: async (ms) => {
        now += ms;
      },
      isAwaited,
    },
  );
  return { call, limits, told, now: () => now };
}

for (const [what, failure] of [
  ["nobody listens", DOWN],
  ["the connection breaks before the answer", { type: "protocol", status: 14, message: "closed the connection" }],
  ["the daemon cannot serve yet", { type: "status", status: 14, message: "the IPPools are not known yet" }],
] as const) {
  test(`while ${what} the daemon is asked again, each time with what is left of the limit`, async () => {
    const { call, limits } = daemon([failure, failure, "served"]);
    assert.equal(await call(REQUEST), ok(new Uint8Array([1])));
    assert.equal(limits, [1000, 890, 780]);
  });
}

test("what is left of the limit is told in whole milliseconds, as messages show it", async () => {
  const { call, limits } = daemon([DOWN, "served"], { takesMs: 10.0481 });
  await call(REQUEST);
  assert.equal(limits, [1000, 889]);
});

test("a deadline that passes in the end names the whole limit, which is what people have set", async () => {
  const { call, told } = daemon([DOWN, DOWN, "served"]);
  await call(REQUEST);
  assert.equal([...told], [REQUEST.timeoutMs]);
});

test("the time of one call is never exceeded, and the last failure is told", async () => {
  const { call, limits, now } = daemon([DOWN]);
  assert.equal(await call(REQUEST), fail(DOWN));
  assert.ok(now() - 5 <= REQUEST.timeoutMs);
  assert.ok(limits.length > 5 && limits.every((limit) => limit >= 100));
});

test("whoever started it has ended: it is not asked again, after the DEL that may have come by now", async () => {
  const waits = [true, false];
  const { call, limits } = daemon([DOWN, DOWN, "served"], { isAwaited: () => waits.shift() ?? false });
  assert.equal(await call(REQUEST), fail(DOWN));
  assert.is(limits.length, 2);
});

for (const failure of [
  { type: "status", status: 8, message: "no free address" },
  { type: "deadline", status: 4, message: "no answer within 5 s" },
  { type: "protocol", status: 13, message: "broke the rules of HTTP/2" },
] as const) {
  test(`${failure.message}: told at once`, async () => {
    const { call, limits } = daemon([failure, "served"]);
    assert.equal(await call(REQUEST), fail(failure));
    assert.is(limits.length, 1);
  });
}

for (const [command, isPatient] of [
  ["ADD", true],
  ["DEL", true],
  ["CHECK", false],
  ["STATUS", false],
] as const) {
  test(`${command} ${isPatient ? "waits for" : "does not wait for"} a daemon that is down`, async () => {
    let calls = 0;
    const call = async () => {
      calls++;
      return fail(DOWN);
    };
    assert.is((await tell({ command, call })).exitCode, 1);
    assert.is(calls > 1, isPatient);
  });
}

test.run();
