import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatLine, isLogged, isLogLevel, type LogLevel } from "../../src/lib/cni/log.ts";
import { CONFIG, status, tell, WELL } from "./_plugin.ts";

const LEVELS: readonly LogLevel[] = ["panic", "error", "warning", "info", "debug", "verbose"];
const TIME = Date.parse("2026-11-22T07:52:03.123Z");

function leveled(logLevel: string, more: object = {}): object {
  return { ...CONFIG, ipam: { ...CONFIG.ipam, logFile: "/l", logLevel }, ...more };
}

test("the original's levels are known, and no others", () => {
  assert.equal(LEVELS.filter(isLogLevel), LEVELS);
  for (const text of ["", "INFO", "warn", "trace", "toString"]) assert.is(isLogLevel(text), false);
});

test("a level lets through what is as urgent or more", () => {
  for (const [index, level] of LEVELS.entries()) {
    assert.equal(
      LEVELS.filter((other) => isLogged(other, level)),
      LEVELS.slice(0, index + 1),
    );
  }
});

test("a line has time, level, event and fields", () => {
  const fields = { container: "c1", pools: ["a", "b"], ms: 12, absent: undefined, empty: "" };
  assert.is(
    formatLine(TIME, "info", "ADD", fields),
    '2026-11-22T07:52:03.123Z [info] ADD container=c1 pools=a,b ms=12 empty=""\n',
  );
});

const AWKWARD: readonly (readonly [value: string, shown: string])[] = [
  ["a b", '"a b"'],
  ["a=b", '"a=b"'],
  ['a"b', '"a\\"b"'],
  ["a\\b", '"a\\\\b"'],
  ["a\nb", '"a\\nb"'],
  ["a\u001b[31mb", '"a\\u001b[31mb"'],
  ["a\u007f\u0085\u2028b", '"a\\u007f\\u0085\\u2028b"'],
  ["\ud800", '"\\ud800"'],
  ["a\u061cb\u200b\u200eb\u200f", '"a\\u061cb\\u200b\\u200eb\\u200f"'],
  ["a\u202a\u202eb\u2060\u2066\u2069\ufeff", '"a\\u202a\\u202eb\\u2060\\u2066\\u2069\\ufeff"'],
  ["\u200a\u2010\u2027\u202f\u205f\u206a", '"\u200a\u2010\u2027\u202f\u205f\u206a"'],
  ["ä", '"ä"'],
];

for (const [value, shown] of AWKWARD) {
  test(`the value ${shown} is quoted and stays on its line`, () => {
    assert.is(formatLine(TIME, "info", "E", { f: value }), `2026-11-22T07:52:03.123Z [info] E f=${shown}\n`);
  });
}

test("a long value is cut", () => {
  assert.ok(formatLine(TIME, "info", "E", { f: "x".repeat(1_000_000) }).length < 1100);
});

test("ADD and DEL are one line each at info, with all that one looks for", async () => {
  const added = await tell({ config: leveled("info") });
  assert.equal(added.log, [
    "/l: 2026-11-22T08:00:00.015Z [info] ADD network=net-a container=c1 ifname=net1 pod=default/pod-c1 poolType=ippool pools=pool1 addresses=192.168.0.2/16 ms=5 totalMs=45 cpuMs=40\n",
  ]);
  const deleted = await tell({ command: "DEL", config: leveled("info"), args: "" });
  assert.equal(deleted.log, [
    "/l: 2026-11-22T08:00:00.015Z [info] DEL network=net-a container=c1 ifname=net1 poolType=ippool pools=pool1 ms=5 totalMs=45 cpuMs=40\n",
  ]);
});

test("a failure is an error with its code, for each command", async () => {
  for (const command of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) {
    const config = leveled("error", { "cni.dev/valid-attachments": [] });
    const down = { type: "connect", status: 14, message: "connect /x: no such file" } as const;
    const answers = Object.fromEntries(Object.keys(WELL).map((method) => [method, down]));
    const { log } = await tell({ command, config, answers });
    assert.is(log.length, 1);
    assert.match(log[0] ?? "", `[error] ${command} failed network=net-a`);
    assert.match(log[0] ?? "", "connect /x: no such file");
  }
});

test("CHECK and STATUS are repeated all the time and only shown at debug", async () => {
  for (const command of ["CHECK", "STATUS"]) {
    assert.equal((await tell({ command, config: leveled("info") })).log, []);
    assert.match((await tell({ command, config: leveled("debug") })).log.join(""), `[debug] ${command} network=`);
  }
});

test("each level shows at least what the one before it shows", async () => {
  const counts = await Promise.all(LEVELS.map(async (level) => (await tell({ config: leveled(level) })).log.length));
  assert.equal(counts, [0, 0, 0, 1, 2, 3]);
});

test("what the log shows of a failure is one line, whatever the daemon says", async () => {
  const { log } = await tell({ config: leveled("info"), answers: { Allocate: status(13, "a\nb [info] ADD\u0000") } });
  assert.is(log.length, 1);
  assert.is(log[0]?.split("\n").length, 2);
});

test("the network config is never shown whole", async () => {
  const config = leveled("verbose", {
    password: "hunter2",
    prevResult: { secret: "hunter2" },
    args: { cni: { x: "hunter2" } },
  });
  for (const command of ["ADD", "DEL", "CHECK"]) {
    assert.not.match((await tell({ command, config })).log.join(""), "hunter2");
  }
});

test.run();
