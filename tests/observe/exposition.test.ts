/** What a process shows to Prometheus, beside what its parts add. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Exposition, type Series } from "../../src/lib/observe/exposition.ts";
import { showWatches } from "../../src/lib/observe/watches.ts";

const BUILD = { version: "1.2.3", commit: "abc", date: "unknown" };

function lines(text: string, name: string): readonly string[] {
  return text.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
}

test("it shows the build and the process", async () => {
  const text = await new Exposition(BUILD).text();
  assert.equal(lines(text, "nvipam_build_info"), ['nvipam_build_info{version="1.2.3",commit="abc"} 1']);
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_start_time_seconds",
    "nodejs_heap_size_used_bytes",
    "nodejs_eventloop_active_seconds_total",
  ]) {
    const [line = ""] = lines(text, name);
    assert.ok(Number(line.split(" ")[1]) > 0, `${name}: ${line}`);
  }
});

test("values are read when they are asked for, and a series that is not there any more vanishes", async () => {
  const shown = new Exposition(BUILD);
  let pools: Series<"pool">[] = [
    [{ pool: "a" }, 1],
    [{ pool: 'b"\\' }, 2],
  ];
  let total = 5;
  shown.series({ name: "x_blocks", help: "Blocks", labelNames: ["pool"] }, () => pools);
  shown.total({ name: "x_total", help: "Things" }, () => total);
  const first = await shown.text();
  assert.equal(lines(first, "x_blocks"), ['x_blocks{pool="a"} 1', 'x_blocks{pool="b\\"\\\\"} 2']);
  assert.equal(lines(first, "x_total"), ["x_total 5"]);
  pools = pools.slice(0, 1);
  total = 7;
  const second = await shown.text();
  assert.equal(lines(second, "x_blocks"), ['x_blocks{pool="a"} 1']);
  assert.equal(lines(second, "x_total"), ["x_total 7"]);
});

test("watches are shown by resource", async () => {
  const shown = new Exposition(BUILD);
  const watch = { resource: "ippools", failures: 0, isUp: false };
  showWatches(shown, [watch]);
  assert.equal(lines(await shown.text(), "nvipam_watch_up"), ['nvipam_watch_up{resource="ippools"} 0']);
  Object.assign(watch, { failures: 3, isUp: true });
  const text = await shown.text();
  assert.equal(lines(text, "nvipam_watch_up"), ['nvipam_watch_up{resource="ippools"} 1']);
  assert.equal(lines(text, "nvipam_watch_restarts_total"), ['nvipam_watch_restarts_total{resource="ippools"} 3']);
});

test.run();
