/** The node daemon: the ledger and its store behind the two gRPC services, whatever the source of its pools. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { PoolKind } from "../api/types.ts";
import type { Log } from "../observe/log.ts";
import { ok, type Result } from "../result.ts";
import { grpcService } from "../rpc/definition.ts";
import { DaemonServiceDefinition, type PodView } from "../rpc/generated/daemon.ts";
import { IPAMServiceDefinition } from "../rpc/generated/node.ts";
import { describeEndpoint, type Endpoint } from "../rpc/server/endpoint.ts";
import { DaemonService } from "../rpc/server/inspection.ts";
import { type DurableLedger, IpamService } from "../rpc/server/ipam.ts";
import { listen } from "../rpc/server/listen.ts";
import { type Method, type Outcome, unary } from "../rpc/server/unary.ts";
import { addressView } from "./address_view.ts";
import type { PoolTable } from "./pool_table.ts";
import { poolView } from "./pool_view.ts";

/** Milliseconds that calls under way get to end when the daemon stops. */
const DRAIN_MILLISECONDS = 5000;

/**
 * Bounds of what one peer may ask of the server (R13). A connection ends when it is idle, and at its age whatever it does, so
 * that half a request is not waited for without end.
 */
const SERVER_LIMITS = {
  "grpc.max_receive_message_length": 4 * 1024 * 1024,
  "grpc.max_concurrent_streams": 256,
  "grpc-node.max_session_memory": 16,
  "grpc.max_connection_idle_ms": 300_000,
  "grpc.max_connection_age_ms": 600_000,
  "grpc.max_connection_age_grace_ms": 30_000,
};

/** Single requests are logged from this verbosity on. */
const REQUEST_LEVEL = 4;

/** What a daemon is made of. */
export interface DaemonOptions {
  readonly nodeName: string;
  readonly endpoint: Endpoint;
  /** The store, opened: its lock is held before the socket is taken (R13). */
  readonly store: DurableLedger;
  readonly pools: PoolTable;
  /** The unfinished pods on this node, for inspect; undefined while, or where, they are not known. */
  readonly podViews?: (() => readonly PodView[] | undefined) | undefined;
  /** Serve requests that name no pod (standalone). */
  readonly podOptional: boolean;
  readonly allowStaticInOtherBlocks: boolean;
  readonly log: Log;
  /** Told of every call that was answered; costs every call what it takes. */
  readonly answered?: ((outcome: Outcome) => void) | undefined;
}

/** A daemon that serves. */
export interface Daemon {
  /** Where it serves, as `--bind-address` says it; with the actual port where 0 was asked for. */
  readonly address: string;
  /** Takes no more calls and lets those under way end, within a limit. The store stays open. */
  close(): Promise<void>;
}

/** Starts serving. @returns why it cannot listen. */
export async function serve(options: DaemonOptions): Promise<Result<Daemon, string>> {
  const { endpoint, log } = options;
  const server = new Server(SERVER_LIMITS);
  addServices(server, options);
  // Connections are ours and handed over: grpc-js can neither bind under a temporary name nor bound their number.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = await listen(endpoint, {
    onConnection: (socket) => injector.injectConnection(socket),
    onError: (error) => log.error("A connection cannot be taken", { err: error }),
  });
  if (!listener.ok) return listener;
  const address = describeEndpoint(listener.value.endpoint);
  log.info("Serving", { address });
  return ok({
    address,
    close: async () => {
      // It sends GOAWAY, and says too early with Node 24 that all have gone; their connections say it right.
      server.tryShutdown(() => undefined);
      await listener.value.close(DRAIN_MILLISECONDS);
    },
  });
}

function addServices(server: Server, options: DaemonOptions): void {
  const { store, log } = options;
  const ipam = new IpamService(store, options.pools, { ...options, now: Date.now });
  const daemon = new DaemonService(store, {
    nodeName: options.nodeName,
    notReady: (kind, names) => notReady(kind, names, options),
    poolViews: () => [...options.pools.all()].map((pool) => poolView(pool, store.ledger)),
    outdated: () => options.pools.outdated(),
    podViews: () => options.podViews?.(),
    addressViews: (address) => [...options.pools.all()].flatMap((pool) => addressView(pool, address)),
  });
  const observe = (outcome: Outcome): void => {
    options.answered?.(outcome);
    logOutcome(outcome, log);
  };
  const handler = <Request, Response>(name: string, method: Method<Request, Response>) => unary(name, method, observe);
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
    listPods: handler("ListPods", (request) => daemon.listPods(request)),
    describeAddress: handler("DescribeAddress", (request) => daemon.describeAddress(request)),
  });
}

/** What keeps ADD with pools of the kind, and with these ones, from being served, one sentence each. */
function notReady(kind: PoolKind, names: readonly string[], { pools, store }: DaemonOptions): readonly string[] {
  const admitted = store.admitsReservations();
  const faults = admitted.ok ? [] : [admitted.error.message];
  const missing = pools.missing(kind);
  if (missing !== undefined) return [missing, ...faults];
  const refusals = names.map((name) => pools.serve(kind, name)).flatMap((pool) => (pool.ok ? [] : pool.error.message));
  return [...faults, ...refusals];
}

function logOutcome({ method, status, seconds, bug }: Outcome, log: Log): void {
  if (bug !== undefined) log.error("A request failed by a bug", { method, err: bug });
  else if (log.enabled(REQUEST_LEVEL)) log.info("Answered", { method, status, seconds }, REQUEST_LEVEL);
}
