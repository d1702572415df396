/** The client against servers that refuse, stall and break off. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KubeClient } from "../../../src/lib/kube/client.ts";
import { Connection } from "../../../src/lib/kube/connection.ts";
import type { KubeErrorCode } from "../../../src/lib/kube/error.ts";
import {
  drop,
  type Fault,
  FaultServer,
  json,
  object,
  page,
  stall,
  status,
  stream,
  withFaults,
} from "../_fault_server.ts";

const THINGS = { group: "example.com", version: "v1", plural: "things" };
const A = { namespace: "default", name: "a" };

const test = suite("client faults");

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
    await withFaults([fault], async (faults) => {
      const got = await faults.client().get(THINGS, A);
      assert.not.ok(got.ok);
      if (got.ok) return;
      assert.equal([got.error.code, got.error.status, got.error.reason], [code, http, reason]);
      assert.match(got.error.message, "GET /apis/example.com/v1/namespaces/default/things/a: ");
      assert.is(faults.asked.length, 1, "nothing is sent twice on the quiet");
    });
  });
}

test("an error names the call without its query", async () => {
  await withFaults([status(500, "InternalError")], async (faults) => {
    const got = await faults.client().list(THINGS, { namespace: "default", labelSelector: "a=b", limit: 5 });
    assert.match(got.ok ? "" : got.error.message, /^GET \/apis\/example\.com\/v1\/namespaces\/default\/things: /);
  });
});

test("the wait that the server asks for is read from Retry-After, and else from the Status", async () => {
  const inStatus = json({ kind: "Status", code: 429, details: { retryAfterSeconds: 7 } }, 429);
  const script = [status(429, "TooManyRequests", { "retry-after": "3" }), inStatus, status(500, "InternalError")];
  await withFaults(script, async (faults) => {
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
    await withFaults([fault], async (faults) => {
      const got = await faults.client().get(THINGS, A, { timeoutMs: 50 });
      assert.match(got.ok ? "" : `${got.error.code} ${got.error.message}`, /^unreachable .*no answer within 50 ms/);
    });
  });

  test(`a call that waits ${name} ends when its signal is aborted`, async () => {
    await withFaults([fault], async (faults) => {
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
  await withFaults([], async (faults) => {
    const got = await faults.client().get(THINGS, A, { signal: AbortSignal.abort() });
    assert.is(got.ok ? "" : got.error.code, "aborted");
    assert.is(faults.asked.length, 0);
  });
});

test("a server that nobody listens for is unreachable", async () => {
  const faults = await FaultServer.start();
  const config = faults.config();
  // A name with several addresses, each of which is tried.
  Object.assign(config.getCurrentCluster() ?? {}, { server: faults.url.replace("127.0.0.1", "localhost") });
  await faults.stop();
  const client = new KubeClient(new Connection(config, { userAgent: "test" }));
  const got = await client.get(THINGS, A);
  assert.match(got.ok ? "" : `${got.error.code} ${got.error.message}`, /^unreachable .*ECONNREFUSED/);
  await client.close();
});

test("calls one after another share connections", async () => {
  await withFaults([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    const client = faults.client();
    for (let i = 0; i < 20; i++) assert.ok((await client.get(THINGS, A)).ok);
    assert.ok(faults.connections <= 2, `${faults.connections} connections`);
  });
});

test("paths, queries, bodies and media types are those of the API", async () => {
  await withFaults([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    const client = faults.client();
    await client.create(THINGS, "ns", { a: 1 });
    await client.put(THINGS, A, { a: 2 }, { subresource: "status" });
    await client.patch({ group: "", version: "v1", plural: "nodes" }, { name: "n?1" }, { a: 3 }, { type: "merge" });
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
      ["PATCH /api/v1/nodes/n%3F1", '{"a":3}', "application/merge-patch+json"],
      ["DELETE /apis/example.com/v1/namespaces/default/things/a", deletion, "application/json"],
      ["GET /apis/example.com/v1/things?labelSelector=a%3Db&limit=5&continue=x", "", undefined],
    ]);
  });
});

for (const name of ["", ".", "..", "a/b", "../secrets", "%2e%2e", "a%2Fb"]) {
  test(`what cannot be a name is found nowhere, and nothing is asked: ${JSON.stringify(name)}`, async () => {
    await withFaults([], async (faults) => {
      const client = faults.client();
      const signal = new AbortController().signal;
      const answers = [
        await client.get(THINGS, { namespace: "default", name }),
        await client.put(THINGS, { namespace: "default", name }, {}, { subresource: "status" }),
        await client.patch(THINGS, { namespace: "default", name }, {}, { type: "merge" }),
        await client.delete(THINGS, { namespace: "default", name }),
        ...(name === ""
          ? []
          : [
              await client.get(THINGS, { namespace: name, name: "a" }),
              await client.list(THINGS, { namespace: name }),
              await client.watch(THINGS, { namespace: name, silenceMs: 1000, signal, onEvent: () => undefined }),
            ]),
      ];
      for (const answer of answers) assert.is(answer.ok ? "ok" : answer.error.code, "notFound");
      assert.is(faults.asked.length, 0);
    });
  });
}

test("a server behind a path is asked below it", async () => {
  await withFaults([json(object("a", "1"))], async (faults) => {
    const config = faults.config();
    Object.assign(config.getCurrentCluster() ?? {}, { server: `${faults.url}/k8s/clusters/c-1/` });
    assert.ok((await faults.client({}, config).get(THINGS, A)).ok);
    assert.is(faults.asked[0]?.url.pathname, "/k8s/clusters/c-1/apis/example.com/v1/namespaces/default/things/a");
  });
});

test("a closed client fails its calls, and ends its watches", async () => {
  await withFaults([stream("open")], async (faults) => {
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
