/** The log of a whole daemon: what is not in it, and what becomes of the daemon when nobody reads. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { DaemonClient } from "../daemon_client.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

need("dist/nv-ipam");

const MANIFESTS = { "pools.json": ipPool("pool1", { subnet: "10.0.0.0/24", perNodeBlockSize: 100 }) };

const test = suite<{ daemon: StandaloneDaemon; directory: string }>("log of a daemon");
test.before.each((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "nv-ipam-log-"));
});
test.after.each(async ({ daemon, directory }) => {
  await daemon.remove();
  rmSync(directory, { recursive: true });
});

async function allocate(socket: string, count: number): Promise<void> {
  const client = new DaemonClient(`unix://${socket}`);
  for (let number = 0; number < count; number++) {
    await client.allocate({ pools: ["pool1"], container: `c${number}` });
    await client.deallocate({ pools: ["pool1"], container: `c${number}` });
  }
  client.close();
}

test("without -v a request leaves no line", async (context) => {
  const daemon = new StandaloneDaemon({ manifests: MANIFESTS });
  context.daemon = daemon;
  await daemon.start();
  await daemon.logged('"The plugin is in place"');
  const before = daemon.log;
  await allocate(daemon.socket, 20);
  assert.is(daemon.log, before);
  await daemon.end("SIGTERM");
  assert.match(daemon.log.slice(before.length), /^I.* standalone:0\] "Stopped"\n$/);
});

test("every line of the log has klog's layout, or is JSON with its keys", async (context) => {
  for (const flags of [["-v=4"], ["-v=4", "--logging-format=json"]]) {
    const daemon = new StandaloneDaemon({ manifests: MANIFESTS, flags });
    context.daemon = daemon;
    await daemon.start();
    await allocate(daemon.socket, 1);
    await daemon.end("SIGTERM");
    const lines = daemon.log.trimEnd().split("\n");
    assert.ok(lines.some((line) => line.includes('"Answered"')));
    for (const line of lines) {
      if (flags.length === 1) {
        assert.match(
          line,
          /^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} {1,7}\d+ [\w.-]+:\d+\] "(?:[^"\\]|\\.)*"(?: \w+=(?:"(?:[^"\\]|\\.)*"|[^" ]+))*$/,
        );
      } else {
        const { ts, caller, msg, v, err } = JSON.parse(line);
        assert.equal([typeof ts, typeof caller, typeof msg], ["number", "string", "string"]);
        assert.ok(typeof v === "number" || typeof err === "string", line);
      }
    }
    await daemon.remove();
  }
});

test("a daemon whose log is a full pipe that nobody reads serves, and ends in time", async (context) => {
  const fifo = join(context.directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const full = () => {
    for (;;) writeSync(reader, Buffer.alloc(4096));
  };
  assert.throws(full, /EAGAIN/);
  const log = openSync(fifo, constants.O_WRONLY);
  const daemon = new StandaloneDaemon({ manifests: MANIFESTS, flags: ["-v=4"], stderr: log });
  context.daemon = daemon;
  try {
    await daemon.start();
    await allocate(daemon.socket, 5);
    assert.is(await daemon.end("SIGTERM"), 0);
    assert.throws(full, /EAGAIN/);
  } finally {
    closeSync(log);
    closeSync(reader);
  }
});

test.run();
