/** Certificates and tokens as they rotate: what the client trusts, and shows. */
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
import { FakeClock } from "../../fake_clock.ts";
import { makeCertificate } from "../_certificates.ts";
import { type Fault, type FaultServer, json, object, status, withFaults } from "../_fault_server.ts";

const THINGS = { group: "example.com", version: "v1", plural: "things" };
const A = { namespace: "default", name: "a" };

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-client-"));
const test = suite("rotation");
test.after(() => rmSync(directory, { recursive: true, force: true }));

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
  await withFaults([], async (faults) => {
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
  await withFaults([], async (faults) => {
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

test("a token file that is gone for a while leaves the token that is known", async () => {
  const file = join(directory, "token-3");
  const clock = new FakeClock();
  await withFaults([], async (faults) => {
    faults.otherwise = json(object("a", "1"));
    writeFileSync(file, "known");
    const client = faults.client({ clock }, tokenConfig(faults, file));
    await client.get(THINGS, A);
    rmSync(file);
    clock.jump(10_000);
    assert.ok((await client.get(THINGS, A)).ok);
    assert.equal(bearer(faults), ["Bearer known", "Bearer known"]);
  });
});

test("a credential plugin that hangs does not hold a call up longer than its time", async () => {
  const plugin = join(directory, "hanging-plugin");
  writeFileSync(plugin, "#!/bin/sh\nexec sleep 1\n", { mode: 0o755 });
  await withFaults([], async (faults) => {
    const config = faults.config();
    Object.assign(config.getCurrentUser() ?? {}, { exec: { command: plugin } });
    const got = await faults.client({}, config).get(THINGS, A, { timeoutMs: 50 });
    assert.match(got.ok ? "" : got.error.message, /no answer within 50 ms/);
    assert.is(faults.asked.length, 0);
  });
});

test("a token file that is missing is an error that names it, and no call is sent without a token", async () => {
  await withFaults([], async (faults) => {
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
  server.unref();
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
  server.unref();
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
  proxy.unref();
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

test.run();
