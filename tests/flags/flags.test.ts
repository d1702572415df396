import { test } from "uvu";
import * as assert from "uvu/assert";
import { closest } from "../../src/lib/flags/closest.ts";
import { type Command, defineFlags, parseFlags } from "../../src/lib/flags/flags.ts";
import { formatDuration, parseBool, parseDuration, parseInteger } from "../../src/lib/flags/scalars.ts";

const flags = defineFlags({
  "node-name": { type: "string", default: "", help: "Name of the node.", section: "Node daemon" },
  v: { type: "int", default: 0, help: "Verbosity.", section: "Logging", short: "v" },
  wait: { type: "duration", default: 90_000, help: "How long.", section: "Node daemon" },
  force: { type: "bool", default: false, help: "Do it.", section: "Node daemon" },
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
  ["a boolean is read as Go reads it", ["x", "--force=F"], { force: false }],
  ["a value that the flag does not refuse is taken", ["x", "--times=2"], { times: 2 }],
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
  ["a name of Object.prototype is no flag", ["x", "--constructor=1"], /unknown flag --constructor/],
  ["a flag without its value is refused", ["x", "--node-name"], /--node-name needs a value/],
  ["a duration without a unit is refused", ["x", "--wait=5"], /--wait=5: this is no duration/],
  ["a number with letters is refused", ["x", "-v=two"], /--v=two: this is no whole number/],
  ["a boolean with another word is refused", ["x", "--force=yes"], /this is no boolean/],
  ["a value that the flag refuses is answered with its advice", ["x", "--times=0"], /^--times=0: use 1 or more$/],
  ["a missing argument is refused", [], /missing required args/],
  ["an argument too many is refused", ["x", "y", "z"], /Unused args: `z`/],
];
for (const [name, args, message] of refused) {
  test(name, () => {
    const parsed = parseFlags(command, args);
    if (parsed.ok) throw new Error("was accepted");
    assert.match(parsed.error, message);
  });
}

test("help lists every flag under its section with its default", () => {
  const parsed = parseFlags(command, ["--help"]);
  if (!parsed.ok || parsed.value.type !== "help") throw new Error(JSON.stringify(parsed));
  const text = parsed.value.text(80);
  assert.match(text, /Node daemon flags:[\s\S]*--node-name string[\s\S]*--wait duration[\s\S]*\(default 1m30s\)/);
  assert.match(text, /Logging flags:\s+-v, --v int/);
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
