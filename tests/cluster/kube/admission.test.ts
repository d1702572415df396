/** The admission webhook's server, asked over TLS as the API server asks, and by worse callers. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AdmissionOptions, type AdmissionRequest, AdmissionServer } from "../../../src/lib/kube/admission.ts";
import { FakeClock, settle } from "../../fake_clock.ts";
import { serverOf } from "../../server_of.ts";
import { makeCertificate } from "../_certificates.ts";

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-admission-"));
const first = makeCertificate(directory, "first");
const second = makeCertificate(directory, "second", { days: 9 });

const test = suite("admission");
test.after(() => rmSync(directory, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly body: string;
  /** The server's certificate as the caller saw it. */
  readonly subject: string;
}

/** Runs `body` with a server on a free port; its reviewer's path is /review. */
async function withServer(
  options: Partial<AdmissionOptions>,
  body: (server: AdmissionServer) => Promise<void>,
): Promise<void> {
  const server = new AdmissionServer({
    port: 0,
    host: "127.0.0.1",
    certFile: first.certFile,
    keyFile: first.keyFile,
    reviewers: { "/review": () => ({ allowed: true }) },
    ...options,
  });
  const started = await server.start();
  assert.equal(started, { ok: true, value: undefined });
  try {
    await body(server);
  } finally {
    await server.stop(100);
  }
}

function send(port: number, content: string | Buffer, path = "/review?timeout=2s", method = "POST"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(content) };
    const options = { host: "127.0.0.1", port, path, method, headers, rejectUnauthorized: false, agent: false };
    const asked = request(options, (answer) => {
      const { subject } = (answer.socket as TLSSocket).getPeerCertificate() as PeerCertificate;
      let text = "";
      answer.on("data", (chunk) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text, subject: `${subject.CN}` }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(content);
  });
}

function review(fields: Readonly<Record<string, unknown>> = {}): string {
  const kind = { group: "example.com", version: "v1", kind: "Thing" };
  const request = { uid: "u-1", operation: "UPDATE", kind, namespace: "ns", name: "a", object: { b: 1 }, ...fields };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
}

test("connections that cannot be accepted are not the end of the process", async () => {
  await withServer({}, async ({ port }) => {
    const server = await serverOf(() => send(port, review()));
    for (let i = 0; i < 2; i++) server.emit("error", new Error("accept EMFILE"));
    assert.is((await send(port, review())).status, 200);
  });
});

test("a reviewer is given the request, and its verdict goes back under the same uid", async () => {
  const seen: AdmissionRequest[] = [];
  const reviewer = (asked: AdmissionRequest) => {
    seen.push(asked);
    return { allowed: true, warnings: ["odd"] };
  };
  await withServer({ reviewers: { "/review": reviewer } }, async ({ port }) => {
    const { status, body } = await send(port, review({ oldObject: { b: 0 }, dryRun: true, subResource: "status" }));
    assert.is(status, 200);
    assert.equal(JSON.parse(body), {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: "u-1", allowed: true, warnings: ["odd"] },
    });
    assert.equal(seen, [
      {
        uid: "u-1",
        operation: "UPDATE",
        kind: { group: "example.com", version: "v1", kind: "Thing" },
        namespace: "ns",
        name: "a",
        subResource: "status",
        dryRun: true,
        object: { b: 1 },
        oldObject: { b: 0 },
      },
    ]);
  });
});

test("a refusal says why, as Invalid unless it says otherwise", async () => {
  const verdicts = [
    { allowed: false, message: "spec.a: must be less" },
    { allowed: false, message: "no", code: 403, reason: "Forbidden" },
  ];
  await withServer({ reviewers: { "/review": () => verdicts.shift() ?? { allowed: true } } }, async ({ port }) => {
    const statuses = [JSON.parse((await send(port, review())).body), JSON.parse((await send(port, review())).body)];
    assert.equal(
      statuses.map(({ response }) => [response.allowed, response.status]),
      [
        [false, { status: "Failure", code: 422, reason: "Invalid", message: "spec.a: must be less" }],
        [false, { status: "Failure", code: 403, reason: "Forbidden", message: "no" }],
      ],
    );
  });
});

