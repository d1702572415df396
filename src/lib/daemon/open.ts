/** Opens what a node daemon needs in the order that keeps its promises: the store's lock, the store, then the socket (R13). */
import { setFlagsFromString } from "node:v8";
import type { FlagValues } from "../flags/flags.ts";
import { openStore, type Store } from "../journal/store.ts";
import type { Log } from "../observe/log.ts";
import type { Ledger } from "../reservations/ledger.ts";
import { fail, ok, type Result } from "../result.ts";
import { parseEndpoint } from "../rpc/server/endpoint.ts";
import { obstacle } from "../rpc/server/listen.ts";
import type { Outcome } from "../rpc/server/unary.ts";
import type { Daemon, DaemonOptions } from "./daemon.ts";
import type { DAEMON_FLAGS } from "./flags.ts";
import { boundNewSpace, freezeNewSpace } from "./new_space.ts";
import type { PoolTable } from "./pool_table.ts";

/** What the roles that run a daemon say of it. */
export interface OpenDaemonOptions {
  readonly values: FlagValues<typeof DAEMON_FLAGS>;
  /** Whoever knows the pools puts them there. */
  readonly pools: PoolTable;
  /** The unfinished pods on this node, for inspect. */
  readonly podViews?: DaemonOptions["podViews"];
  /** Serve requests that name no pod (standalone). */
  readonly podOptional: boolean;
  /** Whether the role finds out which addresses are in use when the store is new or damaged. Default false. */
  readonly rebuilds?: boolean;
  readonly log: Log;
  readonly observer?: DaemonObserver | undefined;
}

/** Told of the work of a daemon and its store, for metrics. */
export interface DaemonObserver {
  /** A call was answered. */
  answered(outcome: Outcome): void;
  /** Reservations were written down; how many seconds that took. */
  committed(seconds: number): void;
}

/** A daemon with its store. */
export interface OpenDaemon extends Daemon {
  readonly store: Store<Ledger>;
}

/**
 * Starts a daemon. Closing it also closes the store, which hands its content over to the original's file.
 *
 * @returns a sentence that says what to do: another daemon runs, the store is not to be used, the socket cannot be taken.
 */
export async function openDaemon(options: OpenDaemonOptions): Promise<Result<OpenDaemon, string>> {
  const { values, rebuilds = false, log, observer } = options;
  // While the store is read: growing would cost 25 MB and not make that faster.
  freezeNewSpace();
  // All of it is read before other threads have compiled what reads it as well as they can, which costs a tenth of a start.
  setFlagsFromString("--no-turbofan");
  // So little is looked through at a time that waking other threads for it costs more than it saves: a fifth of a call.
  setFlagsFromString("--no-parallel-scavenge");
  const endpoint = parseEndpoint(values["bind-address"], values["allow-insecure-bind"]);
  if (!endpoint.ok) return endpoint;
  // Opening the store takes it from the original, which does not know our lock: beside a living one nothing may be touched.
  const rival = await obstacle(endpoint.value);
  if (rival !== undefined) return fail(rival);
  const opened = await openStore({
    storeFile: values["store-file"],
    rebuilds,
    log: log.named("store"),
    ...(observer !== undefined && { committed: (seconds: number) => observer.committed(seconds) }),
  });
  setFlagsFromString("--turbofan");
  if (!opened.ok) return fail(opened.error.message);
  const store = opened.value;
  // Before the first DEL.
  if (rebuilds && store.awaitsRebuild) store.ledger.beginRebuild();
  boundNewSpace();
  // From here on few objects stay, so V8 need not wait until those have doubled before it looks again.
  setFlagsFromString("--heap-growing-percent=50");
  // What a burst of calls left is given back some seconds later. V8 would wait until little is allocated, by a measure that a
  // daemon without work does not change.
  setFlagsFromString("--memory-saver-mode");
  // What the server is made of takes long to load: whatever else the process waits for has been asked for by now.
  const { serve } = await import("./daemon.ts");
  const served = await serve({
    nodeName: values["node-name"],
    endpoint: endpoint.value,
    store,
    pools: options.pools,
    podViews: options.podViews,
    podOptional: options.podOptional,
    allowStaticInOtherBlocks: values["allow-static-ip-in-other-blocks"],
    log: log.named("daemon"),
    answered: observer && ((outcome) => observer.answered(outcome)),
  });
  const closeStore = async (): Promise<void> => {
    const closed = await store.close();
    if (!closed.ok) log.error("The store was not handed over to the original's file", { err: closed.error.message });
  };
  if (!served.ok) {
    await closeStore();
    return served;
  }
  const { close, ...daemon } = served.value;
  return ok({
    ...daemon,
    store,
    close: async () => {
      await close();
      await closeStore();
    },
  });
}
