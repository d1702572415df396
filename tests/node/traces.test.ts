/** A cluster leaves nothing behind on the machine, however its test ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../cluster/_pools.ts";
import { seededRandom } from "../random.ts";
import { type Marks, machineState, traces } from "./_traces.ts";

const PROGRAM = join(import.meta.dirname, "_doomed.ts");
const test = suite("traces");

/** A cluster in a process of its own. */
interface Doomed {
  readonly child: ChildProcess;
  readonly marks: Marks;
  /** Waits until it says so. */
  said(line: string): Promise<void>;
}

/** Starts one, lets it be ended, and demands that the machine is then as it was before. */
async function leavesNothing(end: (doomed: Doomed) => Promise<void>): Promise<void> {
  const before = machineState();
  const temporary = mkdtempSync(join(tmpdir(), "doomed-"));
  const child = spawn(process.execPath, [PROGRAM], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: temporary },
  });
  const exit = once(child, "exit");
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const marks = { pid: child.pid ?? -1, temporary };
  const said = (line: string): Promise<void> =>
    until(
      () => {
        if (child.exitCode !== null) throw new Error(`the process ended before it said "${line}"`);
        return lines.includes(line);
      },
      `it says "${line}"`,
      () => lines,
      120_000,
    );
  try {
    await end({ child, marks, said });
    await Promise.race([exit, delay(60_000, undefined, { ref: false })]);
  } finally {
    child.kill("SIGKILL");
    await exit;
  }
  await until(
    () => traces(marks).length === 0,
    "nothing is left",
    () => traces(marks).join("\n"),
  );
  rmdirSync(temporary);
  assert.equal(machineState(), before);
}

test("a cluster that is taken down leaves nothing behind", () =>
  leavesNothing(async ({ child, marks, said }) => {
    await said("has a pod");
    const found = traces(marks).join("\n");
    for (const trace of [/process \d+: kubelet/, /link nvt/, /control group/, /file nv-ipam-cluster/]) {
      assert.match(found, trace);
    }
    child.kill("SIGTERM");
  }));

test("a cluster whose process is killed leaves nothing behind", () =>
  leavesNothing(async ({ child, said }) => {
    await said("has a pod");
    child.kill("SIGKILL");
  }));

test("a cluster whose process is killed while it comes up leaves nothing behind", () => {
  const random = seededRandom("instant of the kill");
  return leavesNothing(async ({ child, said }) => {
    await said("begins");
    await delay(random.below(5000));
    child.kill("SIGKILL");
  });
});

test.run();
