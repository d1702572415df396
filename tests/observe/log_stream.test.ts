/** The log of a process whose reader stops, goes away or has no room; and lines that are gathered. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ComponentOrder } from "./_component.ts";

const PROGRAM = join(import.meta.dirname, "_component.ts");
const LIMIT_MS = 60_000;

class Component {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  stdout = "";
  stderr = "";

  /** @param stderr where its log goes: "pipe", or an open file */
  constructor(flags: readonly string[], stderr: "pipe" | number = "pipe") {
    this.#child = spawn(process.execPath, [PROGRAM, ...flags], { stdio: ["pipe", "pipe", stderr] });
    this.ended = new Promise((resolve) => this.#child.once("close", (code, signal) => resolve(code ?? signal)));
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
  }

  readErrors(): void {
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  closeErrors(): void {
    this.#child.stderr?.destroy();
  }

  send(...orders: readonly ComponentOrder[]): void {
    this.#child.stdin?.write(orders.map((order) => `${JSON.stringify(order)}\n`).join(""));
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits until it has done everything that it was told to do. */
  async obeyed(): Promise<void> {
    this.send({ say: "obeyed" });
    await this.until(() => this.stdout.endsWith("obeyed\n"), "it goes on");
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    for (const limit = Date.now() + LIMIT_MS; !holds(); await delay(10)) {
      if (Date.now() > limit)
        throw new Error(`not in time: ${what}; it wrote ${this.stdout.slice(-500)}${this.stderr.slice(-500)}`);
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

interface Context {
  start(flags: readonly string[], stderr?: "pipe" | number): Component;
  readonly directory: string;
}

const started: Component[] = [];
const test = suite<Context>("log streams");
test.before.each((context) => {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-log-"));
  const start: Context["start"] = (flags, stderr) => {
    const component = new Component(flags, stderr);
    started.push(component);
    return component;
  };
  Object.assign(context, { directory, start });
});
test.after.each(async ({ directory }) => {
  for (const component of started.splice(0)) {
    component.kill();
    await component.ended;
  }
  rmSync(directory, { recursive: true, force: true });
});

const EVENTS = 20_000;
const PADDING = "x".repeat(300);

function numbered(number: number): ComponentOrder {
  return {
    severity: "info",
    message: "m",
    fields: [
      ["number", number],
      ["padding", PADDING],
    ],
  };
}

test("a log that is not read holds nothing up; what did not fit is counted, the rest is in order", async ({
  start,
}) => {
  const component = start([]);
  for (let number = 0; number < EVENTS; number++) component.send(numbered(number));
  await component.obeyed();
  component.readErrors();
  await component.until(() => component.stderr.endsWith("\n"), "the log is read");
  // Room comes when the reader has caught up.
  await component.until(() => {
    component.send(numbered(EVENTS));
    return component.stderr.includes(`number=${EVENTS}`);
  }, "it logs again");
  const text = component.stderr;
  const numbers = [...text.matchAll(/ number=(\d+) /g)].map(([, number]) => Number(number));
  const before = numbers.filter((number) => number < EVENTS);
  const lost = [...text.matchAll(/^W.*"Log lines were lost.* lines=(\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  assert.equal(
    before,
    Array.from({ length: before.length }, (_, number) => number),
  );
  assert.ok(before.length < EVENTS / 2, "most did not fit");
  assert.ok(lost >= EVENTS - before.length, `${lost} lost, ${before.length} written`);
});

test("a log that nobody will ever read does not keep the process", async ({ start, directory }) => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, constants.O_RDWR);
  const component = start([], reader);
  for (let number = 0; number < 2000; number++) component.send(numbered(number));
  component.endInput();
  assert.is(await component.ended, 3);
  closeSync(reader);
});

test("what was written before the end is read after it", async ({ start, directory }) => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, constants.O_RDWR);
  const component = start([], reader);
  component.send(numbered(1), numbered(2));
  component.endInput();
  assert.is(await component.ended, 0);
  const buffer = Buffer.alloc(4096);
  assert.match(buffer.toString("utf8", 0, readSync(reader, buffer)), /number=1 .*\n.* number=2 /);
  closeSync(reader);
});

test("a reader that has gone does not end the process", async ({ start }) => {
  const component = start([]);
  component.closeErrors();
  for (let number = 0; number < 2000; number++) component.send(numbered(number));
  await component.obeyed();
  component.send(numbered(1));
  await component.obeyed();
  component.endInput();
  assert.is(await component.ended, 0);
});

test("a full disk does not end the process", async ({ start }) => {
  const full = openSync("/dev/full", "w");
  const component = start([], full);
  closeSync(full);
  for (let number = 0; number < 100; number++) component.send(numbered(number));
  await component.obeyed();
  component.endInput();
  assert.is(await component.ended, 0);
});

const GATHER = [
  "--feature-gates=LoggingAlphaOptions=true",
  "--log-text-split-stream",
  "--log-text-info-buffer-size=1Ki",
];

test("info is gathered until there is an error", async ({ start }) => {
  const component = start([...GATHER, "--log-flush-frequency=1h"]);
  component.readErrors();
  component.send({ severity: "info", message: "first" });
  await component.obeyed();
  assert.is(component.stdout, "obeyed\n");
  component.send({ severity: "error", message: "bad" });
  await component.until(
    () => component.stdout.includes('"first"') && component.stderr.includes('"bad"'),
    "both are written",
  );
});

test("info is gathered until the buffer is full", async ({ start }) => {
  const component = start([...GATHER, "--log-flush-frequency=1h"]);
  for (let number = 0; number < 3; number++) component.send(numbered(number));
  await component.obeyed();
  component.send(numbered(3));
  await component.until(() => component.stdout.includes("number=1"), "two are written");
  await component.obeyed();
  assert.not.match(component.stdout, "number=3");
});

test("info is gathered no longer than the flush frequency says", async ({ start }) => {
  const component = start([...GATHER, "--log-flush-frequency=50ms"]);
  component.send({ severity: "info", message: "first" });
  await component.until(() => component.stdout.includes('"first"'), "it is written");
});

for (const [how, last, status] of [
  ["the end", [], 0],
  ["a crash", [{ die: "a bug" }], 1],
] as const) {
  test(`info that was gathered is written at ${how}`, async ({ start }) => {
    const component = start([...GATHER, "--log-flush-frequency=1h"]);
    component.send({ severity: "info", message: "first" }, ...last);
    component.endInput();
    assert.is(await component.ended, status);
    assert.match(component.stdout, '"first"');
  });
}

test.run();
