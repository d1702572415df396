/** A node's ledger without a disk, and pods of a cluster that can be asked for. */
import type { KubeError } from "../../src/lib/kube/error.ts";
import { localError } from "../../src/lib/kube/error.ts";
import { keepPod, type PodOnNode } from "../../src/lib/node/pod_watch.ts";
import type { PodSource } from "../../src/lib/node/stale_cleaner.ts";
import type { Log } from "../../src/lib/observe/log.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { DurableLedger } from "../../src/lib/rpc/server/ipam.ts";

/** A store whose commits succeed until they are told to fail. */
export class MemoryStore implements DurableLedger {
  readonly ledger = new Ledger();
  commits = 0;
  isFailing = false;

  async commit(): Promise<Result<void, { readonly message: string }>> {
    this.commits++;
    const changes = this.ledger.takeChanges();
    if (!this.isFailing) return ok(undefined);
    this.ledger.undo(changes);
    return fail({ message: "the disk is full" });
  }

  admitsReservations(): Result<void, { readonly message: string }> {
    return ok(undefined);
  }
}

/** What a pod is made of; the names follow from that of the container. */
export interface PodText {
  readonly name: string;
  readonly uid?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly phase?: string;
}

/** A pod as the daemon keeps it. */
export function pod({ name, uid = `uid-${name}`, annotations = {}, phase = "Running" }: PodText) {
  return keepPod({
    metadata: {
      namespace: "default",
      name: `pod-${name}`,
      uid,
      annotations,
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    status: { phase },
  });
}

/** The API server's pods, and what the watch has told of them. */
export class FakePods implements PodSource {
  /** As they are. */
  readonly truth = new Map<string, PodOnNode>();
  /** As the daemon knows them. */
  readonly pods = new Map<string, PodOnNode>();
  isKnown = true;
  trouble: KubeError | undefined;
  /** How often they were asked for. */
  asked = 0;
  /** Happens before an answer. */
  beforeAnswer: () => void = () => undefined;

  /** Makes a pod, known to the watch as well. */
  add(text: PodText): void {
    const made = pod(text);
    this.truth.set(made.key, made);
    this.pods.set(made.key, made);
  }

  /** Deletes the pod of this container, also for the watch. */
  delete(name: string): void {
    for (const pods of [this.truth, this.pods]) pods.delete(`default/pod-${name}`);
  }

  /** The watch tells all that it has not told yet. */
  catchUp(): void {
    this.pods.clear();
    for (const [key, each] of this.truth) this.pods.set(key, each);
  }

  async list(): Promise<Result<ReadonlyMap<string, PodOnNode>, KubeError>> {
    this.asked++;
    await new Promise((resolve) => setImmediate(resolve));
    this.beforeAnswer();
    return this.trouble === undefined ? ok(new Map(this.truth)) : fail(this.trouble);
  }

  /** Nobody answers from now on, or again. */
  setReachable(isReachable: boolean): void {
    this.trouble = isReachable ? undefined : localError("unreachable", "GET pods: connection refused");
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** A log that can be read. */
export class LogLines implements Log {
  readonly lines: string[] = [];
  readonly #verbosity: number;

  constructor(verbosity = 0) {
    this.#verbosity = verbosity;
  }

  info(message: string, fields: Fields = {}, level = 0): void {
    if (level <= this.#verbosity) this.lines.push(`info ${message} ${JSON.stringify(fields)}`);
  }

  warning(message: string, fields: Fields = {}): void {
    this.lines.push(`warning ${message} ${JSON.stringify(fields)}`);
  }

  error(message: string, fields: Fields = {}): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields)}`);
  }

  enabled(level: number): boolean {
    return level <= this.#verbosity;
  }

  named(): Log {
    return this;
  }
}
