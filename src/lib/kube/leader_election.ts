/**
 * Leader election on a Lease, with client-go's meaning of its fields and times: one process at a time leads, and one that
 * cannot renew stops writing before another can begin.
 */
import type { Result } from "../result.ts";
import type { KubeClient } from "./client.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import type { KubeError } from "./error.ts";
import { claimed, LEASES, type Lease, type LeaseSpec, microTime, released } from "./lease.ts";
import { Reflector } from "./reflector.ts";

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** The Lease's name. */
  readonly name: string;
  /** This process, unlike every other's. */
  readonly identity: string;
  /** Milliseconds after which others may take a lease that was not renewed. Default 15,000; whole seconds. */
  readonly leaseDurationMs?: number;
  /** Milliseconds that a leader goes on without a renewal. Default 10,000. */
  readonly renewDeadlineMs?: number;
  /** Milliseconds between two tries. Default 2,000. */
  readonly retryPeriodMs?: number;
  readonly clock?: Clock;
  /** Numbers in [0, 1), for the jitter of tries to acquire. */
  readonly random?: () => number;
  /** The wall clock, for the times written into the Lease. */
  readonly date?: () => Date;
  readonly observer?: ElectionObserver;
}

/** Told what an election meets. */
export interface ElectionObserver {
  /** Another process leads now; "" when none does. */
  leader?(identity: string): void;
  /** A try to read, take or renew the lease failed. */
  failed?(error: KubeError): void;
  /** The API server answered a try. */
  answered?(): void;
}

/** Why {@link LeaderElection.run} came to its end: the signal was aborted, or the lease could not be renewed in time. */
export type ElectionEnd = "stopped" | "lost";