const REFUSED: readonly (readonly [name: string, content: string, path: string, method: string, status: number])[] = [
  ["a path that no reviewer has", review(), "/other", "POST", 404],
  ["a path that every object has", review(), "/toString", "POST", 404],
  ["another method", "", "/review", "GET", 405],
  ["no JSON", "{", "/review", "POST", 400],
  ["JSON that is no object", "7", "/review", "POST", 400],
  [
    "a review without a request",
    '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
    "/review",
    "POST",
    400,
  ],
  ["a review of another version", review().replace("/v1", "/v1beta1"), "/review", "POST", 400],
  ["a review without a uid", review({ uid: undefined }), "/review", "POST", 400],
  ["a review of an unknown operation", review({ operation: "RENAME" }), "/review", "POST", 400],
  ["a review whose kind is a text", review({ kind: "Thing" }), "/review", "POST", 400],
  ["more bytes than a review may have", review({ object: "x".repeat(2000) }), "/review", "POST", 413],
];

for (const [name, content, path, method, status] of REFUSED) {
  test(`${name} is answered ${status}, and the next review as ever`, async () => {
    await withServer({ maxBytes: 1000 }, async ({ port }) => {
      assert.is((await send(port, content, path, method)).status, status);
      assert.is((await send(port, review())).status, 200);
    });
  });
}

test("the largest object that a request may have comes with the largest that is stored, and little more does", async () => {
  const [object, oldObject] = ["x".repeat(3 * 1024 * 1024), "x".repeat(1.5 * 1024 * 1024)];
  await withServer({}, async ({ port }) => {
    assert.is((await send(port, review({ object, oldObject }))).status, 200);
    assert.is((await send(port, review({ object, oldObject: object }))).status, 413);
  });
});

test("a reviewer that throws is told of, and answered 500", async () => {
  const thrown: string[] = [];
  const reviewers = {
    "/review": () => {
      throw new Error("a bug");
    },
  };
  const observer = { threw: (path: string, error: unknown) => thrown.push(`${path} ${error}`) };
  await withServer({ reviewers, observer }, async ({ port }) => {
    const { status, body } = await send(port, review());
    assert.is(status, 500);
    assert.not.match(body, /a bug/);
    assert.equal(thrown, ["/review Error: a bug"]);
  });
});

test("a caller that sends its review too slowly is cut off", async () => {
  await withServer({ requestMs: 100 }, async ({ port }) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    let said = "";
    socket.on("data", (chunk) => {
      said += chunk;
    });
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write("POST /review HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{");
    await closed;
    assert.match(said, /^HTTP\/1\.1 408 /);
    assert.is((await send(port, review())).status, 200);
  });
});

test("bytes that are no TLS do not disturb the server", async () => {
  await withServer({}, async ({ port }) => {
    const { connect: connectPlain } = await import("node:net");
    const socket = connectPlain(port, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.write("GET / HTTP/1.1\r\n\r\n");
    await closed;
    assert.is((await send(port, review())).status, 200);
  });
});

test("new certificate files are used for the next connection, at the next look", async () => {
  const [certFile, keyFile] = [join(directory, "served.crt"), join(directory, "served.key")];
  writeFileSync(certFile, first.cert);
  writeFileSync(keyFile, first.key);
  const clock = new FakeClock();
  const reloaded = Promise.withResolvers<void>();
  const refused: string[] = [];
  const observer = { reloaded: () => reloaded.resolve(), notReloaded: (message: string) => refused.push(message) };
  await withServer({ certFile, keyFile, clock, observer, reloadMs: 10_000 }, async (server) => {
    assert.is((await send(server.port, review())).subject, "first");
    writeFileSync(certFile, second.cert);
    await server.reload();
    assert.match(refused.join(), /served\.crt .*cannot be used/);
    const days = () => Math.round(((server.certificateExpires?.getTime() ?? 0) - Date.now()) / 86_400_000);
    assert.is(days(), 2);
    assert.is((await send(server.port, review())).subject, "first", "half of a new pair is not used");
    writeFileSync(keyFile, second.key);
    await settle();
    await clock.advance(10_000);
    await reloaded.promise;
    assert.is((await send(server.port, review())).subject, "second");
    assert.is(days(), 9);
  });
});

test("a server without its certificate's files, or on a taken port, does not start and says why", async () => {
  const missing = new AdmissionServer({
    port: 0,
    certFile: "/nowhere/tls.crt",
    keyFile: "/nowhere/tls.key",
    reviewers: {},
  });
  const started = await missing.start();
  assert.match(started.ok ? "" : started.error, /\/nowhere\/tls\.crt .*cannot be used/);
  await withServer({}, async ({ port }) => {
    const { certFile, keyFile } = first;
    const second = new AdmissionServer({ port, host: "127.0.0.1", certFile, keyFile, reviewers: {} });
    const taken = await second.start();
    assert.match(taken.ok ? "" : taken.error, /EADDRINUSE/);
  });
});

test.run();
