import { test } from "uvu";
import * as assert from "uvu/assert";
import { closest } from "../../src/lib/flags/closest.ts";
import { type GateName, isEnabled, parseFeatureGates } from "../../src/lib/flags/feature_gates.ts";
import { type Command, defineFlags, parseFlags } from "../../src/lib/flags/flags.ts";
import { formatDuration, parseBool, parseDuration, parseInteger } from "../../src/lib/flags/scalars.ts";

const flags = defineFlags({
  "node-name": { type: "string", default: "", help: "Name of the node.", section: "Node daemon" },
  v: { type: "int", default: 0, help: "Verbosity.", section: "Logging", short: "v" },
  wait: { type: "duration", default: 90_000, help: "How long.", section: "Node daemon" },
  force: { type: "bool", default: false, help: "Do it.", section: "Node daemon", short: "f" },
  quiet: { type: "bool", default: false, help: "Say less.", section: "Node daemon", short: "q" },
  level: { type: "level", default: 0, help: "Verbosity.", section: "Logging" },
  size: { type: "quantity", default: 0, help: "How much.", section: "Logging" },
  parts: { type: "modules", default: [], help: "Verbosity of parts.", section: "Logging" },
  gates: { type: "gates", default: new Map(), help: "Gates.", section: "Logging" },
  times: {
    type: "int",
    default: 1,
    help: "How often.",
    section: "Node daemon",
    refuse: (times) => (times < 1 ? "use 1 or more" : undefined),
  },
});
const command: Command<typeof flags> = { name: "show", arguments: "<what> [more]", summary: "Shows.", flags };

const accepted: readonly [string, readonly string[], Partial<Record<keyof typeof flags, unknown>>][] = [
  ["a value after the equals sign is taken as typed", ["x", "--node-name=0123"], { "node-name": "0123" }],
  ["a value that looks like a number stays text", ["x", "--node-name", "1e3"], { "node-name": "1e3" }],
  ["a value that looks like a boolean stays text", ["x", "--node-name", "true"], { "node-name": "true" }],
  ["a value that starts with a dash is the value", ["x", "--node-name", "-n"], { "node-name": "-n" }],
  ["a value may hold an equals sign", ["x", "--node-name=a=b"], { "node-name": "a=b" }],
  ["an empty value is a value", ["x", "--node-name="], { "node-name": "" }],
  ["a letter takes its value after an equals sign", ["x", "-v=2"], { v: 2 }],
  ["a letter takes its value attached", ["x", "-v2"], { v: 2 }],
  ["a letter takes the next argument", ["x", "-v", "2"], { v: 2 }],
  ["a boolean alone is true", ["x", "--force"], { force: true }],
  ["a boolean takes a value only after an equals sign", ["x", "--force", "y"], { force: true }],
  ["letters stand together", ["x", "-fq"], { force: true, quiet: true }],
  ["the last of letters that stand together takes its value attached", ["x", "-fv2"], { force: true, v: 2 }],
  [
    "the last of letters that stand together takes the next argument",
    ["x", "-qfv", "2"],
    { quiet: true, force: true, v: 2 },
  ],
  [
    "the last of letters that stand together takes its value after an equals sign",
    ["x", "-qf=F"],
    { quiet: true, force: false },
  ],
  ["--help=false asks for none", ["x", "--help=false", "-v=1"], { v: 1 }],
  ["a boolean is read as Go reads it", ["x", "--force=F"], { force: false }],
  ["a value that the flag does not refuse is taken", ["x", "--times=2"], { times: 2 }],
  ["an underscore stands for a dash", ["x", "--node_name=a_b"], { "node-name": "a_b" }],
  ["a quantity is a number of bytes", ["x", "--size", "2Ki"], { size: 2048 }],
  ["two dashes end the flags", ["--force", "--", "x"], { force: true }],
  ["--version=false is none", ["x", "--version=false", "-v=1"], { v: 1 }],
  ["the last of two wins", ["x", "--wait=1s", "--wait=1m30s"], { wait: 90_000 }],
];
for (const [name, args, expected] of accepted) {
  test(name, () => {
    const parsed = parseFlags(command, args);
    if (!parsed.ok || parsed.value.type !== "run") throw new Error(JSON.stringify(parsed));
    const { values } = parsed.value;
    for (const [key, value] of Object.entries(expected)) assert.is(values[key as keyof typeof flags], value);
  });
}