/** A candidate, and, for a time, the leader. */
export class LeaderElection {
  readonly #options: Required<Omit<LeaderElectionOptions, "observer">> & Pick<LeaderElectionOptions, "observer">;
  /** The lease as last seen, and when it was first seen so. */
  #seen: { readonly lease: Lease; readonly at: number } | undefined;
  /** When the last successful renewal was sent; none when this process does not hold the lease. */
  #renewedAt: number | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = {
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      clock: systemClock,
      random: Math.random,
      date: () => new Date(),
      ...options,
    };
  }

  /** Whether this process holds the lease, as far as it knows. */
  get isLeader(): boolean {
    return this.#renewedAt !== undefined;
  }

  /** The leader's identity as last seen; empty when there is none. */
  get leader(): string {
    return this.#seen?.lease.spec?.holderIdentity ?? "";
  }

  /**
   * Whether a write may be sent now: the last renewal is younger than the renew deadline, counted from before it was sent.
   * Ask before each write: a process that was held up knows it here, before its timers run.
   */
  mayWrite(): boolean {
    const { clock, renewDeadlineMs } = this.#options;
    return this.#renewedAt !== undefined && clock.now() - this.#renewedAt < renewDeadlineMs;
  }

  /**
   * Stands for election, then leads until the signal is aborted or the lease is lost. May be called again after that.
   *
   * @param lead the leader's work; its signal is aborted at the end. The lease is renewed until its promise settles, and
   *   only then released: it should hurry.
   */
  async run(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<ElectionEnd> {
    await this.#acquire(signal);
    if (!this.isLeader) return "stopped";
    const leading = new AbortController();
    const finished = new AbortController();
    const stop = (): void => leading.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const work = lead(leading.signal).finally(() => finished.abort());
    // Whatever it throws is thrown below, after the lease has been seen to.
    work.catch(() => undefined);
    const kept = await this.#keep(finished.signal);
    signal.removeEventListener("abort", stop);
    stop();
    if (kept) await this.#release();
    this.#renewedAt = undefined;
    await work;
    return kept ? "stopped" : "lost";
  }

  /** Tries until the lease is ours: every retry period, with jitter, and at once when the watch shows that it is free. */
  async #acquire(signal: AbortSignal): Promise<void> {
    const { clock, retryPeriodMs, renewDeadlineMs, random } = this.#options;
    const acquired = new AbortController();
    let free = new AbortController();
    const watch = this.#watch(AbortSignal.any([signal, acquired.signal]), () => free.abort());
    while (!signal.aborted) {
      free = new AbortController();
      if (await this.#try(renewDeadlineMs / 2, signal)) break;
      const wait = Math.min(retryPeriodMs * (1 + random() * 1.2), this.#untilFree());
      await sleep(clock, wait, AbortSignal.any([signal, free.signal]));
    }
    acquired.abort();
    await watch;
  }

  /** Where the right to watch is missing, the tries go on without. */
  #watch(signal: AbortSignal, onFree: () => void): Promise<void> {
    const { client, namespace, name, clock, random } = this.#options;
    const fieldSelector = `metadata.name=${name}`;
    const keep = (lease: Lease): Lease => lease;
    const reflector = new Reflector({ client, resource: LEASES, namespace, fieldSelector, keep, clock, random });
    reflector.store.subscribe((change) => {
      if (change.type !== "deleted") this.#see(change.now);
      if (change.type === "deleted" || !change.now.spec?.holderIdentity) onFree();
    });
    return reflector.run(signal);
  }

  /** Renews until the work is finished. @returns false when the lease is lost. */
  async #keep(finished: AbortSignal): Promise<boolean> {
    const { clock, retryPeriodMs, renewDeadlineMs, identity } = this.#options;
    for (;;) {
      const left = (this.#renewedAt ?? 0) + renewDeadlineMs - clock.now();
      await sleep(clock, Math.max(0, Math.min(retryPeriodMs, left)), finished);
      if (finished.aborted) return true;
      if (!this.mayWrite()) return false;
      const renewed = await this.#try(Math.min(left, renewDeadlineMs / 2));
      if (!renewed && this.leader !== identity) return false;
    }
  }

  async #release(): Promise<void> {
    const { date, renewDeadlineMs, observer } = this.#options;
    if (this.#seen === undefined) return;
    const spec = released(this.#seen.lease.spec ?? {}, microTime(date()));
    const done = await this.#put(this.#seen.lease, spec, AbortSignal.timeout(renewDeadlineMs / 2));
    if (done.ok) this.#see(done.value);
    else observer?.failed?.(done.error);
  }

  /** One try to take or to renew the lease. @returns whether it is ours now. */
  async #try(timeoutMs: number, outer?: AbortSignal): Promise<boolean> {
    const { clock, identity, observer } = this.#options;
    const sentAt = clock.now();
    const limit = new AbortController();
    const cancel = clock.after(timeoutMs, () => limit.abort());
    const tried = await this.#claim(outer === undefined ? limit.signal : AbortSignal.any([outer, limit.signal]));
    cancel();
    if (!tried.ok) {
      if (!outer?.aborted) observer?.failed?.(tried.error);
      return false;
    }
    observer?.answered?.();
    this.#see(tried.value);
    if (tried.value.spec?.holderIdentity !== identity) return false;
    this.#renewedAt = sentAt;
    return true;
  }

  /** The lease after a try: another's when it is held. */
  async #claim(signal: AbortSignal): Promise<Result<Lease, KubeError>> {
    const { client, namespace, name, identity, leaseDurationMs, date } = this.#options;
    const claim = { identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000), time: microTime(date()) };
    if (this.isLeader && this.#seen !== undefined) {
      const { lease } = this.#seen;
      const renewed = await this.#put(lease, claimed(lease.spec ?? {}, claim), signal);
      if (renewed.ok || (renewed.error.code !== "conflict" && renewed.error.code !== "notFound")) return renewed;
    }
    const read = await client.get<Lease>(LEASES, { namespace, name }, { signal });
    if (!read.ok) {
      if (read.error.code !== "notFound") return read;
      const spec = { ...claimed({}, claim), leaseTransitions: 0 };
      const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec };
      return client.create<Lease>(LEASES, namespace, lease, { signal });
    }
    this.#see(read.value);
    return this.#isFree() ? this.#put(read.value, claimed(read.value.spec ?? {}, claim), signal) : read;
  }

  #put(lease: Lease, spec: LeaseSpec, signal: AbortSignal): Promise<Result<Lease, KubeError>> {
    const { client, namespace, name } = this.#options;
    const object = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: lease.metadata, spec };
    return client.put<Lease>(LEASES, { namespace, name }, object, { signal });
  }

  /** Milliseconds until another's lease runs out, if it is not renewed; infinite where that time is over. */
  #untilFree(): number {
    if (this.#seen === undefined) return Number.POSITIVE_INFINITY;
    const { at, lease } = this.#seen;
    const left = at + (lease.spec?.leaseDurationSeconds ?? 0) * 1000 + 1 - this.#options.clock.now();
    return left > 0 ? left : Number.POSITIVE_INFINITY;
  }

  /** Another's lease is free when it did not change for its own duration by our clock: nobody's times are compared. */
  #isFree(): boolean {
    const { identity, clock } = this.#options;
    if (this.#seen === undefined) return true;
    const { at, lease } = this.#seen;
    const { holderIdentity = "", leaseDurationSeconds = 0 } = lease.spec ?? {};
    return holderIdentity === "" || holderIdentity === identity || clock.now() - at > leaseDurationSeconds * 1000;
  }

  #see(lease: Lease): void {
    const before = this.#seen;
    const same = before !== undefined && JSON.stringify(before.lease.spec) === JSON.stringify(lease.spec);
    const leader = this.leader;
    this.#seen = { lease, at: same ? before.at : this.#options.clock.now() };
    if (this.leader !== leader) this.#options.observer?.leader?.(this.leader);
  }
}
