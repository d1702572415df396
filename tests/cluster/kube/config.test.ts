/** Where the configuration is looked for, and what of it counts. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadConfig } from "../../../src/lib/kube/config.ts";
import { readCredentials } from "../../../src/lib/kube/credentials.ts";
import { need } from "../../_need.ts";

need("root");
const ROOT = join(import.meta.dirname, "../../..");
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-config-"));
const home = join(directory, "home");
mkdirSync(join(home, ".kube"), { recursive: true });

const test = suite("config");
test.after(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a kubeconfig with one server and one user. */
function kubeconfig(path: string, server: string, user: Readonly<Record<string, unknown>> = {}): string {
  const cluster = { name: "c", cluster: { server } };
  const context = { name: server, context: { cluster: "c", user: "u" } };
  const content = { clusters: [cluster], users: [{ name: "u", user }], contexts: [context], "current-context": server };
  writeFileSync(join(directory, path), JSON.stringify(content));
  return join(directory, path);
}

/** The server found, or the error. */
function found(path: string | undefined, env: Readonly<Record<string, string>>): string {
  const loaded = loadConfig({ path, env });
  return loaded.ok ? `${loaded.value.getCurrentCluster()?.server}` : `${loaded.error.code}: ${loaded.error.message}`;
}

test("a path that is given comes before $KUBECONFIG, and that before the home directory's", () => {
  const [given, named] = [kubeconfig("given", "https://given"), kubeconfig("named", "https://named")];
  kubeconfig("home/.kube/config", "https://home");
  assert.is(found(given, { KUBECONFIG: named, HOME: home }), "https://given");
  assert.is(found("", { KUBECONFIG: named, HOME: home }), "https://named");
  assert.is(found(undefined, { KUBECONFIG: "", HOME: home }), "https://home");
});

test("of several files in $KUBECONFIG those that are missing do not count", () => {
  const named = kubeconfig("named", "https://named");
  assert.is(found(undefined, { KUBECONFIG: `/nowhere/x:${named}` }), "https://named");
  assert.match(found(undefined, { KUBECONFIG: "/nowhere/x" }), /^credentials: .*\/nowhere\/x.*no such file/);
});

test("a file that is asked for by name must be there", () => {
  assert.match(found("/nowhere/kubeconfig", {}), /^credentials: .*\/nowhere\/kubeconfig/);
});

test("a context that is named is used, and one that is not there is an error that names those that are", () => {
  const path = join(directory, "contexts");
  const clusters = ["one", "two"].map((name) => ({ name, cluster: { server: `https://${name}` } }));
  const contexts = ["one", "two"].map((name) => ({ name, context: { cluster: name, user: "u" } }));
  const users = [{ name: "u", user: { token: "secret" } }];
  writeFileSync(path, JSON.stringify({ clusters, contexts, users, "current-context": "one" }));
  const server = (context: string | undefined): string => {
    const loaded = loadConfig({ path: undefined, context, env: { KUBECONFIG: path } });
    return loaded.ok ? `${loaded.value.getCurrentCluster()?.server}` : loaded.error.message;
  };
  assert.equal(["two", undefined, ""].map(server), ["https://two", "https://one", "https://one"]);
  assert.match(server("three"), /has no context "three": it has one, two$/);
});

test("without any configuration the error says what to do", () => {
  assert.match(found(undefined, { HOME: "/nowhere" }), /^credentials: .*give --kubeconfig/);
});

for (const [name, content] of [
  ["no YAML", "{"],
  ["a text", "text"],
  ["nothing", ""],
  ["no current context", '{"clusters":[],"contexts":[]}'],
  [
    "a server that is no URL",
    '{"clusters":[{"name":"c","cluster":{"server":"x y"}}],"contexts":[{"name":"c","context":{"cluster":"c"}}],"current-context":"c"}',
  ],
] as const) {
  test(`a kubeconfig that is ${name} is an error that names it`, () => {
    const path = join(directory, "wrong");
    writeFileSync(path, content);
    assert.match(found(path, {}), new RegExp(`^credentials: .*${path}`));
  });
}

async function headers(user: Readonly<Record<string, unknown>>): Promise<unknown> {
  const loaded = loadConfig({ path: kubeconfig("user", "https://server", user), env: {} });
  assert.ok(loaded.ok);
  if (!loaded.ok) return undefined;
  const read = await readCredentials(loaded.value);
  return read.ok ? read.value.headers : read.error.message;
}

test("a user's token, token file, password, credential plugin and impersonation become headers", async () => {
  writeFileSync(join(directory, "token"), "from-file\n");
  const plugin = join(directory, "plugin");
  writeFileSync(plugin, `#!/bin/sh\necho '{"status":{"token":"from-plugin"}}'\n`, { mode: 0o755 });
  assert.equal(await headers({}), {});
  assert.equal(await headers({ token: "t" }), { authorization: "Bearer t" });
  assert.equal(await headers({ tokenFile: "token", token: "older" }), { authorization: "Bearer from-file" });
  assert.equal(await headers({ username: "a", password: "b" }), { authorization: "Basic YTpi" });
  assert.equal(await headers({ exec: { command: plugin } }), { authorization: "Bearer from-plugin" });
  assert.equal(await headers({ token: "t", as: "b" }), { authorization: "Bearer t", "impersonate-user": "b" });
});

test("a credential plugin that fails is an error, not a call without a token", async () => {
  assert.match(
    String(await headers({ exec: { command: "/nowhere/plugin" } })),
    /^the credentials cannot be read: .*\/nowhere\/plugin/,
  );
});

test("in a pod its service account comes before the home directory's file, and after $KUBECONFIG", async () => {
  kubeconfig("home/.kube/config", "https://home");
  const named = kubeconfig("named", "https://named");
  const script = `
    const { loadConfig } = await import("./src/lib/kube/config.ts");
    const { readCredentials } = await import("./src/lib/kube/credentials.ts");
    for (const KUBECONFIG of ["", ${JSON.stringify(named)}]) {
      const { value } = loadConfig({ env: { KUBECONFIG, HOME: ${JSON.stringify(home)}, KUBERNETES_SERVICE_HOST: "fd00::1" } });
      const read = await readCredentials(value);
      console.log(value.getCurrentCluster().server, read.value?.headers.authorization, String(read.value?.tls.ca).slice(0, 6));
    }`;
  // The service account's folder has a fixed path: the pod's view of the files is made in a mount namespace.
  const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  const mounts = `mount -t tmpfs none /var/run && mkdir -p ${folder} && echo pod-token > ${folder}/token && echo the-ca > ${folder}/ca.crt`;
  const shell = `${mounts} && exec "$0" --input-type=module -e "$1"`;
  const output = await new Promise<string>((resolve, reject) => {
    const env = { PATH: process.env.PATH, KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
    const args = ["-m", "sh", "-c", shell, process.execPath, script];
    execFile("unshare", args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr));
      else resolve(stdout);
    });
  });
  assert.equal(output.trim().split("\n"), [
    "https://[fd00::1]:6443 Bearer pod-token the-ca",
    "https://named undefined -----B",
  ]);
});

test.run();
