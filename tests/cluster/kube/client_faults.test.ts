/** The client against servers that refuse, stall, and break off, and whose certificates and tokens change. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createProxy } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KubeClient } from "../../../src/lib/kube/client.ts";
import { Connection } from "../../../src/lib/kube/connection.ts";
import type { KubeErrorCode } from "../../../src/lib/kube/error.ts";
import { FakeClock } from "../../fake_clock.ts";
import { makeCertificate } from "../_certificates.ts";
import { drop, type Fault, FaultServer, json, object, page, stall, status, stream } from "../_fault_server.ts";

const THINGS = { group: "example.com", version: "v1", plural: "things" };
const A = { namespace: "default", name: "a" };

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-client-"));
const test = suite("client faults");
test.after(() => rmSync(directory, { recursive: true, force: true }));

async function withServer(script: readonly Fault[], body: (faults: FaultServer) => Promise<void>): Promise<void> {
  const faults = await FaultServer.start(...script);
  try {
    await body(faults);
  } finally {
    await faults.stop();
  }
}

const ANSWERS: readonly (readonly [name: string, fault: Fault, code: KubeErrorCode, status: number, reason: string])[] =
  [
    ["400", status(400, "BadRequest"), "invalid", 400, "BadRequest"],
    ["401", status(401, "Unauthorized"), "unauthorized", 401, "Unauthorized"],
    ["403", status(403, "Forbidden"), "forbidden", 403, "Forbidden"],
    ["404", status(404, "NotFound"), "notFound", 404, "NotFound"],
    ["405", status(405, "MethodNotAllowed"), "refused", 405, "MethodNotAllowed"],
    ["409 of a version", status(409, "Conflict"), "conflict", 409, "Conflict"],
    ["409 of a name", status(409, "AlreadyExists"), "alreadyExists", 409, "AlreadyExists"],
    ["410", status(410, "Expired"), "gone", 410, "Expired"],
    ["422", status(422, "Invalid"), "invalid", 422, "Invalid"],
    ["429", status(429, "TooManyRequests"), "throttled", 429, "TooManyRequests"],
    ["500", status(500, "InternalError"), "server", 500, "InternalError"],
    ["503 of a proxy", (answer) => answer.writeHead(503).end("<html>upstream\n</html>"), "server", 503, ""],
    ["a dropped connection", drop, "unreachable", 0, ""],
    ["half an object", (answer) => answer.writeHead(200).end('{"metadata":'), "malformed", 0, ""],
    ["a number", json(7), "malformed", 0, ""],
    ["nothing", (answer) => answer.writeHead(200).end(), "malformed", 0, ""],
    ["less than was announced", cutBody, "unreachable", 0, ""],
  ];

function cutBody(answer: Parameters<Fault>[0]): void {
  answer.writeHead(200, { "content-length": "100" });
  answer.write("{", () => answer.socket?.destroy());
}

for (const [name, fault, code, http, reason] of ANSWERS) {
  test(`an answer of ${name} is the error ${code}, which names the call`, async () => {
    await withServer([fault], async (faults) => {
      const got = await faults.client().get(THINGS, A);
      assert.not.ok(got.ok);
      if (got.ok) return;
      assert.equal([got.error.code, got.error.status, got.error.reason], [code, http, reason]);
      assert.match(got.error.message, "GET /apis/example.com/v1/namespaces/default/things/a: ");
      assert.is(faults.asked.length, 1, "nothing is sent twice on the quiet");
    });
  });
}

test("the wait that the server asks for is read from Retry-After, and else from the Status", async () => {
  const inStatus = json({ kind: "Status", code: 429, details: { retryAfterSeconds: 7 } }, 429);
  const script = [status(429, "TooManyRequests", { "retry-after": "3" }), inStatus, status(500, "InternalError")];
  await withServer(script, async (faults) => {
    const client = faults.client();
    const waits: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      const got = await client.get(THINGS, A);
      waits.push(got.ok ? "" : got.error.retryAfterMs);
    }
    assert.equal(waits, [3000, 7000, undefined]);
  });
});

for (const [name, fault] of [
  ["before the answer", stall],
  ["in the midst of it", (answer) => answer.writeHead(200).write("{")],
] as readonly (readonly [string, Fault])[]) {
  test(`a server that falls silent ${name} is unreachable when the time is over`, async () => {
    await withServer([fault], async (faults) => {
      const got = await faults.client().get(THINGS, A, { timeoutMs: 50 });
      assert.match(got.ok ? "" : `${got.error.code} ${got.error.message}`, /^unreachable .*no answer within 50 ms/);
    });
  });

  test(`a call that waits ${name} ends when its signal is aborted`, async () => {
    await withServer([fault], async (faults) => {
      const abort = new AbortController();
      const call = faults.client().get(THINGS, A, { signal: abort.signal });
      await faults.untilAsked(1);
      abort.abort();
      const got = await call;
      assert.is(got.ok ? "" : got.error.code, "aborted");
    });
  });
}

test("a call whose signal was aborted before is not sent", async () => {
  await withServer([], async (faults) => {
    const got = await faults.client().get(THINGS, A, { signal: AbortSignal.abort() });
    assert.is(got.ok ? "" : got.error.code, "aborted");
    assert.is(faults.asked.length, 0);
  });
});

test("a server that nobody listens for is unreachable", async () => {
  const faults = await FaultServer.start();
  const config = faults.config();
  await faults.stop();
  const client = new KubeClient(new Connection(config, { userAgent: "test" }));
  const got = await client.get(THINGS, A);
  assert.match(got.ok ? "" : `${got.error.code} ${got.error.message}`, /^unreachable .*ECONNREFUSED/);
  await client.close();
});

test("calls one after another share connections", async () => {
  await withServer([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    const client = faults.client();
    for (let i = 0; i < 20; i++) assert.ok((await client.get(THINGS, A)).ok);
    assert.ok(faults.connections <= 2, `${faults.connections} connections`);
  });
});

test("paths, queries, bodies and media types are those of the API", async () => {
  await withServer([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    const client = faults.client();
    await client.create(THINGS, "ns", { a: 1 });
    await client.put(THINGS, A, { a: 2 }, { subresource: "status" });
    await client.patch({ group: "", version: "v1", plural: "nodes" }, { name: "n/1" }, { a: 3 }, { type: "merge" });
    await client.delete(THINGS, A, { preconditions: { uid: "u" } });
    faults.script.push(page("1", []));
    await client.list(THINGS, { limit: 5, continue: "x", labelSelector: "a=b" });
    const said = faults.asked.map(({ method, url, body, headers }) => [
      `${method} ${url.pathname}${url.search}`,
      body,
      headers["content-type"],
    ]);
    const deletion = '{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u"}}';
    assert.equal(said, [
      ["POST /apis/example.com/v1/namespaces/ns/things", '{"a":1}', "application/json"],
      ["PUT /apis/example.com/v1/namespaces/default/things/a/status", '{"a":2}', "application/json"],
      ["PATCH /api/v1/nodes/n%2F1", '{"a":3}', "application/merge-patch+json"],
      ["DELETE /apis/example.com/v1/namespaces/default/things/a", deletion, "application/json"],
      ["GET /apis/example.com/v1/things?labelSelector=a%3Db&limit=5&continue=x", "", undefined],
    ]);
  });
});

function tokenConfig(faults: FaultServer, file: string): KubeConfig {
  const config = faults.config();
  Object.assign(config.getCurrentUser() ?? {}, { authProvider: { name: "tokenFile", config: { tokenFile: file } } });
  return config;
}

function bearer(faults: FaultServer): readonly unknown[] {
  return faults.asked.map(({ headers }) => headers.authorization);
}

test("a token file is read again when its time is over, without its line's end", async () => {
  const file = join(directory, "token-1");
  const clock = new FakeClock();
  await withServer([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    writeFileSync(file, "one\n");
    const client = faults.client({ clock, credentialsMs: 10_000 }, tokenConfig(faults, file));
    await client.get(THINGS, A);
    writeFileSync(file, "two\n");
    await client.get(THINGS, A);
    clock.jump(10_000);
    await client.get(THINGS, A);
    assert.equal(bearer(faults), ["Bearer one", "Bearer one", "Bearer two"]);
  });
});

test("a token that is refused is read again at once, and the call sent once more", async () => {
  const file = join(directory, "token-2");
  const refusing: Fault = (answer, { headers }) =>
    (headers.authorization === "Bearer new" ? json(object("a", "1")) : status(401, "Unauthorized"))(
      answer,
      {} as never,
    );
  await withServer([], async (faults) => {
    faults.otherwise = refusing;
    writeFileSync(file, "old");
    const client = faults.client({}, tokenConfig(faults, file));
    const before = await client.get(THINGS, A);
    assert.is(before.ok ? "" : before.error.code, "unauthorized");
    writeFileSync(file, "new");
    assert.ok((await client.get(THINGS, A)).ok);
    assert.equal(bearer(faults), ["Bearer old", "Bearer old", "Bearer new"]);
  });
});

test("a token file that is missing is an error that names it, and no call is sent without a token", async () => {
  await withServer([], async (faults) => {
    const client = faults.client({}, tokenConfig(faults, join(directory, "missing")));
    const got = await client.get(THINGS, A);
    assert.match(got.ok ? "" : `${got.error.code} ${got.error.message}`, /^credentials .*missing/);
    assert.is(faults.asked.length, 0);
  });
});

/** An HTTPS server that answers every request with an object. */
async function secureServer(
  name: string,
): Promise<{ readonly server: Server; readonly url: string; readonly ca: string }> {
  const { cert, key, certFile } = makeCertificate(directory, name);
  const server = createServer({ cert, key }, (_, answer) => answer.end(JSON.stringify(object("a", "1"))));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: certFile };
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

