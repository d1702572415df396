/** A real etcd and kube-apiserver on free ports of the loopback interface, with data of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { KubeClient } from "../../src/lib/kube/client.ts";
import { Connection } from "../../src/lib/kube/connection.ts";
import { need } from "../_need.ts";
import { tied } from "./_tied.ts";
import { within } from "./_wait.ts";

const ETCD = need("etcd");
const API_SERVER = need("kube-apiserver");

/** The bearer token of a member of system:masters. */
export const ADMIN_TOKEN = "admin-of-the-test";
const LOWEST_PORT = 10_000;
const START_LIMIT_MS = 60_000;
/** On SIGTERM kube-apiserver waits for a minute for watches to end. */
const END_LIMIT_MS = 90_000;

/** A user that the token file knows, besides the administrator. */
export interface TokenUser {
  readonly token: string;
  readonly user: string;
  readonly groups?: readonly string[];
}

export interface ApiServerOptions {
  readonly users?: readonly TokenUser[];
  /** More flags of kube-apiserver, for example `--feature-gates=WatchList=false`. */
  readonly flags?: readonly string[];
  /** Admission plugins that are off. Default: those that want what only a whole cluster has, or a word about each namespace. */
  readonly withoutAdmission?: readonly string[];
  /** An address of this machine where others than itself reach kube-apiserver. Default: 127.0.0.1. */
  readonly address?: string;
  /** Where its directory is made. Default: among the temporary files. */
  readonly parent?: string;
}

