import { test } from "uvu";
import * as assert from "uvu/assert";
import { createLog } from "../../src/lib/observe/log.ts";

function capture(format: "text" | "json", verbosity = 0) {
  const lines: string[] = [];
  const now = () => Date.UTC(2026, 10, 22, 8, 5, 6, 789);
  const log = createLog({ format, verbosity, write: (line) => lines.push(line), now, pid: 42 });
  return { lines, log };
}

test("text lines have klog's header, a quoted message and quoted fields", () => {
  const { lines, log } = capture("text");
  log.named("store").info("Opened the store", { file: "/a b", count: 3, big: 12n });
  assert.equal(lines, ['I1122 08:05:06.789000      42 store] "Opened the store" file="/a b" count=3 big=12']);
});

test("JSON lines have ts, logger, msg, v, and err for errors", () => {
  const { lines, log } = capture("json");
  log.info("Started", { node: "n1" });
  log.error("Failed", { err: new Error("disk full") });
  assert.equal(
    lines.map((line) => JSON.parse(line)),
    [
      { ts: 1795334706789, logger: "nv-ipam", msg: "Started", v: 0, node: "n1" },
      { ts: 1795334706789, logger: "nv-ipam", msg: "Failed", err: "disk full" },
    ],
  );
});

test("one event is one line whatever its text holds", () => {
  const { lines, log } = capture("text");
  log.warning("two\nlines", { value: "a\nb\u0007" });
  assert.is(lines.length, 1);
  assert.ok([..."\n\u0007"].every((control) => !lines[0]?.includes(control)));
});

test("events above the verbosity are left out", () => {
  const { lines, log } = capture("text", 1);
  log.info("shown", {}, 1);
  log.info("left out", {}, 2);
  assert.is(lines.length, 1);
  assert.ok(log.enabled(1));
  assert.not.ok(log.enabled(2));
});

test("equal events are all written", () => {
  const { lines, log } = capture("text");
  for (let i = 0; i < 20; i++) log.info("again");
  assert.is(lines.length, 20);
});

test.run();
