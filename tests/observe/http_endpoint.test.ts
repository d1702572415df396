/** Probes and metrics over HTTP. */
import { connect } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseBindAddress, serveHttp } from "../../src/lib/observe/http_endpoint.ts";
import { readiness } from "../../src/lib/observe/readiness.ts";
import { serverOf } from "../server_of.ts";

const ADDRESSES: readonly [text: string, place: ReturnType<typeof parseBindAddress>][] = [
  [":8080", { host: undefined, port: 8080 }],
  ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }],
  ["localhost:0", { host: "localhost", port: 0 }],
  ["[::1]:8080", { host: "::1", port: 8080 }],
  ["8080", undefined],
  ["::1:8080", undefined],
  [":65536", undefined],
  ["127.0.0.1:", undefined],
  ["", undefined],
];
for (const [text, place] of ADDRESSES) {
  test(`${JSON.stringify(text)} is ${place === undefined ? "no address" : "an address"}`, () => {
    assert.equal(parseBindAddress(text), place);
  });
}

test("paths answer, others do not, and nothing is written to", async () => {
  const opened = await serveHttp("127.0.0.1:0", { "/healthz": () => ({ status: 200, body: "ok\n" }) });
  assert.ok(opened.ok);
  const url = `http://127.0.0.1:${opened.value.port}`;
  try {
    const answer = await fetch(`${url}/healthz?verbose`);
    assert.equal([answer.status, await answer.text()], [200, "ok\n"]);
    assert.is((await fetch(`${url}/toString`)).status, 404);
    assert.is((await fetch(`${url}/healthz`, { method: "POST" })).status, 405);
    const taken = await serveHttp(`127.0.0.1:${opened.value.port}`, {});
    assert.ok(!taken.ok && taken.error.includes("EADDRINUSE"));
  } finally {
    await opened.value.close();
  }
});

test("a connection that cannot be accepted is not the end of the process", async () => {
  const opened = await serveHttp("127.0.0.1:0", { "/healthz": () => ({ status: 200, body: "ok\n" }) });
  assert.ok(opened.ok);
  const url = `http://127.0.0.1:${opened.value.port}/healthz`;
  try {
    const server = await serverOf(() => fetch(url));
    server.emit("error", new Error("accept EMFILE"));
    assert.is((await fetch(url)).status, 200);
  } finally {
    await opened.value.close();
  }
});

test("a client that sends its request a byte at a time is cut off soon after five seconds", async () => {
  const opened = await serveHttp("127.0.0.1:0", {});
  assert.ok(opened.ok);
  const client = connect(opened.value.port, "127.0.0.1");
  const begun = performance.now();
  const trickle = setInterval(() => client.write("x"), 200);
  client.write("GET /healthz HTTP/1.1\r\nHost: ");
  // What comes after the end of the connection is of no interest.
  client.on("error", () => undefined).resume();
  const limit = setTimeout(() => client.destroy(new Error("it was not cut off")), 15_000);
  try {
    await new Promise((resolve) => client.once("close", resolve));
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds >= 4 && seconds < 10, `it was cut off after ${seconds} s`);
  } finally {
    clearTimeout(limit);
    clearInterval(trickle);
    await opened.value.close();
  }
});

test("R11 readiness names what is missing", () => {
  const checks = { caches: () => "nodes not read yet", webhook: () => undefined };
  assert.equal(readiness(checks), {
    status: 503,
    body: "[-]caches: nodes not read yet\n[+]webhook ok\nnot ready\n",
  });
  assert.is(readiness({ caches: () => undefined }).status, 200);
});

test.run();