test("a certificate authority that changes is trusted with new connections, and the former is not any more", async () => {
  const { server, url } = await secureServer("first");
  const second = makeCertificate(directory, "second");
  const caFile = join(directory, "ca.crt");
  writeFileSync(caFile, makeCertificate(directory, "stranger").cert);
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: "c", server: url, caFile, skipTLSVerify: false }, { name: "u" });
  const clock = new FakeClock();
  const client = new KubeClient(new Connection(config, { userAgent: "test", clock }));
  const codes: string[] = [];
  const ask = async (): Promise<void> => {
    const got = await client.get(THINGS, A);
    codes.push(got.ok ? "ok" : got.error.code);
    clock.jump(10_000);
  };
  await ask();
  server.setSecureContext({ cert: second.cert, key: second.key });
  writeFileSync(caFile, second.cert);
  await ask();
  writeFileSync(caFile, makeCertificate(directory, "third").cert);
  await ask();
  await client.close();
  await end(server);
  assert.equal(codes, ["unreachable", "ok", "unreachable"]);
});

test("a client certificate that changes is shown on new connections", async () => {
  const { cert, key, certFile: caFile } = makeCertificate(directory, "server");
  const seen: string[] = [];
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false }, (question, answer) => {
    seen.push(String((question.socket as TLSSocket).getPeerCertificate().subject.CN));
    answer.end(JSON.stringify(object("a", "1")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const [certFile, keyFile] = [join(directory, "client.crt"), join(directory, "client.key")];
  const use = (name: string): void => {
    const made = makeCertificate(directory, name);
    writeFileSync(certFile, made.cert);
    writeFileSync(keyFile, made.key);
  };
  use("alice");
  const config = new KubeConfig();
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser(
    { name: "c", server: url, caFile, skipTLSVerify: false },
    { name: "u", certFile, keyFile },
  );
  const clock = new FakeClock();
  const client = new KubeClient(new Connection(config, { userAgent: "test", clock }));
  assert.ok((await client.get(THINGS, A)).ok);
  use("bob");
  clock.jump(10_000);
  assert.ok((await client.get(THINGS, A)).ok);
  await client.close();
  await end(server);
  assert.equal(seen, ["alice", "bob"]);
});

test("a server behind a path is asked below it", async () => {
  await withServer([json(object("a", "1"))], async (faults) => {
    const config = faults.config();
    Object.assign(config.getCurrentCluster() ?? {}, { server: `${faults.url}/k8s/clusters/c-1/` });
    assert.ok((await faults.client({}, config).get(THINGS, A)).ok);
    assert.is(faults.asked[0]?.url.pathname, "/k8s/clusters/c-1/apis/example.com/v1/namespaces/default/things/a");
  });
});

test("a cluster's proxy-url is the way to its server", async () => {
  const { server, url, ca } = await secureServer("proxied");
  const tunnels: string[] = [];
  const proxy = createProxy();
  proxy.on("connect", ({ url: to = "" }, near) => {
    tunnels.push(to);
    const far = connect(Number(to.split(":")[1]), "127.0.0.1", () => {
      near.write("HTTP/1.1 200 OK\r\n\r\n");
      far.pipe(near);
      near.pipe(far);
    });
    near.on("error", () => far.destroy());
    far.on("error", () => near.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: "c", server: url, caFile: ca, skipTLSVerify: false, proxyUrl }, { name: "u" });
  const client = new KubeClient(new Connection(config, { userAgent: "test" }));
  assert.ok((await client.get(THINGS, A)).ok);
  await client.close();
  proxy.closeAllConnections();
  proxy.close();
  await end(server);
  assert.equal(tunnels, [url.replace("https://", "")]);
});

test("R13 a server's certificate that only NODE_EXTRA_CA_CERTS vouches for is not trusted", async () => {
  const { server, url, ca } = await secureServer("extra");
  const script = `
    const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
    const { Connection } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/lib/kube/connection.ts"))});
    const { KubeClient } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/lib/kube/client.ts"))});
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "c", server: "${url}", caFile: process.argv[1] }, { name: "u" });
    const client = new KubeClient(new Connection(config, { userAgent: "test" }));
    const got = await client.raw("/");
    console.log(got.ok ? "trusted" : got.error.code);
    await client.close();`;
  const run = (...args: readonly string[]): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { env: { ...process.env, NODE_EXTRA_CA_CERTS: ca }, cwd: join(import.meta.dirname, "../../..") };
      const flags = ["--input-type=module", "-e", script, ...args];
      execFile(process.execPath, flags, options, (error, stdout) => (error ? reject(error) : resolve(stdout.trim())));
    });
  assert.is(await run(ca), "trusted");
  assert.is(await run(), "unreachable");
  await end(server);
});

test("a closed client fails its calls, and ends its watches", async () => {
  await withServer([stream("open")], async (faults) => {
    const client = faults.client();
    const signal = new AbortController().signal;
    const watch = client.watch(THINGS, { silenceMs: 60_000, signal, onEvent: () => undefined });
    await faults.untilAsked(1);
    await client.close();
    const ended = await watch;
    assert.is(ended.ok ? "" : ended.error.code, "unreachable");
    const got = await client.get(THINGS, A);
    assert.match(got.ok ? "" : got.error.message, /the client is closed/);
  });
});

test.run();
