import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fail, ok } from "../../../src/lib/result.ts";
import { type Caller, type Outcome, unary } from "../../../src/lib/rpc/server/unary.ts";

interface FakeCall {
  cancelled: boolean;
  deadline: Date | number;
}

/** Starts a call, lets the test change it in the same turn, and gives what the caller and the log were told. */
async function carryOut(
  method: (caller: Caller) => unknown,
  change: (call: FakeCall) => void = () => undefined,
): Promise<{ readonly reply: unknown; readonly outcome: Outcome | undefined }> {
  const call: FakeCall = { cancelled: false, deadline: Number.POSITIVE_INFINITY };
  const metadata = new Metadata();
  metadata.set("nv-ipam-network", "net%20a");
  const full = Object.assign(call, { request: {}, metadata, getDeadline: () => call.deadline });
  let outcome: Outcome | undefined;
  const reply = await new Promise((resolve) => {
    const respond: sendUnaryData<unknown> = (error, value) => resolve(error ?? value);
    const handler = unary(
      "Method",
      async (_, caller) => method(caller) as never,
      (told) => {
        outcome = told;
      },
    );
    handler(full as unknown as ServerUnaryCall<unknown, unknown>, respond);
    change(call);
  });
  return { reply, outcome };
}

const gone: readonly [what: string, change: (call: FakeCall) => void, expected: boolean][] = [
  ["has not gone while its stream is open", () => undefined, false],
  ["has gone when its stream was closed before the method's turn came", (call) => (call.cancelled = true), true],
  ["has gone when its deadline has passed", (call) => (call.deadline = new Date(Date.now() - 1)), true],
  ["has not gone before its deadline", (call) => (call.deadline = Date.now() + 1e6), false],
];
for (const [what, change, expected] of gone) {
  test(`R3 a caller ${what}`, async () => {
    const { reply } = await carryOut((caller) => ok(caller.gone()), change);
    assert.is(reply, expected);
  });
}

test("headers are given as they were sent, and as nothing when they were not", async () => {
  const { reply } = await carryOut((caller) => ok([caller.header("nv-ipam-network"), caller.header("x")]));
  assert.equal(reply, ["net%20a", ""]);
});

test("a refusal has its gRPC status and message", async () => {
  const { reply, outcome } = await carryOut(() => fail({ status: "ResourceExhausted", message: "full" }));
  assert.equal(reply, { code: status.RESOURCE_EXHAUSTED, details: "full" });
  assert.is(outcome?.status, "ResourceExhausted");
});

test("a bug is told to the log, and to the caller only that there was one", async () => {
  const bug = new Error("secret");
  const { reply, outcome } = await carryOut(() => {
    throw bug;
  });
  assert.equal(reply, { code: status.INTERNAL, details: "internal error; the daemon's log says more" });
  assert.is(outcome?.bug, bug);
});

test.run();