/** A control plane; call `remove` at the end, whatever happens. */
export class ApiServer {
  readonly directory: string;
  /** The certificate authority of the server's certificate: known once it has started. */
  readonly caFile: string;
  readonly kubeconfig: string;
  readonly #options: ApiServerOptions;
  readonly #clients: KubeClient[] = [];
  #ports: readonly [etcd: number, peer: number, api: number] = [0, 0, 0];
  #etcd: ChildProcess | undefined;
  #api: ChildProcess | undefined;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    this.directory = mkdtempSync(join(options.parent ?? tmpdir(), "nv-ipam-api-server-"));
    this.caFile = join(this.directory, "certificates", "apiserver.crt");
    this.kubeconfig = join(this.directory, "kubeconfig");
  }

  /** Starts both and waits until the server is ready. @throws with what they logged. */
  static async start(options: ApiServerOptions = {}): Promise<ApiServer> {
    const server = new ApiServer(options);
    try {
      await server.#prepare();
      await server.#startEtcd();
      await server.startApi();
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  get port(): number {
    return this.#ports[2];
  }

  get #address(): string {
    return this.#options.address ?? "127.0.0.1";
  }

  get url(): string {
    return `https://${this.#address}:${this.port}`;
  }

  get pid(): number {
    if (this.#api?.pid === undefined) throw new Error("kube-apiserver does not run");
    return this.#api.pid;
  }

  /** A kubeconfig for a user of the token file, or for a proxy in front of this server. */
  config(token = ADMIN_TOKEN, server = this.url): KubeConfig {
    const config = new KubeConfig();
    const cluster = { name: "test", server, caFile: this.caFile, skipTLSVerify: false };
    config.loadFromClusterAndUser(cluster, { name: "user", token });
    return config;
  }

  /** A client of its own connections; closed by `remove`. */
  client(token = ADMIN_TOKEN, server = this.url): KubeClient {
    const client = new KubeClient(new Connection(this.config(token, server), { userAgent: "nv-ipam-test" }));
    this.#clients.push(client);
    return client;
  }

  /** Starts kube-apiserver, on the same port and data as before, and waits until it is ready. */
  async startApi(): Promise<void> {
    const [etcd, , api] = this.#ports;
    const at = (name: string): string => join(this.directory, name);
    this.#api = this.#spawn(API_SERVER, "kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${etcd}`,
      `--bind-address=${this.#address}`,
      `--advertise-address=${this.#address}`,
      `--secure-port=${api}`,
      `--cert-dir=${at("certificates")}`,
      `--token-auth-file=${at("tokens.csv")}`,
      "--authorization-mode=RBAC",
      "--service-cluster-ip-range=10.0.0.0/24",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${at("service-accounts.key")}`,
      `--service-account-signing-key-file=${at("service-accounts.key")}`,
      `--disable-admission-plugins=${this.#options.withoutAdmission ?? ["ServiceAccount", "PodSecurity"]}`,
      "--profiling=false",
      ...(this.#options.flags ?? []),
    ]);
    await this.#untilReady(this.#api);
    writeFileSync(this.kubeconfig, this.config().exportConfig(), { mode: 0o600 });
  }

  /** Ends kube-apiserver; its data stays. On SIGTERM that takes a minute where there are watches. */
  async stopApi(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#end("kube-apiserver", this.#api, signal);
    this.#api = undefined;
  }

  /** Holds kube-apiserver up, or lets it go on: its connections stay. */
  signalApi(signal: "SIGSTOP" | "SIGCONT"): void {
    process.kill(this.pid, signal);
  }

  /** Ends both and removes their data. */
  async remove(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#end("kube-apiserver", this.#api, "SIGKILL");
    await this.#end("etcd", this.#etcd, "SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    this.#ports = await freePorts();
    mkdirSync(join(this.directory, "certificates"));
    const users = [{ token: ADMIN_TOKEN, user: "admin", groups: ["system:masters"] }, ...(this.#options.users ?? [])];
    const lines = users.map(({ token, user, groups = [] }) => `${token},${user},${user},"${groups.join(",")}"\n`);
    writeFileSync(join(this.directory, "tokens.csv"), lines.join(""));
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ type: "pkcs1", format: "pem" });
    writeFileSync(join(this.directory, "service-accounts.key"), pem);
  }

  async #startEtcd(): Promise<void> {
    const [port, peer] = this.#ports;
    const [client, others] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`];
    this.#etcd = this.#spawn(ETCD, "etcd", [
      `--data-dir=${join(this.directory, "etcd")}`,
      "--unsafe-no-fsync",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${others}`,
      `--initial-advertise-peer-urls=${others}`,
      `--initial-cluster=default=${others}`,
    ]);
  }

  #spawn(program: string, name: string, flags: readonly string[]): ChildProcess {
    const log = openSync(join(this.directory, `${name}.log`), "a");
    return spawn(...tied(program, flags), { stdio: ["ignore", log, log] });
  }

  async #end(name: string, child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill(signal);
    await within(ended, `${name} ends after ${signal}`, () => this.#log(name), END_LIMIT_MS);
  }

  async #untilReady(child: ChildProcess): Promise<void> {
    const until = performance.now() + START_LIMIT_MS;
    const spawned = new Promise<never>((_, reject) => child.once("error", reject));
    spawned.catch(() => undefined);
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
        throw new Error(`kube-apiserver is not ready:\n${this.#log("kube-apiserver")}\n${this.#log("etcd")}`);
      }
      if (await Promise.race([this.#isReady(), spawned])) return;
      await delay(50);
    }
  }

  async #isReady(): Promise<boolean> {
    const client = new KubeClient(new Connection(this.config(), { userAgent: "nv-ipam-test" }));
    const ready = await client.raw("/readyz", { timeoutMs: 5000 });
    await client.close();
    return ready.ok;
  }

  #log(name: string): string {
    return readFileSync(join(this.directory, `${name}.log`), "utf8")
      .split("\n")
      .slice(-20)
      .join("\n");
  }
}

/** Three different ports. */
async function freePorts(): Promise<[number, number, number]> {
  const ports = new Set<number>();
  while (ports.size < 3) ports.add(await freePort());
  const [etcd = 0, peer = 0, api = 0] = ports;
  return [etcd, peer, api];
}

/** A port that is free now, below those that the kernel gives to connections: a server that is away can come back to it. */
async function freePort(): Promise<number> {
  const [first = ""] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t");
  for (let left = 100; left > 0; left--) {
    const port = randomInt(LOWEST_PORT, Number(first));
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${LOWEST_PORT} to ${first} is free`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
