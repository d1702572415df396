/**
 * The recorded CNI calls that fail before the daemon is asked: a daemon that would grant everything stands by, and must
 * not be asked. (The others need a real daemon: tests/conformance.)
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readVectors } from "../conformance/vector.ts";
import { tell } from "./_plugin.ts";

interface CniStep {
  readonly do: string;
  readonly container?: string;
  readonly config?: unknown;
  readonly stdin?: string;
  readonly args?: string;
  readonly env?: Readonly<Record<string, string | null>>;
  readonly strict?: boolean;
  readonly expect?: { readonly ok?: boolean; readonly code?: number; readonly info?: { readonly msg?: string } };
}

/** Words of the original's messages when it has asked its daemon. */
const ASKED = "grpc call failed";

let found = 0;
for (const vector of readVectors("cni")) {
  const steps = vector.steps as readonly unknown[] as readonly CniStep[];
  for (const [index, step] of steps.entries()) {
    const { expect, do: command } = step;
    if (expect?.ok !== false || expect.info?.msg === undefined || expect.info.msg.startsWith(ASKED)) continue;
    found += 1;
    test(`${vector.name}, step ${index + 1}: ${expect.info.msg}`, async () => {
      const container = step.container ?? "c1";
      const args = step.args ?? `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${container}`;
      const removed = Object.entries(step.env ?? {}).map(([name, value]) => [name, value ?? undefined]);
      const env = { CNI_CONTAINERID: container, ...Object.fromEntries(removed) };
      const forced = { forcePoolName: vector.name === "force-pool-name-flag" };
      const told = await tell({
        command,
        args,
        env,
        config: step.config ?? vector.config,
        ...(step.stdin === undefined ? {} : { stdin: step.stdin }),
        files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": forced },
      });
      assert.is(told.exitCode, 1, told.stdout);
      assert.equal(told.asked, []);
      if (step.strict === true) assert.is(told.answer.code, expect.code);
    });
  }
}

test("the vectors have such calls", () => {
  assert.ok(found >= 30, String(found));
});

test.run();
