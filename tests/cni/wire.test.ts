/** The recorded calls of the original's plugin: ours sends the same messages and makes the same of the same answers. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Call } from "../../src/lib/cni/daemon.ts";
import { fail } from "../../src/lib/result.ts";
import type { UnaryCall } from "../../src/lib/rpc/client/call.ts";
import { Connection } from "../../src/lib/rpc/client/connection.ts";
import { clientFrames } from "../rpc/client/_frames_of.ts";
import { bytesOf, WIRE_VECTORS, type WireVector } from "../rpc/client/_wire.ts";
import { tell } from "./_plugin.ts";

const DATA = 0;
const PREFIX = 5;

/** The message that the original's plugin sent. */
function recordedMessage(vector: WireVector): string {
  const data = clientFrames(bytesOf(vector, "client")).filter(({ type }) => type === DATA);
  return Buffer.concat(data.map(({ payload }) => payload))
    .subarray(PREFIX)
    .toString("hex");
}

/** Answers with the recorded bytes of the original's daemon. */
function replay(vector: WireVector, calls: UnaryCall[]): Call {
  return async (options) => {
    calls.push(options);
    const connection = new Connection(options);
    connection.open(options.timeoutMs);
    const { outcome } = connection.receive(bytesOf(vector, "server"));
    return outcome ?? fail({ type: "deadline", status: 4, message: `${options.target} did not answer within 1 s` });
  };
}

/** The codes that we give where the original gives 999 for all. */
const CODES: Readonly<Record<string, number>> = {
  "add-already-exists": 103,
  "add-deadline": 11,
  "add-exhausted": 101,
  "add-invalid-argument": 102,
  "add-not-found": 100,
  "check-fails": 105,
};

for (const vector of WIRE_VECTORS) {
  test(`${vector.name}: ${vector.why}`, async () => {
    const { command, container, config } = vector.call;
    const calls: UnaryCall[] = [];
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${container};K8S_POD_UID=uid-${container}`;
    const told = await tell({
      command,
      config,
      args,
      env: { CNI_CONTAINERID: container },
      call: replay(vector, calls),
    });
    assert.equal(
      calls.map(({ message }) => Buffer.from(message).toString("hex")),
      [recordedMessage(vector)],
    );
    assert.is(told.exitCode, vector.outcome.exit);
    if (told.exitCode === 0) assert.equal(told.stdout === "" ? "" : told.answer, vector.outcome.stdout);
    else assert.is(told.answer.code, CODES[vector.name]);
  });
}

test("each recorded failure has a code of its own here", () => {
  const failed = WIRE_VECTORS.filter(({ outcome }) => outcome.exit !== 0).map(({ name }) => name);
  assert.equal(failed.sort(), Object.keys(CODES).sort());
});

test.run();
