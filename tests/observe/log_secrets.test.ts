/** What the daemons log of credentials that do not work, at the highest verbosity: never the secret itself. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";

const EXECUTABLE = need("dist/nv-ipam");
const LIMIT_MS = 30_000;
const SECRET = "s3cr3t-0f-th3-t3st";
const ENCODED = Buffer.from(SECRET).toString("base64");

interface Context {
  directory: string;
  server: Server;
  port: number;
}

const test = suite<Context>("secrets");
let child: ChildProcess | undefined;
test.before.each(async (context) => {
  context.directory = mkdtempSync(join(tmpdir(), "nv-ipam-secrets-"));
  context.server = createServer((request, response) => {
    const isOdd = request.url?.includes("cidrpools") === true;
    const status = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Unauthorized", code: 401 };
    response.writeHead(isOdd ? 500 : 401, { "content-type": "application/json" });
    response.end(isOdd ? "{ this is no JSON" : JSON.stringify({ ...status, message: "Unauthorized" }));
  });
  await new Promise<void>((resolve) => context.server.listen(0, "127.0.0.1", resolve));
  context.port = (context.server.address() as AddressInfo).port;
});
test.after.each(async ({ directory, server }) => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child?.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
  }
  child = undefined;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

interface Kubeconfig {
  readonly user?: Readonly<Record<string, unknown>>;
  readonly cluster?: Readonly<Record<string, unknown>>;
}

function kubeconfig(port: number, { user = {}, cluster = {} }: Kubeconfig): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}`, ...cluster } }],
    users: [{ name: "u", user }],
  });
}

function plugin(command: string): Kubeconfig {
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command, interactiveMode: "Never" };
  return { user: { exec } };
}

const cases: readonly (readonly [what: string, text: (context: Context) => string, said?: RegExp])[] = [
  ["a token that is refused", ({ port }) => kubeconfig(port, { user: { token: SECRET } })],
  ["a password that is refused", ({ port }) => kubeconfig(port, { user: { username: "u", password: SECRET } })],
  [
    "a password in the server's URL",
    ({ port }) => kubeconfig(port, { cluster: { server: `http://u:${SECRET}@127.0.0.1:${port}` } }),
  ],
  [
    "a password in an URL that is none",
    ({ port }) => kubeconfig(port, { cluster: { server: `http://u:${SECRET}@127.0.0.1:port` } }),
  ],
  [
    "a password in a proxy's URL",
    ({ port }) =>
      kubeconfig(port, { cluster: { "proxy-url": `http://u:${SECRET}@127.0.0.1:1`, server: "https://127.0.0.1:2" } }),
  ],
  [
    "a password in a proxy's URL that is none",
    ({ port }) => kubeconfig(port, { cluster: { "proxy-url": `http://u:${SECRET}@127.0.0.1:port` } }),
  ],
  [
    "a key that is none",
    ({ port }) =>
      kubeconfig(port, {
        cluster: { server: `https://127.0.0.1:${port}` },
        user: { "client-key-data": ENCODED, "client-certificate-data": ENCODED },
      }),
  ],
  ["a file that is no YAML", ({ port }) => kubeconfig(port, { user: { token: SECRET } }).replace(/.{4}$/, "\n\t: [")],
  [
    "YAML with a mistake beside the token",
    () => `apiVersion: v1\nusers:\n- name: u\n  user:\n    token: "${SECRET}\n`,
    /line \d+ is no YAML/,
  ],
  ["a file with nothing but the token", () => SECRET],
  ["users that are no list", () => `{"users": {"token": "${SECRET}"}}`],
  [
    "a credential plugin that prints what is no credential",
    ({ port, directory }) => {
      const command = join(directory, "plugin");
      writeFileSync(command, `#!/bin/sh\necho "${SECRET}"\n`);
      chmodSync(command, 0o755);
      return kubeconfig(port, plugin(command));
    },
    /printed no JSON/,
  ],
  [
    "a credential plugin that fails and says why",
    ({ port, directory }) => {
      const command = join(directory, "plugin");
      writeFileSync(command, `#!/bin/sh\necho '{"token": "${SECRET}"}'\necho "log in first" >&2\nexit 1\n`);
      chmodSync(command, 0o755);
      return kubeconfig(port, plugin(command));
    },
    /log in first/,
  ],
];

for (const role of ["controller", "node"] as const) {
  for (const [what, text, said = / err=/] of cases) {
    test(`${role}: ${what}`, async (context) => {
      const { directory } = context;
      const config = join(directory, "kubeconfig");
      writeFileSync(config, text(context), { mode: 0o600 });
      const own = {
        controller: [],
        node: [
          "--node-name=node-1",
          `--bind-address=unix://${directory}/daemon.sock`,
          `--store-file=${directory}/store`,
          "--cni-skip-nv-ipam-binary-copy",
          "--cni-skip-nv-ipam-config-creation",
        ],
      }[role];
      const flags = [
        `--kubeconfig=${config}`,
        "--health-probe-bind-address=0",
        "--metrics-bind-address=0",
        "-v=10",
        ...own,
      ];
      const process = spawn(EXECUTABLE, [role, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
      child = process;
      let output = "";
      for (const stream of [process.stdout, process.stderr]) {
        stream.setEncoding("utf8").on("data", (chunk: string) => {
          output += chunk;
        });
      }
      let ended = false;
      process.once("close", () => {
        ended = true;
      });
      for (const limit = Date.now() + LIMIT_MS; !ended && !/ err=/.test(output); await delay(20)) {
        if (Date.now() > limit) throw new Error(`nothing was said of the credentials:\n${output}`);
      }
      assert.match(output, said);
      assert.not.match(output, SECRET);
      assert.not.match(output, ENCODED);
    });
  }
}

test.run();
