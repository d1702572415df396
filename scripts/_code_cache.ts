/**
 * What V8 keeps of the main script after real plugin calls: the functions that a call needs, compiled. The code cache that
 * Node makes for a single executable holds only what is compiled before anything runs.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { grpcService, type UnaryHandlers } from "../src/lib/rpc/definition.ts";
import { DaemonServiceDefinition } from "../src/lib/rpc/generated/daemon.ts";
import { type AllocateResponse, IPAMServiceDefinition, PoolType } from "../src/lib/rpc/generated/node.ts";

/** The calls that are made, one process each; each goes on from what the one before has compiled. */
const CALLS = ["ADD", "CHECK", "DEL", "VERSION"];

const ANSWER: AllocateResponse = {
  allocations: [
    {
      pool: "pool4",
      ip: "192.0.2.2/24",
      gateway: "192.0.2.1",
      poolType: PoolType.POOL_TYPE_IPPOOL,
      routes: [{ dest: "0.0.0.0/0" }],
    },
    { pool: "pool6", ip: "2001:db8::2/64", gateway: "2001:db8::1", poolType: PoolType.POOL_TYPE_IPPOOL, routes: [] },
  ],
};

/** A daemon that knows one answer. */
const IPAM: UnaryHandlers<typeof IPAMServiceDefinition> = {
  allocate: (_, respond) => respond(null, ANSWER),
  isAllocated: (_, respond) => respond(null, {}),
  deallocate: (_, respond) => respond(null, {}),
};
const DAEMON: UnaryHandlers<typeof DaemonServiceDefinition> = {
  collectGarbage: (_, respond) => respond(null, { released: 0 }),
  getStatus: (_, respond) => respond(null, { ready: true, reasons: [], serving: true }),
  listPools: (_, respond) => respond(null, { pools: [], nodeName: "" }),
  listReservations: (_, respond) => respond(null, { reservations: [], nextPageToken: "" }),
};

/** One call: runs the script as the executable does and writes what V8 keeps of it. */
const RUNNER = `
const [, , code, before, after] = process.argv;
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { Script } = require("node:vm");
const cachedData = existsSync(before) ? readFileSync(before) : undefined;
const script = new Script(readFileSync(code, "latin1"), { filename: "main", ...(cachedData && { cachedData }) });
if (script.cachedDataRejected) throw new Error("V8 refuses the code cache that it made");
process.on("exit", () => writeFileSync(after, script.createCachedData()));
script.runInThisContext()(require, module);
`;

/** How often the cache is made at most, until one comes out a second time. */
const ATTEMPTS = 20;

/**
 * Makes the code cache of the main script, the same for the same script: V8 notes when its collector passed by, in a few
 * bytes, so the cache is made until one comes out a second time.
 *
 * @param main the script, an expression that gives a function of `require` and `module`
 * @param nodeOptions V8 takes the cache only under the options that it was made under
 * @throws when a call fails, or no two caches are equal.
 */
export async function warmCodeCache(main: string, nodeOptions: readonly string[]): Promise<Buffer> {
  const made: Buffer[] = [];
  while (made.length < ATTEMPTS) {
    const cache = await makeCodeCache(main, nodeOptions);
    if (made.some((other) => other.equals(cache))) return cache;
    made.push(cache);
  }
  throw new Error(`none of ${ATTEMPTS} code caches came out twice`);
}

async function makeCodeCache(main: string, nodeOptions: readonly string[]): Promise<Buffer> {
  // Not in TMPDIR: the length of the paths shows in the cache, and a socket's is bounded.
  const work = mkdtempSync("/tmp/nv-ipam-warm-");
  const server = await serve(join(work, "daemon.sock"));
  try {
    writeFileSync(join(work, "main.js"), main);
    writeFileSync(join(work, "run.cjs"), RUNNER);
    for (const [index, command] of CALLS.entries()) {
      const files = [join(work, "main.js"), join(work, `${index}.cache`), join(work, `${index + 1}.cache`)];
      await callPlugin(command, [...nodeOptions, join(work, "run.cjs"), ...files], work);
    }
    return readFileSync(join(work, `${CALLS.length}.cache`));
  } finally {
    server.forceShutdown();
    rmSync(work, { recursive: true, force: true });
  }
}

async function serve(path: string): Promise<Server> {
  const server = new Server();
  server.addService(grpcService(IPAMServiceDefinition), IPAM);
  server.addService(grpcService(DaemonServiceDefinition), DAEMON);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix://${path}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}

function callPlugin(command: string, args: readonly string[], work: string): Promise<void> {
  const ipam = { type: "nv-ipam", poolName: "pool4,pool6", confDir: work, logFile: join(work, "log") };
  const config = {
    cniVersion: "1.0.0",
    name: "net",
    type: "macvlan",
    ipam: { ...ipam, daemonSocket: join(work, "daemon.sock") },
  };
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "net1",
    CNI_NETNS: "/run/netns/n1",
    CNI_PATH: work,
    CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod;K8S_POD_UID=uid",
  };
  return new Promise((resolve, reject) => {
    // Without its random seed V8 makes the same cache each time.
    const child = spawn(process.execPath, ["--random-seed=1", ...args], { env, stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stdin.on("error", () => undefined).end(JSON.stringify(config));
    child.once("error", reject).once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the ${command} that warms the code cache failed: ${output}`));
    });
  });
}
