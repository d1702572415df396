/** A cluster leaves nothing behind on the machine, however its test ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { until, within } from "../cluster/_wait.ts";
import { seededRandom } from "../random.ts";
import { type Marks, machineState, traces } from "./_traces.ts";

need("script");
const DOOMED = join(import.meta.dirname, "_doomed.ts");
const PLAYGROUND = join(import.meta.dirname, "_playground.ts");
const test = suite("traces");

/** A cluster in a process of its own. */
interface Doomed {
  readonly child: ChildProcess;
  readonly marks: Marks;
  /** Waits until it says so. @returns all that it has said. */
  said(line: string): Promise<readonly string[]>;
}

/** The exit status of a process, or the signal that ended it. */
type Ending = number | NodeJS.Signals;

/** Starts one, lets it be ended, and demands that it ends so and that the machine is then as it was before. */
async function leavesNothing(end: (doomed: Doomed) => Promise<Ending>, command = [DOOMED], program = process.execPath) {
  const before = machineState();
  const temporary = mkdtempSync(join(tmpdir(), "doomed-"));
  const child = spawn(program, command, {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: temporary },
  });
  const exit = once(child, "exit");
  const ended = async (): Promise<Ending> => {
    const [status, signal] = await within(exit, "the cluster's process ends", () => lines.join("\n"), 120_000);
    return status ?? signal;
  };
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const marks: Marks = { pids: [], temporary };
  const said = async (line: string): Promise<readonly string[]> => {
    await until(
      () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the process ended before it said "${line}": ${lines.join("\n")}`);
        return lines.includes(line);
      },
      `it says "${line}"`,
      () => lines.join("\n"),
      120_000,
    );
    marks.pids = [child.pid ?? -1, ...childrenOf(child.pid ?? -1)];
    return lines;
  };
  try {
    const wanted = await end({ child, marks, said });
    assert.is(await ended(), wanted, lines.join("\n"));
  } finally {
    child.kill("SIGKILL");
    await ended();
  }
  await until(
    async () => {
      if (traces(marks).length === 0) return true;
      // To look is work for the machine too.
      await delay(250);
      return false;
    },
    "nothing is left",
    () => traces(marks).join("\n"),
    120_000,
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
    return 0;
  }));

test("a cluster whose process is killed leaves nothing behind", () =>
  leavesNothing(async ({ child, said }) => {
    await said("has a pod");
    child.kill("SIGKILL");
    return "SIGKILL";
  }));

const random = seededRandom("instants of the kills");
for (const [from, to] of [
  [0, 1000],
  [1000, 3000],
  [3000, 6000],
] as const) {
  test(`a cluster whose process is killed while it comes up, after ${from} to ${to} ms, leaves nothing behind`, () =>
    leavesNothing(async ({ child, said }) => {
      await said("begins");
      await delay(from + random.below(to - from));
      child.kill("SIGKILL");
      return "SIGKILL";
    }));
}

test("a cluster whose process is killed while kubectl runs leaves nothing behind", () =>
  leavesNothing(async ({ child, marks, said }) => {
    await said("begins");
    const found = (): string => traces(marks).join("\n");
    await until(() => /process \d+: \S*\/kubectl .* apply /.test(found()), "kubectl runs", found, 120_000);
    child.kill("SIGKILL");
    return "SIGKILL";
  }));

test("a cluster that fails to come up leaves nothing behind", () =>
  leavesNothing(
    async ({ said }) => {
      await said("begins");
      return 1;
    },
    [DOOMED, "--no-such-flag"],
  ));

test("npm run cluster prints what works, and leaves nothing behind after Ctrl-C", () =>
  leavesNothing(
    async ({ child, said }) => {
      const lines = await said("Ctrl-C takes everything down.");
      // Indented lines are for a shell; those after nsenter for the shell that it starts.
      const commands = lines.filter((line) => line.startsWith("  ")).join("\n");
      const output = await shell(`shopt -s expand_aliases\n${commands}\n`);
      for (const words of [
        /^ippool\S*\/flat +10\.10\.0\.0\/16/m,
        /^cidrpool\S*\/routed +fd10::\/48/m,
        /^first +1\/1 +Running/m,
        /network-status/,
        /inet 10\.10\.0\.\d+\/16 .* net1/,
        /inet6 fd10::[0-9a-f]+\/64/,
        /^pod\/second created/m,
        /admission webhook .* denied the request: .*would move blocks/,
        /default\/first/,
        /ADD network=flat/,
      ]) {
        assert.match(output, words, `${words} in what is printed:\n${output}`);
      }
      child.stdin?.write("\x03");
      return 0;
    },
    ["--quiet", "--flush", "--return", "--command", `exec ${process.execPath} ${PLAYGROUND}`, "/dev/null"],
    "script",
  ));

function childrenOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").map(Number);
}

/** What a user sees who types this. */
async function shell(input: string): Promise<string> {
  const child = spawn("bash", ["-c", "exec bash 2>&1"], { stdio: ["pipe", "pipe", "inherit"] });
  // It does not read on after a command that ends it.
  child.stdin.on("error", () => undefined).end(input);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  try {
    await within(once(child, "close"), "the shell has carried out what is printed", () => output, 120_000);
  } finally {
    child.kill("SIGKILL");
  }
  return output;
}

test.run();
