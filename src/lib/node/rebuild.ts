/**
 * Finds the addresses in use on this node when the store does not know them: it is new, was lost, or is damaged. First from
 * libcni's cache, which has container ids, then from what the node's pods say. Until that is done no ADD is served.
 */
import { formatAddress } from "../ip/address.ts";
import { type Clock, sleep, systemClock } from "../kube/clock.ts";
import type { Log } from "../observe/log.ts";
import type { PoolOnNode } from "../reservations/pool.ts";
import type { Owner, Reservation } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import type { DurableLedger } from "../rpc/server/ipam.ts";
import { claimsOfAttachment, claimsOfPod } from "./_claims.ts";
import { type FoundAttachment, readLibcniCache } from "./libcni_cache.ts";
import { networksOf, type PodOnNode } from "./pod_watch.ts";

/** A store that may wait for a rebuild. */
export interface RebuiltStore extends DurableLedger {
  readonly awaitsRebuild: boolean;
  /** Says durably that all addresses in use are known. */
  markRebuilt(): Promise<Result<void, { readonly message: string }>>;
}

/** What is asked for the addresses in use. */
export interface RebuildOptions {
  readonly store: RebuiltStore;
  /** The pools as this node serves them, once `known` has resolved. */
  readonly pools: { readonly known: Promise<void>; all(): Iterable<{ readonly onNode: PoolOnNode }> };
  /** The pods of this node, once `known` has resolved. */
  readonly pods: {
    readonly known: Promise<void>;
    readonly missing: string | undefined;
    readonly pods: { values(): Iterable<PodOnNode> };
  };
  /** Where libcni keeps its results. */
  readonly cacheDirectories: readonly string[];
  readonly log: Log;
  readonly clock?: Clock;
}

/** Reservations that are restored by one record of the journal. */
const GROUP = 64;
/** Milliseconds until another try, when the store could not be written. */
const AGAIN_MS = 5000;
/** Lines of the log about files that cannot be read, and about addresses that are claimed twice. */
const TOLD = 20;

/** Longest name that Linux gives an interface. */
const MAX_IFNAME = 15;

/** What stands in the way. */
type Step = "pools" | "pods" | "reading" | "done";

/** One rebuild. */
export class Rebuild {
  readonly #options: RebuildOptions;
  #step: Step;
  /** Why the store could not be written. */
  #trouble: string | undefined;

  constructor(options: RebuildOptions) {
    this.#options = options;
    this.#step = options.store.awaitsRebuild ? "pools" : "done";
  }

  /** What ADD waits for; undefined when the addresses in use are known. */
  get missing(): string | undefined {
    if (this.#step === "pools") return "the pools are not known yet";
    if (this.#step === "pods") return `the pods of this node are ${this.#options.pods.missing ?? "being read"}`;
    return this.#step === "done" ? undefined : (this.#trouble ?? "the addresses in use are being read");
  }

  /** Rebuilds what is to be rebuilt. Resolves when that is done, or when the signal is aborted; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, pools, pods, log, clock = systemClock } = this.#options;
    if (this.#step === "done") return;
    store.ledger.beginRebuild();
    if (!(await comesBeforeEnd(pools.known, signal))) return;
    this.#step = "pods";
    if (!(await comesBeforeEnd(pods.known, signal))) return;
    this.#step = "reading";
    while (!signal.aborted) {
      const done = await this.#attempt(signal);
      if (done.ok) {
        this.#step = "done";
        store.ledger.endRebuild();
        this.#tell(done.value);
        return;
      }
      if (signal.aborted) return;
      if (this.#trouble === undefined) log.error("The rebuild is tried again", { err: done.error });
      this.#trouble = done.error;
      await sleep(clock, AGAIN_MS, signal);
    }
  }

  /** From the beginning: what an earlier try or an earlier daemon restored is known. */
  async #attempt(signal: AbortSignal): Promise<Result<Outcome, string>> {
    const { store } = this.#options;
    const { found, unread } = await this.#findAll();
    let restored = 0;
    for (let from = 0; from < found.length && !signal.aborted; from += GROUP) {
      restored += found.slice(from, from + GROUP).filter((each) => store.ledger.restore(each)).length;
      const committed = await store.commit();
      if (!committed.ok) return fail(committed.error.message);
    }
    if (signal.aborted) return fail("the daemon is stopped");
    const marked = await store.markRebuilt();
    return marked.ok ? ok({ restored, unread }) : fail(marked.error.message);
  }

  /** What libcni knows comes first: it has container ids. */
  async #findAll(): Promise<{ readonly found: readonly Reservation[]; readonly unread: readonly string[] }> {
    const { pools, pods, cacheDirectories } = this.#options;
    const onNode = [...pools.all()].map((pool) => pool.onNode);
    const found: Reservation[] = [];
    const unread: string[] = [];
    for await (const attachment of readLibcniCache(cacheDirectories)) {
      if (attachment.ok) found.push(...ofAttachment(attachment.value, onNode));
      else unread.push(attachment.error);
    }
    for (const pod of pods.pods.values()) found.push(...ofPod(pod, onNode));
    return { found, unread };
  }

  #tell({ restored, unread }: Outcome): void {
    const { log, store } = this.#options;
    for (const err of unread.slice(0, TOLD)) log.warning("A part of libcni's cache was left out", { err });
    const further = unread.length - TOLD;
    if (further > 0) log.warning("Further parts of libcni's cache were left out", { count: further });
    for (const { address, pool, reservations } of store.ledger.conflicts().slice(0, TOLD)) {
      log.warning("An address is claimed more than once; it is given to nobody until all claims are gone", {
        address: formatAddress(address),
        pool: `${pool.kind}/${pool.name}`,
        claims: reservations.map(claimText).join(", "),
      });
    }
    log.info("The addresses in use on this node are known", { restored, reservations: store.ledger.size });
  }
}

interface Outcome {
  readonly restored: number;
  /** Sentences about what could not be read. */
  readonly unread: readonly string[];
}

/** Whether it happens before the signal is aborted. */
async function comesBeforeEnd(event: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const end = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => end.resolve(), { once: true });
  if (!signal.aborted) await Promise.race([event, end.promise]);
  return !signal.aborted;
}

function ofAttachment(found: FoundAttachment, pools: readonly PoolOnNode[]): Reservation[] {
  const { attachment, owner, network, deviceID, createdAt } = found;
  const common = { ...attachment, owner, network, deviceID, createdAt };
  return found.addresses.flatMap((address) =>
    claimsOfAttachment(found, address, pools).map((claim) => ({ ...common, ...claim, addresses: [address] })),
  );
}

function ofPod(pod: PodOnNode, pools: readonly PoolOnNode[]): Reservation[] {
  const { uid, createdAt } = pod;
  const { namespace = "", name } = pod.metadata;
  const owner: Owner = { type: "pod", namespace, name, uid };
  return networksOf(pod).flatMap(({ ifname: told, addresses }) => {
    // Whoever may edit pods may write anything there.
    const ifname = told.length <= MAX_IFNAME ? told : "";
    const common = { containerID: "", ifname, owner, network: "", deviceID: "", createdAt };
    return addresses.flatMap((address) =>
      claimsOfPod(address, pools).map((claim) => ({ ...common, ...claim, addresses: [address] })),
    );
  });
}

function claimText({ owner, containerID, ifname }: Reservation): string {
  const pod = owner.type === "pod" ? ` of pod ${owner.namespace}/${owner.name}` : "";
  return `interface ${ifname} of container ${containerID === "" ? "(not known)" : containerID}${pod}`;
}
