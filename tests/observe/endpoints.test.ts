/** The endpoints of a role: which are opened, what they answer, and what a client may cost. */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseFlags } from "../../src/lib/flags/flags.ts";
import { endpointFlags, openEndpoints } from "../../src/lib/observe/endpoints.ts";
import { type HttpEndpoint, type Routes, serveHttp } from "../../src/lib/observe/http_endpoint.ts";
import { createLog } from "../../src/lib/observe/log.ts";

const LIMIT_MS = 60_000;
const METRICS: Routes = { "/metrics": () => ({ status: 200, body: "a 1\n", type: "text/plain; version=0.0.4" }) };

/** Opens endpoints with these addresses; gives the addresses that they have then, by what they are for. */
async function opened(healthProbeAddress: string, metricsAddress: string, missing?: string) {
  const lines: string[] = [];
  const write = (line: string): number => lines.push(line);
  const log = createLog({ format: "json", verbosity: 0, write, now: () => 0, pid: 1 });
  const checks = { pools: () => missing };
  const result = await openEndpoints({ healthProbeAddress, checks, metricsAddress, metrics: METRICS, log });
  const addresses: Record<string, string> = {};
  for (const { for: what, address } of lines.map((line) => JSON.parse(line))) addresses[what] = address;
  return { result, addresses };
}

test("probes and metrics have an endpoint each, and 0 turns one off", async () => {
  const both = await opened("127.0.0.1:0", "127.0.0.1:0", "not read yet");
  assert.ok(both.result.ok);
  const { probes, metrics } = both.addresses;
  assert.is(await (await fetch(`http://${metrics}/metrics`)).text(), "a 1\n");
  assert.is((await fetch(`http://${metrics}/healthz`)).status, 404);
  assert.is((await fetch(`http://${probes}/healthz`)).status, 200);
  const ready = await fetch(`http://${probes}/readyz`);
  assert.equal([ready.status, await ready.text()], [503, "[-]pools: not read yet\nnot ready\n"]);
  await both.result.value();
  await assertRefused(probes);

  const one = await opened("0", "127.0.0.1:0");
  assert.ok(one.result.ok);
  assert.equal(Object.keys(one.addresses), ["metrics"]);
  await one.result.value();
});

test("an endpoint that cannot be had is named by its flag, and the other one is closed again", async () => {
  const first = await opened("127.0.0.1:0", "0");
  assert.ok(first.result.ok);
  const second = await opened("127.0.0.1:0", first.addresses.probes ?? "");
  assert.ok(!second.result.ok && /^--metrics-bind-address: .*EADDRINUSE/.test(second.result.error));
  await assertRefused(second.addresses.probes);
  await first.result.value();
});

test("flags refuse what is no address and say what is", () => {
  const command = { name: "x", summary: "", flags: endpointFlags("X", { probes: ":8081", metrics: "0" }) };
  const parsed = parseFlags(command, ["--metrics-bind-address=0"]);
  assert.ok(parsed.ok && parsed.value.type === "run");
  const { values } = parsed.value;
  assert.equal([values["health-probe-bind-address"], values["metrics-bind-address"]], [":8081", "0"]);
  const refused = parseFlags(command, ["--metrics-bind-address=8080"]);
  assert.ok(!refused.ok && refused.error.includes("write :8080 or 127.0.0.1:8080, or 0"));
});

async function withServer(routes: Routes, work: (server: HttpEndpoint) => Promise<void>): Promise<void> {
  const server = await serveHttp("127.0.0.1:0", routes);
  assert.ok(server.ok);
  try {
    await work(server.value);
  } finally {
    await server.value.close();
  }
}

test("a route that fails answers 500, and the server goes on", () => {
  const failing = {
    "/a": () => Promise.reject(new Error("a bug")),
    "/b": () => ({ status: 200, body: "b" }),
  };
  return withServer(failing, async ({ address }) => {
    const answer = await fetch(`http://${address}/a`);
    assert.equal([answer.status, await answer.text()], [500, "a bug\n"]);
    assert.is((await fetch(`http://${address}/b`)).status, 200);
  });
});

test("HEAD has no body, and other methods are refused without waiting for what they send", () =>
  withServer(METRICS, async ({ address }) => {
    const head = await fetch(`http://${address}/metrics`, { method: "HEAD" });
    assert.equal([head.headers.get("content-length"), await head.text()], ["4", ""]);
    const [host = "", port = ""] = address.split(":");
    const endless = request({ host, port, method: "POST", path: "/metrics", headers: { "content-length": 1e9 } });
    endless.write("x");
    const { statusCode, headers } = await answerTo(endless);
    assert.equal([statusCode, headers.allow, headers.connection], [405, "GET, HEAD", "close"]);
    endless.destroy();
  }));

test("headers have a limit", () =>
  withServer(METRICS, async ({ address }) => {
    const answer = await fetch(`http://${address}/metrics`, { headers: { long: "x".repeat(10_000) } });
    assert.is(answer.status, 431);
  }));

test("a connection on which nothing comes is cut", () =>
  withServer(METRICS, async ({ port }) => {
    const socket = connect({ host: "127.0.0.1", port });
    // The end comes behind an answer, that the time is up.
    socket.on("error", () => undefined).resume();
    socket.write("GET /metrics HTTP/1.1\r\nhost:");
    const closed = new Promise<string>((resolve) => socket.once("close", () => resolve("closed")));
    const limit = new AbortController();
    const waited = delay(LIMIT_MS, "still open", { signal: limit.signal }).catch(() => "");
    const outcome = await Promise.race([closed, waited]);
    limit.abort();
    socket.destroy();
    assert.is(outcome, "closed");
  }));

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    sent.once("error", reject);
  });
}

async function assertRefused(address: string | undefined): Promise<void> {
  const [host = "", port = ""] = (address ?? "").split(":");
  const socket = connect({ host, port: Number(port) });
  const outcome = await new Promise<string>((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", ({ message }) => resolve(message));
  });
  socket.destroy();
  assert.match(outcome, "ECONNREFUSED");
}

test.run();
