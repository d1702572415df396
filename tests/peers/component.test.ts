/** Kubernetes' component base itself, as a program, beside ours: the same flags and events, and the same bytes. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { levelOf } from "../../src/lib/flags/module_levels.ts";
import { parseBool, parseDuration, parseInteger, parseLevel, parseQuantity } from "../../src/lib/flags/scalars.ts";
import { need } from "../_need.ts";
import type { ComponentEvent } from "../observe/_component.ts";
import { type Outcome, runProgram } from "../program.ts";

const PEER = need("component");
const OURS = join(import.meta.dirname, "../observe/_component.ts");

function run(command: readonly string[], items: readonly unknown[]): Promise<Outcome> {
  const [program = "", ...args] = command;
  const input = items.map((item) => `${JSON.stringify(item)}\n`).join("");
  return runProgram(program, args, { env: { ...process.env, TZ: "Asia/Kolkata" }, input });
}

async function runBoth(flags: readonly string[], events: readonly ComponentEvent[]) {
  return Promise.all([run([PEER, "log", ...flags], events), run([process.execPath, OURS, ...flags], events)]);
}

const HEADER = /^([IWE])(\d{4} \d\d):\d\d:\d\d\.\d{6} ( *\d+) [^\s:\]]+:\d+\] /;

/** Without what differs from run to run: in text the time within the hour, process and place; in JSON time and place. */
function masked(output: string): string[] {
  const lines = output.split("\n");
  return lines.map((line) =>
    line.startsWith("{")
      ? line.replace(/^\{"ts":\d+(?:\.\d+)?,/, '{"ts":TS,').replace(/"caller":"[^":]+:\d+"/, '"caller":"PLACE"')
      : line.replace(HEADER, (_, letter, hour, pid: string) => `${letter}${hour} PID${Math.max(7, pid.length)}] `),
  );
}

const EVENTS: readonly ComponentEvent[] = [
  { severity: "info", message: "plain" },
  { severity: "info", message: 'with "quotes", \\ and \t tab', name: "store" },
  { severity: "info", message: "several\nlines" },
  { severity: "info", message: "ümlaut 漢字 🙂 \u00a0 \u200b \u2028 \u202e \u0007 \u007f \u009b \u{e0001}" },
  { severity: "info", message: "", name: "a.b", fields: [["empty", ""]] },
  {
    severity: "info",
    message: "values",
    fields: [
      ["text", "a b"],
      ["number", 3],
      ["part", 0.25],
      ["big", 9_007_199_254_740_991],
      ["yes", true],
      ["none", null],
      ["list", ["a", 1, "<&>"]],
      ["object", { a: 1, b: ["x"] }],
      ["err", "not an error's"],
    ],
  },
  { severity: "info", level: 1, message: "level 1", name: "store" },
  { severity: "info", level: 4, message: "level 4" },
  { severity: "error", message: "failed", err: "disk full", fields: [["file", "/x"]] },
  { severity: "error", message: "failed", err: 'open "x": no', name: "store" },
  { severity: "error", message: "failed without a reason", fields: [["n", 1]] },
];

const ALPHA = "--feature-gates=LoggingAlphaOptions=true";
const written: readonly (readonly string[])[] = [
  [],
  ["-v=1"],
  ["-v", "4"],
  ["--v=4"],
  ["--v", "1"],
  ["-v4"],
  ["--vmodule=main=4"],
  ["--vmodule=x=9,ma*=1,main=4"],
  ["--vmodule=x=9", "--vmodule=m?[a-i]n=4,"],
  ["--log_flush_frequency=1s", "--logging_format=text"],
  ["-v=9", "-v=1"],
  [ALPHA, "--log-text-split-stream"],
  [ALPHA, "--log-text-split-stream", "--log-text-info-buffer-size=10Ki"],
  [ALPHA, "--log-text-split-stream=false", "--log-text-info-buffer-size=1k"],
  [ALPHA, "--log-json-split-stream", "--log-json-info-buffer-size=64"],
  ["--feature-gates=AllAlpha=true", "--log-text-split-stream=1"],
  ["--feature-gates=AllBeta=false,LoggingBetaOptions=true", "--log-text-split-stream=F"],
];
for (const flags of written) {
  test(`text: ${flags.join(" ") || "no flags"}`, async () => {
    const events = EVENTS.filter(({ name }) => name === undefined || !flags.join().includes("vmodule"));
    const [theirs, ours] = await runBoth(flags, events);
    assert.equal(masked(ours.stderr), masked(theirs.stderr));
    assert.equal(masked(ours.stdout), masked(theirs.stdout));
    assert.equal([theirs.exit, ours.exit], [0, 0]);
    assert.ok(theirs.stderr.split("\n").length > 3, "errors are written");
  });
}

/** What we escape beyond JSON is compared below. */
const PRINTABLE = EVENTS.filter(({ message }) => !message.includes("\u200b"));
for (const flags of [
  [],
  ["-v=4"],
  ["-v=127"],
  [ALPHA, "--log-json-split-stream"],
  [ALPHA, "--log-json-split-stream", "--log-json-info-buffer-size=1Mi", "--log-flush-frequency=1h"],
]) {
  test(`JSON: ${flags.join(" ") || "no flags"}`, async () => {
    const [theirs, ours] = await runBoth(["--logging-format=json", ...flags], PRINTABLE);
    assert.equal(masked(ours.stderr), masked(theirs.stderr));
    assert.equal(masked(ours.stdout), masked(theirs.stdout));
    assert.equal([theirs.exit, ours.exit], [0, 0]);
  });
}

test("JSON lines that differ, by escaping what is not printable, mean the same", async () => {
  const [theirs, ours] = await runBoth(["--logging-format=json"], EVENTS);
  const meaning = ({ stderr }: Outcome) =>
    masked(stderr).map((line) => (line ? JSON.parse(line.replace("TS", "0")) : ""));
  assert.equal(meaning(ours), meaning(theirs));
});

test("a value of several lines is several lines in klog, and one here", async () => {
  const [theirs, ours] = await runBoth([], [{ severity: "info", message: "m", fields: [["key", "a\nb"]] }]);
  assert.match(theirs.stderr, / "m" key=<\n\ta\n\tb\n >\n$/);
  assert.match(ours.stderr, / "m" key="a\\nb"\n$/);
});

const refused: readonly (readonly string[])[] = [
  ["--logging-format=xml"],
  ["--logging-format=json", "--vmodule=main=1"],
  ["--logging-format=json", "--feature-gates=LoggingBetaOptions=false"],
  ["--logging-format=json", "--feature-gates=AllBeta=false"],
  ["--log-json-split-stream"],
  ["--log-json-info-buffer-size=1"],
  ["--log-text-split-stream"],
  ["--log-text-info-buffer-size=1Ki"],
  ["--feature-gates=AllAlpha=true,LoggingAlphaOptions=false", "--log-text-split-stream"],
  ["--feature-gates=LoggingAlphaOptions=true", "--feature-gates=LoggingAlphaOptions=false", "--log-text-split-stream"],
  ["--feature-gates=Unknown=true"],
  ["--feature-gates=AllAlpha"],
  ["--feature-gates=AllAlpha=maybe"],
  ["--log-flush-frequency=0"],
  ["--log-flush-frequency=-1s"],
  ["--log-flush-frequency=5"],
  ["-v=-1"],
  ["-v=x"],
  ["-v=2147483648"],
  ["-v"],
  ["--vmodule=main"],
  ["--vmodule==1"],
  ["--vmodule=main=x"],
  ["--vmodule=main=1=2"],
  ["--vmodule=main=-1"],
  ["--log-text-info-buffer-size=x"],
  ["--nosuchflag"],
  ["--logging-format"],
];
for (const flags of refused) {
  test(`both refuse ${flags.join(" ")}, and log nothing`, async () => {
    const [theirs, ours] = await runBoth(flags, EVENTS);
    assert.ok(theirs.exit !== 0 && ours.exit !== 0);
    assert.equal([theirs.stdout, ours.stdout], ["", ""]);
    assert.match(ours.stderr, /^nv-ipam component: .+\n$/);
  });
}

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  bool: parseBool,
  int: parseInteger,
  level: parseLevel,
  duration: parseDuration,
  quantity: parseQuantity,
};
const texts: Readonly<Record<string, string>> = {
  bool: "1 t T true True TRUE 0 f F false False FALSE yes no tRue 2 on",
  int: "0 5 -5 +5 007 010 08 0x1F 0X1f 0b101 0B2 0o17 0O8 1_000 1__0 _1 1_ 0_7 0x_f 1e3 1.0 - + -0 9007199254740991 0x",
  level: "0 1 10 007 +1 -1 2147483647 2147483648 1_0 0x1 1.5",
  duration:
    "0 +0 -0 00 5s 1m30s 1.5h 100ms 1h1h .5s 5.s . s 1 1x -2s +2s 1m-1s 1us 1µs 1μs 1ns 3h2m1s 1S 1d 9223372036s 9223372037s 292y 1e3s",
  quantity:
    "0 512 1k 2Ki 3M 4G 5Mi 6Gi 1T 1P 1E 2Ti 1Pi 1Ei 1.5Ki 0.1Ki 1m 1001m 1u 1n 1e3 1E3 1e-3 12e+2 -5 +5 5. .5 1ki 1KB 1kk 1i 1_0 0x1 00012",
};
test("values are read as Go and Kubernetes read them", async () => {
  const asked = Object.entries(texts).flatMap(([Kind, list]) =>
    ["", " 1", ...list.split(" ")].map((Text) => ({ Kind, Text })),
  );
  const { stdout } = await run([PEER, "values"], asked);
  const theirs = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.is(theirs.length, asked.length);
  for (const [index, { Kind, Text }] of asked.entries()) {
    assert.is(readers[Kind]?.(Text) ?? null, theirs[index], `${Kind} ${JSON.stringify(Text)}`);
  }
});

test("1K is taken as well as Kubernetes' 1k: the original's help has it", () => {
  assert.equal([parseQuantity("1K"), parseQuantity("1k")], [1000, 1000]);
});

test("patterns of --vmodule match as Go's do", async () => {
  const patterns = [
    "store",
    "st*",
    "*",
    "?tore",
    "s[a-z]ore",
    "s[^a]ore",
    "s[t]*",
    "s\\tore",
    "a.b",
    "a?b",
    "a*",
    "[",
    "s[",
    "\\",
    "+",
    "a|b",
    "(",
    "{1}",
    "[]a]",
    "",
    "*o*e",
    "st[o-",
  ];
  const names = ["store", "a.b", "axb", "s", "", "+", "kube.watch", "a|b", "(", "{1}", "-", "]"];
  const asked = patterns.flatMap((Text) => names.map((Name) => ({ Kind: "match", Text, Name })));
  const { stdout } = await run([PEER, "values"], asked);
  const theirs = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) ?? false);
  const ours = asked.map(({ Text, Name }) => levelOf([{ pattern: Text, level: 1 }], Name) === 1);
  const differ = asked.filter((_, index) => ours[index] !== theirs[index]);
  assert.equal(differ, []);
});

test.run();