const refused: readonly [string, readonly string[], RegExp][] = [
  [
    "an unknown flag names the closest one",
    ["x", "--nodename=a"],
    /unknown flag --nodename: did you mean --node-name\?/,
  ],
  ["a flag with one dash is told to take two", ["x", "-wait=1s"], /did you mean --wait\?/],
  ["an unknown flag is named as it was written", ["x", "--na_me=1"], /^unknown flag --na_me[:;]/],
  ["an unknown letter among letters is refused", ["x", "-fxv2"], /^unknown flag -fxv2; /],
  ["help has no other value", ["x", "--help=please"], /^--help=please: this is no boolean/],
  ["a name of Object.prototype is no flag", ["x", "--constructor=1"], /unknown flag --constructor/],
  ["a flag without its value is refused", ["x", "--node-name"], /--node-name needs a value/],
  ["a duration without a unit is refused", ["x", "--wait=5"], /--wait=5: this is no duration/],
  ["a number with letters is refused", ["x", "-v=two"], /--v=two: this is no whole number/],
  ["a boolean with another word is refused", ["x", "--force=yes"], /this is no boolean/],
  ["a value that the flag refuses is answered with its advice", ["x", "--times=0"], /^--times=0: use 1 or more$/],
  ["a missing argument is refused", [], /an argument is missing: write nv-ipam /],
  ["a flag after two dashes is refused", ["x", "--", "--force"], /--force/],
  ["a lone dash is refused", ["-"], /^- is no argument/],
  ["a lone dash is refused with what stands behind it", ["x", "-", "y"], /^- is no argument/],
  ["a lone dash after two is refused", ["x", "--", "-"], /^- is no argument/],
  ["a level has no sign", ["x", "--level=-1"], /^--level=-1: this is no level; use 0 to 2147483647$/],
  ["a quantity has no other unit", ["x", "--size=1KB"], /^--size=1KB: this is no quantity/],
  ["a part needs its level", ["x", "--parts=store"], /^--parts=store: "store" is not pattern=N/],
  [
    "an unknown gate names those that are known",
    ["x", "--gates=A=true"],
    /unrecognized feature gate: A; known are AllAlpha, /,
  ],
  ["a gate needs its value", ["x", "--gates=AllAlpha"], /^--gates=AllAlpha: AllAlpha needs true or false/],
  [
    "a value that is refused is refused though another follows",
    ["x", "--parts=a", "--parts=b=1"],
    /"a" is not pattern=N/,
  ],
  ["a wrong flag is told before the version", ["x", "--version", "--wait=5"], /this is no duration/],
  ["an argument too many is refused", ["x", "y", "z"], /z is one argument too many: write nv-ipam /],
];
for (const [name, args, message] of refused) {
  test(name, () => {
    const parsed = parseFlags(command, args);
    if (parsed.ok) throw new Error("was accepted");
    assert.match(parsed.error, message);
  });
}

test("lists that are given twice add up; of two values for one gate the last counts", () => {
  const args = ["x", "--parts=a=1,", "--parts", "b=2,a=3", "--gates=AllAlpha=true,AllBeta=true", "--gates=AllAlpha=F"];
  const parsed = parseFlags(command, args);
  if (!parsed.ok || parsed.value.type !== "run") throw new Error(JSON.stringify(parsed));
  const { parts, gates } = parsed.value.values;
  assert.equal(parts, [
    { pattern: "a", level: 1 },
    { pattern: "b", level: 2 },
    { pattern: "a", level: 3 },
  ]);
  assert.equal(
    [...gates],
    [
      ["AllAlpha", false],
      ["AllBeta", true],
    ],
  );
});

