/** Candidates for a lease, over a server of one lease. Times are short, clocks can be moved. */
import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../../../src/lib/kube/clock.ts";
import { type ElectionEnd, LeaderElection, type LeaderElectionOptions } from "../../../src/lib/kube/leader_election.ts";
import { FaultServer } from "../_fault_server.ts";
import { LeaseServer } from "./_lease_server.ts";

/** The system's clock, which can be moved on without its timers noticing: as for a process that was held up. */
class MovedClock implements Clock {
  moved = 0;
  now(): number {
    return systemClock.now() + this.moved;
  }
  after(ms: number, then: () => void): () => void {
    return systemClock.after(ms, then);
  }
}

/** A candidate and what became of it. */
export interface Candidate {
  readonly election: LeaderElection;
  readonly clock: MovedClock;
  readonly leads: Promise<void>;
  readonly ended: Promise<ElectionEnd>;
  readonly stop: () => void;
  /** Lets the leader's work end after its signal was aborted. */
  readonly finish: () => void;
  readonly aborted: () => boolean;
}

/** A server and its candidates. */
export interface Bench {
  readonly faults: FaultServer;
  readonly leases: LeaseServer;
  readonly candidate: (identity: string, options?: Partial<LeaderElectionOptions>) => Candidate;
}

/** Runs `body`; candidates that are left are stopped. */
export async function withServer(body: (bench: Bench) => Promise<void>): Promise<void> {
  const faults = await FaultServer.start();
  const leases = new LeaseServer();
  faults.otherwise = leases.serve;
  const candidates: Candidate[] = [];
  const candidate = (identity: string, options: Partial<LeaderElectionOptions> = {}): Candidate => {
    const made = stand(faults, identity, options);
    candidates.push(made);
    return made;
  };
  // A timer that keeps the process alive: the elections' own do not.
  const alive = setInterval(() => undefined, 1000);
  try {
    await body({ faults, leases, candidate });
  } finally {
    leases.fault = undefined;
    for (const { stop, finish } of candidates) {
      stop();
      finish();
    }
    await Promise.all(candidates.map(({ ended }) => ended));
    clearInterval(alive);
    await faults.stop();
  }
}

function stand(faults: FaultServer, identity: string, options: Partial<LeaderElectionOptions>): Candidate {
  const clock = new MovedClock();
  const election = new LeaderElection({
    client: faults.client(),
    namespace: "ns",
    name: "leader",
    identity,
    leaseDurationMs: 3_600_000,
    renewDeadlineMs: 1_800_000,
    retryPeriodMs: 20,
    clock,
    ...options,
  });
  const abort = new AbortController();
  const leads = Promise.withResolvers<void>();
  const finished = Promise.withResolvers<void>();
  let aborted = false;
  const ended = election.run(abort.signal, async (signal) => {
    leads.resolve();
    signal.addEventListener("abort", () => {
      aborted = true;
    });
    aborted ||= signal.aborted;
    await finished.promise;
  });
  return {
    election,
    clock,
    leads: leads.promise,
    ended,
    stop: () => abort.abort(),
    finish: () => finished.resolve(),
    aborted: () => aborted,
  };
}

/** Waits until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}
