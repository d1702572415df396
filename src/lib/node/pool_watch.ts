/** The pools of a namespace, followed at the API server, as this node serves them. */
import { readPool } from "../api/parse.ts";
import { POOL_KINDS, POOL_RESOURCES } from "../api/resources.ts";
import { API_VERSION, type PoolKind } from "../api/types.ts";
import type { PoolTable, TabledPool } from "../daemon/pool_table.ts";
import type { KubeClient } from "../kube/client.ts";
import { Reflector } from "../kube/reflector.ts";
import type { Stored } from "../kube/store.ts";
import { WatchLog } from "../kube/watch_log.ts";
import type { Log } from "../observe/log.ts";
import { ALLOCATIONS, type PoolEventObject, parsePoolEvent } from "./_pool_event.ts";

/** What is followed, and where what is known of it goes. */
export interface PoolWatchOptions {
  readonly client: KubeClient;
  /** Namespace of the pools. */
  readonly namespace: string;
  readonly table: PoolTable;
  readonly log: Log;
}

/** What stays of a pool object: the same that the table has. */
interface PoolEntry extends Stored {
  /** undefined: an object that is no pool, whatever its path says. */
  readonly pool: TabledPool | undefined;
}

/** Objects a page of a list: each may hold the blocks of thousands of nodes. */
const PAGE = 10;

/** Keeps the table as the API server says. */
export class PoolWatch {
  readonly #options: PoolWatchOptions;
  readonly #reflectors: readonly Reflector<PoolEventObject, PoolEntry>[];
  readonly #logs: Readonly<Record<PoolKind, WatchLog>>;
  readonly #answered: Readonly<Record<PoolKind, PromiseWithResolvers<void>>> = {
    IPPool: Promise.withResolvers(),
    CIDRPool: Promise.withResolvers(),
  };

  constructor(options: PoolWatchOptions) {
    this.#options = options;
    const watchLog = (kind: PoolKind): WatchLog => new WatchLog(POOL_RESOURCES[kind].plural, options.log);
    this.#logs = { IPPool: watchLog("IPPool"), CIDRPool: watchLog("CIDRPool") };
    options.table.explain((kind) => [this.#logs[kind].trouble ?? []].flat());
    this.#reflectors = POOL_KINDS.map((kind) => this.#reflect(kind));
  }

  /** How each of the watches is. */
  get watches(): readonly WatchLog[] {
    return Object.values(this.#logs);
  }

  /** Why the pools of the kind are not known; undefined when they are, also in an outage after that (R12). */
  missing(kind: PoolKind): string | undefined {
    if (this.#options.table.known(kind)) return undefined;
    const { trouble } = this.#logs[kind];
    return trouble === undefined ? "not read yet" : `not read yet: ${trouble}`;
  }

  /** Resolves when both kinds have been listed once, or the API server has no such kind; never rejects. */
  async known(): Promise<void> {
    await Promise.all(POOL_KINDS.map((kind) => this.#answered[kind].promise));
  }

  /** Follows the pools until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  #reflect(kind: PoolKind): Reflector<PoolEventObject, PoolEntry> {
    const { client, namespace, table } = this.#options;
    const watchLog = this.#logs[kind];
    const reflector = new Reflector<PoolEventObject, PoolEntry>({
      client,
      resource: POOL_RESOURCES[kind],
      namespace,
      pageSize: PAGE,
      parse: (text) => parsePoolEvent(text, table.nodeName),
      keep: (object) => this.#keep(kind, object),
      observer: {
        listed: (count) => {
          table.markKnown(kind);
          watchLog.listed(count);
          this.#answered[kind].resolve();
        },
        failed: (during, error, waitMs) => {
          watchLog.failed(during, error, waitMs);
          if (error.code === "notFound") this.#answered[kind].resolve();
        },
        recovered: () => watchLog.recovered(),
      },
    });
    reflector.store.subscribe((change) => {
      if (change.type === "deleted") table.delete(kind, change.before.metadata.name);
      else if (change.now.pool !== undefined) table.put(change.now.pool);
    });
    return reflector;
  }

  #keep(kind: PoolKind, object: PoolEventObject): PoolEntry {
    const { name, uid, resourceVersion } = object.metadata;
    const metadata = {
      name,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    };
    // Items of a list have neither member.
    const read = readPool({ ...object, apiVersion: API_VERSION, kind });
    return { metadata, pool: read.ok ? this.#options.table.read(read.value, object[ALLOCATIONS]) : undefined };
  }
}