test("a gate is as it was asked for, else as its stage, else as ever", () => {
  const table: readonly [string, GateName, boolean][] = [
    ["", "LoggingAlphaOptions", false],
    ["", "LoggingBetaOptions", true],
    ["AllAlpha=true", "LoggingAlphaOptions", true],
    ["AllAlpha=true", "LoggingBetaOptions", true],
    ["AllBeta=false", "LoggingBetaOptions", false],
    ["AllBeta=false,LoggingBetaOptions=true", "LoggingBetaOptions", true],
    ["LoggingAlphaOptions=false,AllAlpha=true", "LoggingAlphaOptions", false],
    [" LoggingAlphaOptions = T ,", "LoggingAlphaOptions", true],
  ];
  for (const [text, name, expected] of table) {
    const gates = parseFeatureGates(text);
    assert.is(gates.ok && isEnabled(gates.value, name), expected, `${text}: ${name}`);
  }
});

test("--version is answered wherever it stands", () => {
  for (const args of [["--version"], ["x", "y", "z", "--version=true"]]) {
    const parsed = parseFlags(command, args);
    assert.is(parsed.ok && parsed.value.type, "version");
  }
});

test("help is asked for in many ways", () => {
  for (const args of [["--help"], ["--help=true"], ["-h"], ["-fh"], ["x", "y", "z", "-h", "--what"]]) {
    const parsed = parseFlags(command, args);
    assert.is(parsed.ok && parsed.value.type, "help", args.join(" "));
  }
});

test("help is as wide as it may be, and no narrower than it can be read", () => {
  const long = defineFlags({ a: { type: "string", default: "", help: "word ".repeat(60).trim(), section: "Long" } });
  const widest = (columns: number): number => {
    const parsed = parseFlags({ name: "x", summary: "", flags: long }, ["-h"]);
    if (!parsed.ok || parsed.value.type !== "help") throw new Error(JSON.stringify(parsed));
    return Math.max(
      ...parsed.value
        .text(columns)
        .split("\n")
        .map((line) => line.length),
    );
  };
  assert.equal(
    [widest(10), widest(80), widest(200)].map((width) => Math.ceil((width - 16) / 5)),
    [9, 13, 37],
  );
  assert.ok(widest(80) <= 80 && widest(200) <= 200);
});

test("help lists every flag under its section with its default", () => {
  const parsed = parseFlags(command, ["--help"]);
  if (!parsed.ok || parsed.value.type !== "help") throw new Error(JSON.stringify(parsed));
  const text = parsed.value.text(80);
  assert.match(text, /Node daemon flags:[\s\S]*--node-name string[\s\S]*--wait duration[\s\S]*\(default 1m30s\)/);
  assert.match(text, /Logging flags:\n\n {6}--gates mapStringBool\n[\s\S]* -v, --v int/);
});

test("durations are read and written as Go does", () => {
  const table: readonly [string, number | undefined][] = [
    ["5s", 5000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["250ms", 250],
    ["0", 0],
    ["-2s", -2000],
    ["5", undefined],
    ["s", undefined],
    ["1x", undefined],
    ["", undefined],
    ["1 s", undefined],
  ];
  for (const [text, milliseconds] of table) assert.is(parseDuration(text), milliseconds, text);
  for (const text of ["5s", "1m30s", "1h0m0s", "250ms", "0s", "10m0s"]) {
    assert.is(formatDuration(parseDuration(text) ?? Number.NaN), text);
  }
});

test("integers and booleans refuse what Go refuses", () => {
  for (const text of ["", " 1", "1.0", "0x", "08", "1__0", "9007199254740993"])
    assert.is(parseInteger(text), undefined, text);
  for (const text of ["", "yes", "TrUe", "2"]) assert.is(parseBool(text), undefined, text);
});

test("the closest word is named only when it is near", () => {
  assert.is(closest("instal", ["install", "inspect"]), "install");
  assert.is(closest("frobnicate", ["install", "inspect"]), undefined);
});

test.run();
