/** The node daemon: the ledger and its store behind the two gRPC services, whatever the source of its pools. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { PoolKind } from "../api/types.ts";
import type { Log } from "../observe/log.ts";
import { ok, type Result } from "../result.ts";
import { grpcService } from "../rpc/definition.ts";
import { DaemonServiceDefinition } from "../rpc/generated/daemon.ts";
import { IPAMServiceDefinition } from "../rpc/generated/node.ts";
import type { Endpoint } from "../rpc/server/endpoint.ts";
import { DaemonService } from "../rpc/server/inspection.ts";
import { type DurableLedger, IpamService } from "../rpc/server/ipam.ts";
import { listen } from "../rpc/server/listen.ts";
import { type Method, type Outcome, unary } from "../rpc/server/unary.ts";
import type { PoolTable } from "./pool_table.ts";
import { poolView } from "./pool_view.ts";

/** Milliseconds that calls under way get to end when the daemon stops. */
const DRAIN_MILLISECONDS = 5000;

/** Bounds of what one peer may ask of the server (R13). */
const SERVER_LIMITS = {
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_concurrent_streams": 256,
  "grpc.max_connection_idle_ms": 300_000,
};

/** What a daemon is made of. */
export interface DaemonOptions {
  readonly nodeName: string;
  readonly endpoint: Endpoint;
  /** The store, opened: its lock is held before the socket is taken (R13). */
  readonly store: DurableLedger;
  readonly pools: PoolTable;
  /** Serve requests that name no pod (standalone). */
  readonly podOptional: boolean;
  readonly allowStaticInOtherBlocks: boolean;
  readonly log: Log;
  /** Told of every call that ended. */
  readonly observe?: (outcome: Outcome) => void;
}

/** A daemon that serves. */
export interface Daemon {
  /** The TCP port, if it listens on one. */
  readonly port?: number;
  /** Takes no more calls and lets those under way end, within a limit. The store stays open. */
  close(): Promise<void>;
}

/** Starts serving. @returns why it cannot listen. */
export async function serve(options: DaemonOptions): Promise<Result<Daemon, string>> {
  const server = new Server(SERVER_LIMITS);
  addServices(server, options);
  // Connections are ours and handed over: grpc-js can neither bind under a temporary name nor bound their number.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = await listen(options.endpoint, (socket) => injector.injectConnection(socket));
  if (!listener.ok) return listener;
  const { port, close } = listener.value;
  return ok({
    ...(port === undefined ? {} : { port }),
    close: async () => {
      const closed = close();
      await drained(server);
      injector.destroy();
      await closed;
    },
  });
}

function addServices(server: Server, options: DaemonOptions): void {
  const { store, log, observe = () => undefined } = options;
  const ipam = new IpamService(store, options.pools, { ...options, now: Date.now });
  const daemon = new DaemonService(store, {
    nodeName: options.nodeName,
    notReady: (kind) => notReady(kind, options),
    poolViews: () => [...options.pools.all()].map((pool) => poolView(pool, store.ledger)),
  });
  const handler = <Request, Response>(name: string, method: Method<Request, Response>) =>
    unary(name, method, log, observe);
  server.addService(grpcService(IPAMServiceDefinition), {
    allocate: handler("Allocate", (request, caller) => ipam.allocate(request, caller)),
    isAllocated: handler("IsAllocated", (request) => ipam.isAllocated(request)),
    deallocate: handler("Deallocate", (request, caller) => ipam.deallocate(request, caller)),
  });
  server.addService(grpcService(DaemonServiceDefinition), {
    collectGarbage: handler("CollectGarbage", (request) => daemon.collectGarbage(request)),
    getStatus: handler("GetStatus", (request) => daemon.getStatus(request)),
    listPools: handler("ListPools", () => daemon.listPools()),
    listReservations: handler("ListReservations", (request) => daemon.listReservations(request)),
  });
}

/** What keeps ADD from being served, one sentence each. */
function notReady(kind: PoolKind, { pools, store }: DaemonOptions): readonly string[] {
  const admitted = store.admitsReservations();
  return [
    ...(pools.known(kind) ? [] : [`the ${kind}s are not known yet`]),
    ...(admitted.ok ? [] : [admitted.error.message]),
  ];
}

function drained(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, DRAIN_MILLISECONDS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
