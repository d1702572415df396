/** Real gRPC servers that behave as the metadata of each call asks for; see tests/peers/go/server/main.go. */
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { grpcService, type UnaryHandlers } from "../../../src/lib/rpc/definition.ts";
import { type IPAMParameters, IPAMServiceDefinition } from "../../../src/lib/rpc/generated/node.ts";
import { end, startReady } from "./_peer_process.ts";

const ROOT = join(import.meta.dirname, "../../..");

export interface Peer {
  readonly target: string;
  /** Lets calls under way end, then ends. */
  stop(): Promise<void>;
  /** Ends at once. */
  kill(): Promise<void>;
}

/** The path of a program of tests/peers/go, built when it is missing or older than its sources. */
export function goPeer(role: "server" | "client"): string {
  const built = spawnSync(join(ROOT, "scripts/peers/go-grpc"), { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`scripts/peers/go-grpc failed: ${built.stderr}`);
  return join(ROOT, `.cache/peers/bin/go-grpc-${role}`);
}

/** A server in Go. With `maxAge` (as Go writes durations) it sends each connection away after that time. */
export async function startGo(address: { path: string } | { port: number }, maxAge = "0"): Promise<Peer> {
  const place =
    "path" in address ? ["-network=unix", `-address=${address.path}`] : [`-address=127.0.0.1:${address.port}`];
  const network = "path" in address ? [] : ["-network=tcp"];
  const child = await startReady(goPeer("server"), [...network, ...place, `-max-connection-age=${maxAge}`]);
  const target = "path" in address ? `unix://${address.path}` : `tcp://127.0.0.1:${address.port}`;
  return { target, stop: () => end(child, "SIGTERM"), kill: () => end(child, "SIGKILL") };
}

/** A server in this process, with @grpc/grpc-js and the service description made of the generated code. */
export async function startGrpcJs(address: { path: string } | { port: number }): Promise<Peer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": 16 << 20 });
  server.addService(grpcService(IPAMServiceDefinition), handlers);
  const bound = "path" in address ? `unix://${address.path}` : `127.0.0.1:${address.port}`;
  await new Promise<void>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(bound, credentials, (error) => (error ? reject(error) : resolve()));
  });
  return {
    target: "path" in address ? bound : `tcp://${bound}`,
    stop: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
    kill: async () => server.forceShutdown(),
  };
}

/** A port of the loopback that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const handlers: UnaryHandlers<typeof IPAMServiceDefinition> = {
  allocate({ request: { parameters }, metadata }, callback) {
    behave(parameters, metadata, callback, () => ({
      allocations: (parameters?.pools ?? []).map((pool) => ({
        pool,
        ip: parameters?.cniContainerid ?? "",
        gateway: text(metadata, "nv-ipam-network"),
        poolType: parameters?.poolType ?? 0,
        routes: Array.from({ length: number(metadata, "peer-routes") }, (_, i) => ({
          dest: `10.${i >> 8}.${i & 255}.0/24`,
        })),
      })),
    }));
  },
  isAllocated({ request, metadata }, callback) {
    behave(request.parameters, metadata, callback, () => ({}));
  },
  deallocate({ request, metadata }, callback) {
    behave(request.parameters, metadata, callback, () => ({}));
  },
};

function behave<T>(
  parameters: IPAMParameters | undefined,
  metadata: grpc.Metadata,
  callback: grpc.sendUnaryData<T>,
  answer: () => T,
): void {
  const code: grpc.status = number(metadata, "peer-status");
  const reply = () => (code === 0 ? callback(null, answer()) : callback({ code, details: parameters?.pools[0] ?? "" }));
  const delay = number(metadata, "peer-delay-ms");
  if (delay > 0) {
    setTimeout(reply, delay).unref();
  } else {
    reply();
  }
}

function text(metadata: grpc.Metadata, key: string): string {
  return `${metadata.get(key)[0] ?? ""}`;
}

function number(metadata: grpc.Metadata, key: string): number {
  return Number(text(metadata, key));
}
