import { test } from "uvu";
import * as assert from "uvu/assert";
import { createLog, type LogOptions } from "../../src/lib/observe/log.ts";

function capture(format: "text" | "json", options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const now = () => new Date(2026, 10, 22, 8, 5, 6, 789).getTime();
  const write = (line: string) => lines.push(line);
  const log = createLog({ format, role: "controller", verbosity: 0, write, now, pid: 42, ...options });
  return { lines, log, ts: now() };
}

test("text lines have klog's header in local time, a quoted message and quoted fields", () => {
  const { lines, log } = capture("text");
  log.named("store").info("Opened the store", { file: "/a b", count: 3, big: 12n });
  assert.equal(lines, [
    'I1122 08:05:06.789000      42 store:0] "Opened the store" logger="store" file="/a b" count=3 big="12"',
  ]);
});

test("what belongs to no part bears the role", () => {
  const { lines, log } = capture("text");
  log.warning("Odd", { of: ["a", "<b>"] });
  assert.equal(lines, ['W1122 08:05:06.789000      42 controller:0] "Odd" of=["a","\\u003cb\\u003e"]']);
});

test("the err of an error comes first in text and last in JSON", () => {
  const fields = { file: "f", err: new Error("disk full") };
  const { lines, log } = capture("text");
  log.named("store").error("Failed", fields);
  assert.match(lines[0] ?? "", /^E.* store:0\] "Failed" err="disk full" logger="store" file="f"$/);
  const json = capture("json");
  json.log.named("store").error("Failed", fields);
  const expected = `{"ts":${json.ts},"logger":"store","caller":"store:0","msg":"Failed","file":"f","err":"disk full"}`;
  assert.equal(json.lines, [expected]);
});

test("JSON lines have ts, caller, msg and v; a warning is marked", () => {
  const { lines, log, ts } = capture("json", { verbosity: 2 });
  log.info("Started", { node: "n1" }, 2);
  log.warning("Odd");
  assert.equal(lines, [
    `{"ts":${ts},"caller":"controller:0","msg":"Started","v":2,"node":"n1"}`,
    `{"ts":${ts},"caller":"controller:0","msg":"Odd","v":0,"severity":"warning"}`,
  ]);
});

test("a part of a part has both names", () => {
  const { lines, log } = capture("text");
  log.named("kube").named("watch").info("Began");
  assert.match(lines[0] ?? "", /kube\.watch:0\] "Began" logger="kube\.watch"$/);
});

/** Line ends, terminal commands, marks that turn text around: what could make one event look like another. */
const HOSTILE = 'a\r\nE1122 00:00:00.000000 1 x:0] "faked"\t\u001b[2J\u0007\u007f\u009b31m\u2028\u202e\u{e0001}\ud800';
for (const format of ["text", "json"] as const) {
  test(`one event is one line of printable characters in ${format}, whatever its values hold`, () => {
    const { lines, log } = capture(format);
    log.warning(HOSTILE, { value: HOSTILE, err: new Error(HOSTILE), list: [HOSTILE], map: { [HOSTILE]: HOSTILE } });
    assert.is(lines.length, 1);
    assert.match(lines[0] ?? "", /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u);
  });
}

test("a JSON line gives back every character of a value", () => {
  const { lines, log } = capture("json");
  log.info("x", { value: HOSTILE });
  assert.is(JSON.parse(lines[0] ?? "").value, HOSTILE);
});

test("a value that cannot be written costs the value, not the line", () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  const hostile = {
    toJSON() {
      throw new Error("no");
    },
  };
  for (const format of ["text", "json"] as const) {
    const { lines, log } = capture(format);
    log.info("x", { loop, hostile, nested: { error: new Error("inner"), big: 2n ** 64n }, nothing: undefined });
    assert.match(lines[0] ?? "", "internal error: no");
    assert.match(lines[0] ?? "", '{"error":"inner","big":"18446744073709551616"}');
    assert.not.match(lines[0] ?? "", "nothing");
  }
});

test("events above the verbosity are left out", () => {
  const { lines, log } = capture("text", { verbosity: 1 });
  log.info("shown", {}, 1);
  log.info("left out", {}, 2);
  assert.is(lines.length, 1);
  assert.ok(log.enabled(1));
  assert.not.ok(log.enabled(2));
});

test("--vmodule opens single parts further, never less than -v", () => {
  const modules = [
    { pattern: "st*", level: 4 },
    { pattern: "store", level: 9 },
    { pattern: "controller", level: 2 },
    { pattern: "quiet", level: 0 },
  ];
  const { log } = capture("text", { verbosity: 1, modules });
  const open = (name: string): number => {
    const part = name === "" ? log : log.named(name);
    return Math.max(...Array.from({ length: 12 }, (_, level) => (part.enabled(level) ? level : 0)));
  };
  assert.equal(["store", "", "quiet", "other"].map(open), [4, 2, 1, 1]);
});

test("equal events are all written", () => {
  const { lines, log } = capture("text");
  for (let i = 0; i < 20; i++) log.info("again");
  assert.is(lines.length, 20);
});

test.run();
