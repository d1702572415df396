/** Releases what pods still hold that do not exist any more: their DEL never came. */
import { setImmediate } from "node:timers/promises";
import { type Clock, sleep, systemClock } from "../kube/clock.ts";
import type { KubeError } from "../kube/error.ts";
import { keyOf } from "../kube/object.ts";
import type { Exposition } from "../observe/exposition.ts";
import type { Log } from "../observe/log.ts";
import { identityOf, toEntry } from "../reservations/entry.ts";
import type { Page } from "../reservations/ledger.ts";
import type { PodOwner, Reservation } from "../reservations/reservation.ts";
import type { Result } from "../result.ts";
import type { DurableLedger } from "../rpc/server/ipam.ts";
import type { PodOnNode } from "./pod_watch.ts";

/** The pods of this node, as the cleaner asks about them. */
export interface PodSource {
  /** Those that are known by `namespace/name`; in an outage they may be out of date. */
  readonly pods: { get(key: string): PodOnNode | undefined };
  /** Whether they were ever listed. */
  readonly isKnown: boolean;
  /** Those that the API server has now, by `namespace/name`. */
  list(signal: AbortSignal): Promise<Result<ReadonlyMap<string, PodOnNode>, KubeError>>;
}

/** What a cleaner works with. */
export interface StaleCleanerOptions {
  readonly store: DurableLedger;
  readonly pods: PodSource;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Milliseconds between rounds. */
const EVERY_MS = 60_000;
/** The round in a row in which its pod is missing that releases a reservation. */
const ROUNDS = 4;
/** Reservations that are looked at in one turn of the event loop. */
const SLICE = 256;
/** Reservations that are released by one record of the journal. */
const GROUP = 64;
/** Names in a line of the log. */
const NAMED = 50;

type OfPod = Reservation & { readonly owner: PodOwner };

/** Looks for stale reservations, round after round. */
export class StaleCleaner {
  readonly #options: StaleCleanerOptions;
  /** By identity: in how many rounds in a row the pod was missing. A reservation that was made anew is another one. */
  #missed = new Map<string, number>();
  #isRefused = false;
  #released = 0;

  constructor(options: StaleCleanerOptions) {
    this.#options = options;
  }

  /** How many reservations it has released. */
  get released(): number {
    return this.#released;
  }

  /** A round every minute until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock = systemClock } = this.#options;
    for (;;) {
      await sleep(clock, EVERY_MS, signal);
      if (signal.aborted) return;
      await this.round(signal);
    }
  }

  /** One round. The API server is asked only where a pod seems to be missing; without its answer a round counts for nothing. */
  async round(signal: AbortSignal): Promise<void> {
    const { pods } = this.#options;
    if (!pods.isKnown) return;
    const suspects = await this.#findSuspects();
    const listed = suspects.length === 0 ? undefined : await pods.list(signal);
    if (listed !== undefined) this.#tell(listed.ok ? undefined : listed.error);
    const missed = new Map<string, number>();
    const due: OfPod[] = [];
    for (const [index, reservation] of suspects.entries()) {
      if (index % SLICE === SLICE - 1) await setImmediate();
      const identity = identityOf(toEntry(reservation));
      const rounds = this.#missed.get(identity) ?? 0;
      if (listed?.ok !== true) {
        if (rounds > 0) missed.set(identity, rounds);
      } else if (!isFor(listed.value.get(keyOf(reservation.owner)), reservation)) {
        missed.set(identity, rounds + 1);
        if (rounds + 1 >= ROUNDS) due.push(reservation);
      }
    }
    this.#missed = missed;
    if (!signal.aborted) await this.#release(due);
  }

  /** Reservations whose pod is not among those known. */
  async #findSuspects(): Promise<readonly OfPod[]> {
    const suspects: OfPod[] = [];
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page: Page = this.#options.store.ledger.list({ from, limit: SLICE });
      suspects.push(...page.reservations.filter(isOfPod).filter((each) => !this.#isKnown(each)));
      from = page.next;
      await setImmediate();
    }
    return suspects;
  }

  #isKnown(reservation: OfPod): boolean {
    return isFor(this.#options.pods.pods.get(keyOf(reservation.owner)), reservation);
  }

  /** A trouble is told once, when it begins. */
  #tell(error: KubeError | undefined): void {
    if (error?.code === "aborted") return;
    if (error !== undefined && !this.#isRefused) {
      this.#options.log.warning("Nothing stale is released while the API server does not say which pods there are", {
        err: error.message,
      });
    }
    this.#isRefused = error !== undefined;
  }

  async #release(due: readonly OfPod[]): Promise<void> {
    const { store, log } = this.#options;
    const gone: Reservation[] = [];
    for (let from = 0; from < due.length; from += GROUP) {
      // Its pod may have shown up, and others may have released it or made it anew meanwhile.
      const group = due.slice(from, from + GROUP).filter((each) => !this.#isKnown(each));
      const released = group.filter((each) => store.ledger.release([each]) > 0);
      const committed = await store.commit();
      if (!committed.ok) {
        log.error("Stale reservations could not be released", { err: committed.error.message });
        break;
      }
      for (const reservation of released) this.#missed.delete(identityOf(toEntry(reservation)));
      gone.push(...released);
    }
    if (gone.length === 0) return;
    this.#released += gone.length;
    const named = log.enabled(2) ? { pods: namesOf(gone) } : {};
    log.info("Released what pods held that are gone", { reservations: gone.length, ...named });
  }
}

/** Shows what a cleaner does. */
export function showStaleCleaner(shown: Exposition, cleaner: StaleCleaner): void {
  shown.total(
    { name: "nvipam_stale_releases_total", help: "Reservations that were released because their pod is gone" },
    () => cleaner.released,
  );
}

/** Whether the reservation is this pod's. Where its runtime told no UID, a pod of its name on this node will do. */
function isFor(pod: PodOnNode | undefined, { owner: { uid } }: OfPod): boolean {
  if (pod === undefined) return false;
  // Anybody may annotate his pod as a static one's mirror: it keeps what it holds under its own UID.
  return uid === "" || pod.uid === uid || pod.metadata.uid === uid;
}

function isOfPod(reservation: Reservation): reservation is OfPod {
  return reservation.owner.type === "pod";
}

function namesOf(reservations: readonly Reservation[]): string {
  const names = new Set(reservations.filter(isOfPod).map(({ owner }) => keyOf(owner)));
  const further = names.size > NAMED ? [`and ${names.size - NAMED} more`] : [];
  return [...[...names].slice(0, NAMED), ...further].join(", ");
}
