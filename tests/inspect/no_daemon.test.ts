/** The command where no daemon answers, or what answers is none. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { EXECUTABLE } from "../plugin.ts";
import { type Outcome, runProgram } from "../program.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

need("dist/nv-ipam");

const test = suite("inspect without a daemon");
const daemon = new StandaloneDaemon({
  manifests: { "a.json": ipPool("pool1", { subnet: "10.0.0.0/24", perNodeBlockSize: 8 }) },
});
test.before(async () => {
  await daemon.start();
  const added = await daemon.cni({ command: "ADD", container: "c1", config: { ipam: { poolName: "pool1" } } });
  assert.is(added.exit, 0, added.stdout);
  // It leaves its own files, not the original's.
  await daemon.end("SIGKILL");
});
test.after(() => daemon.remove());

function inspect(...args: readonly string[]): Promise<Outcome> {
  const places = [`--daemon-socket=unix://${daemon.socket}`, `--store-file=${daemon.store}`];
  return runProgram(EXECUTABLE, ["inspect", ...places, ...args]);
}

async function answering(server: Server | Http2Server, path: string, work: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await work();
  } finally {
    server.close();
  }
}

test("what answers garbage instead of a daemon is an error, and the store is not shown for it", async () => {
  const path = join(daemon.directory, "garbage.sock");
  const garbage = createServer((socket) => socket.on("error", () => undefined).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await answering(garbage, path, async () => {
    const { exit, stdout, stderr } = await inspect("pools", `--daemon-socket=unix://${path}`);
    assert.equal([exit, stdout], [1, ""]);
    assert.match(stderr, /^nv-ipam inspect: .*garbage\.sock.*\n$/);
  });
});

/** A gRPC server that answers every call with these bytes and this status. */
function server(message: readonly number[], status: string, words = ""): Http2Server {
  const made = createHttp2Server();
  made.on("stream", (stream) => {
    const trailers = { "grpc-status": status, ...(words !== "" && { "grpc-message": words }) };
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("error", () => undefined).on("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(Buffer.from(message));
  });
  return made;
}

const OTHERS: readonly [what: string, server: Http2Server, message: RegExp][] = [
  [
    "the original's daemon",
    server([], "12", "unknown service nvipam.daemon.v1.DaemonService"),
    /what listens at unix:\S+\.sock is no daemon of this program \(perhaps it is the original's\): give --store-file or --kubec/,
  ],
  ["a server that refuses", server([], "8", "too much"), /unix:\S+\.sock: too much$/],
  [
    "a server whose answers are no messages",
    server([0, 0, 0, 0, 3, 255, 255, 255], "0"),
    /unix:\S+\.sock: the answer to ListPools cannot be read: /,
  ],
];
for (const [what, other, message] of OTHERS) {
  test(`${what} is named with its socket, and the store is not shown for it`, async () => {
    const path = join(daemon.directory, "other.sock");
    await answering(other, path, async () => {
      const { exit, stdout, stderr } = await inspect("pools", `--daemon-socket=unix://${path}`);
      assert.equal([exit, stdout, stderr.split("\n").length], [1, "", 2]);
      assert.match(stderr.trim(), message);
    });
  });
}

test("what would move a terminal's cursor is shown as its escape in messages too", async () => {
  const { exit, stderr } = await runProgram(EXECUTABLE, ["inspect", "pools", "--store-file=/nowhere/\u001b[31mred"]);
  assert.equal([exit, stderr], [1, "nv-ipam inspect: there is no store at /nowhere/\\u001b[31mred\n"]);
  const wrong = await runProgram(EXECUTABLE, ["inspect", "\u009b31mpolls"]);
  assert.equal([wrong.exit, wrong.stderr.split(":", 2)], [2, ["nv-ipam inspect", " \\u009b31mpolls"]]);
});

test("a daemon that does not answer is an error after ten seconds", async () => {
  const path = join(daemon.directory, "silent.sock");
  const silent = createServer((socket) => socket.on("error", () => undefined).resume());
  await answering(silent, path, async () => {
    const { exit, stderr } = await inspect("reservations", `--daemon-socket=unix://${path}`);
    assert.is(exit, 1);
    assert.match(stderr, /did not answer within 10 s/);
  });
});

test("check finds that no daemon answers, unless only the store was asked about", async () => {
  const { exit, stdout } = await inspect("check", "-o", "json");
  const [finding, ...more] = JSON.parse(stdout).items;
  assert.equal([exit, finding.severity, finding.reason, more], [1, "error", "NotServing", []]);
  assert.match(finding.message, new RegExp(`^no daemon answers: connect unix://${daemon.socket}: .*running\\?$`));
  const offline = await runProgram(EXECUTABLE, ["inspect", "check", `--store-file=${daemon.store}`]);
  assert.equal([offline.exit, offline.stdout], [0, "nothing wrong found\n"]);
});

test("without a daemon a damaged store is an error that check finds", async () => {
  for (const name of readdirSync(dirname(daemon.store)).filter((file) => /snapshot|journal/.test(file))) {
    const path = join(dirname(daemon.store), name);
    const bytes = readFileSync(path);
    bytes.fill("!", 10, 40);
    writeFileSync(path, bytes);
  }
  const { exit, stdout } = await inspect("check", "-o", "json");
  assert.is(exit, 1);
  const [, finding] = JSON.parse(stdout).items;
  assert.equal([finding.severity, finding.reason], ["error", "NotServing"]);
  assert.match(finding.message, `the store ${daemon.store} is damaged; nv-ipam store repair mends it`);
});

test("without a daemon and a store both are told", async () => {
  const { exit, stdout, stderr } = await inspect("pools", "--store-file=/nonexistent/store");
  assert.equal([exit, stdout], [1, ""]);
  assert.match(stderr, daemon.socket);
  assert.match(stderr, "there is no store at /nonexistent/store");
});

test.run();
