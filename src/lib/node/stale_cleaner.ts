/** Releases what pods still hold that do not exist any more: their DEL never came. */
import { setImmediate } from "node:timers/promises";
import { type Clock, sleep, systemClock } from "../kube/clock.ts";
import type { KubeError } from "../kube/error.ts";
import { keyOf, nameOf } from "../kube/object.ts";
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
  /** What the API server says now; undefined when there is no such pod. */
  lookUp(namespace: string, name: string, signal: AbortSignal): Promise<Result<PodOnNode | undefined, KubeError>>;
}

/** What a cleaner works with. */
export interface StaleCleanerOptions {
  readonly store: DurableLedger;
  readonly pods: PodSource;
  readonly nodeName: string;
  readonly log: Log;
  /** Milliseconds between two questions to the API server. Default 5. */
  readonly pauseMs?: number;
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

/** Reservations of pods of one name, and what the API server says of it; undefined where it did not answer. */
interface Asked {
  readonly reservations: readonly OfPod[];
  readonly answer: { readonly pod: PodOnNode | undefined } | undefined;
}

/** A reservation whose pod was missing. */
interface Missed {
  readonly reservation: OfPod;
  readonly rounds: number;
}

/** Looks for stale reservations, round after round. */
export class StaleCleaner {
  readonly #options: StaleCleanerOptions;
  /** By identity: in how many rounds in a row the pod was missing. A reservation that was made anew is another one. */
  #missed = new Map<string, Missed>();
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

  /** One round. A pod about which the API server does not answer counts neither as missing nor as there. */
  async round(signal: AbortSignal): Promise<void> {
    if (!this.#options.pods.isKnown) return;
    const suspects = await this.#findSuspects();
    const before = this.#missed;
    const missed = new Map<string, Missed>();
    const due: OfPod[] = [];
    for await (const { reservations, answer } of this.#ask(suspects, signal)) {
      for (const reservation of reservations) {
        const identity = identityOf(toEntry(reservation));
        const rounds = before.get(identity)?.rounds ?? 0;
        if (answer === undefined) {
          if (rounds > 0) missed.set(identity, { reservation, rounds });
        } else if (!this.#isFor(answer.pod, reservation)) {
          missed.set(identity, { reservation, rounds: rounds + 1 });
          if (rounds + 1 >= ROUNDS) due.push(reservation);
        }
      }
    }
    this.#missed = missed;
    if (!signal.aborted) await this.#release(due);
  }

  /** Reservations whose pod is not among those known, by the pod's key. */
  async #findSuspects(): Promise<ReadonlyMap<string, readonly OfPod[]>> {
    const suspects = new Map<string, OfPod[]>();
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page: Page = this.#options.store.ledger.list({ from, limit: SLICE });
      for (const reservation of page.reservations) {
        if (!isOfPod(reservation) || this.#isKnown(reservation)) continue;
        const key = keyOf(reservation.owner);
        const known = suspects.get(key);
        if (known === undefined) suspects.set(key, [reservation]);
        else known.push(reservation);
      }
      from = page.next;
      await setImmediate();
    }
    return suspects;
  }

  #isKnown(reservation: OfPod): boolean {
    return this.#isFor(this.#options.pods.pods.get(keyOf(reservation.owner)), reservation);
  }

  /** Whether the reservation is this pod's. Where its runtime told no UID, a pod of its name on this node will do. */
  #isFor(pod: PodOnNode | undefined, { owner: { uid } }: OfPod): boolean {
    if (pod === undefined) return false;
    // Anybody may annotate his pod as a static one's mirror: it keeps what it holds under its own UID.
    return uid === "" ? pod.nodeName === this.#options.nodeName : pod.uid === uid || pod.metadata.uid === uid;
  }

  /**
   * Asks for the pods; after the first failure no more is asked, and the others have no answer. One question after the other,
   * with a pause: nothing waits for them, and a daemon that is busy with thousands gets its turn late for a request.
   */
  async *#ask(suspects: ReadonlyMap<string, readonly OfPod[]>, signal: AbortSignal): AsyncGenerator<Asked, void> {
    const { pauseMs = 5, clock = systemClock } = this.#options;
    let error: KubeError | undefined;
    let unasked = 0;
    for (const [key, reservations] of suspects) {
      if (error !== undefined) {
        if (++unasked % SLICE === 0) await setImmediate();
        yield { reservations, answer: undefined };
        continue;
      }
      if (pauseMs > 0) await sleep(clock, pauseMs, signal);
      const { namespace = "", name } = nameOf(key);
      const answer = await this.#options.pods.lookUp(namespace, name, signal);
      if (!answer.ok) error = answer.error;
      yield { reservations, answer: answer.ok ? { pod: answer.value } : undefined };
    }
    this.#tell(error);
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
      // Its pod may have shown up, and others may have released it or made it anew, while questions were under way.
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

function isOfPod(reservation: Reservation): reservation is OfPod {
  return reservation.owner.type === "pod";
}

function namesOf(reservations: readonly Reservation[]): string {
  const names = new Set(reservations.filter(isOfPod).map(({ owner }) => keyOf(owner)));
  const further = names.size > NAMED ? [`and ${names.size - NAMED} more`] : [];
  return [...[...names].slice(0, NAMED), ...further].join(", ");
}
