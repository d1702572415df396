/** Events: what happened to an object, for people who describe it. Never waited for, bounded, and the same thing only counted. */
import { createHash } from "node:crypto";
import type { KubeClient } from "./client.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import type { KubeError } from "./error.ts";
import type { KubeObject, Resource } from "./object.ts";

/** What an event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** What happened. */
export interface EventText {
  readonly type: "Normal" | "Warning";
  /** One word in CamelCase, for machines. */
  readonly reason: string;
  /** For people; cut at 1,024 bytes, the API's limit. */
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Who says it: `source.component`. */
  readonly component: string;
  /** Events that wait to be sent; more are dropped. Default 1,000. */
  readonly waiting?: number;
  /** Different events remembered, to count repeated ones. Default 1,000. */
  readonly remembered?: number;
  /** Events that one object may have at once, then one each `refillMs`. Default 25 and 300,000 ms, as client-go has it. */
  readonly burst?: number;
  readonly refillMs?: number;
  readonly clock?: Clock;
  /** The wall clock. */
  readonly date?: () => Date;
  readonly observer?: { dropped?(subject: EventSubject, text: EventText): void; failed?(error: KubeError): void };
}

const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
const MESSAGE_LIMIT = 1024;
const TRIES = 5;

/** An event that was sent, or waits for it. */
interface Entry {
  readonly id: string;
  readonly subject: EventSubject;
  readonly text: EventText;
  readonly first: string;
  last: string;
  count: number;
  /** The name of the Event object, when there is one. */
  name: string | undefined;
}

/** Sends events one after another. */
export class EventRecorder {
  readonly #options: Required<Omit<EventRecorderOptions, "observer">> & Pick<EventRecorderOptions, "observer">;
  /** The least lately used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Map<string, Entry>();
  /** For each object: when its bucket of events would be full again. */
  readonly #spent = new Map<string, number>();
  readonly #abort = new AbortController();
  #sending: Promise<void> | undefined;
  #current: Entry | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = {
      waiting: 1000,
      remembered: 1000,
      burst: 25,
      refillMs: 300_000,
      clock: systemClock,
      date: () => new Date(),
      ...options,
    };
  }

  /** Events that are not sent yet. */
  get waiting(): number {
    return this.#waiting.size + (this.#current === undefined ? 0 : 1);
  }

  /** Notes an event and returns at once. */
  record(subject: EventSubject, text: EventText): void {
    const { waiting, observer } = this.#options;
    const id = JSON.stringify([subject.kind, subject.namespace, subject.name, subject.uid, text]);
    const full = !this.#waiting.has(id) && this.#waiting.size >= waiting;
    if (this.#abort.signal.aborted || full || !this.#granted(subject)) {
      observer?.dropped?.(subject, text);
      return;
    }
    this.#waiting.set(id, this.#remember(id, subject, text));
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Sends what waits, for at most `graceMs`, and takes no more. */
  async stop(graceMs: number): Promise<void> {
    const cancel = this.#options.clock.after(graceMs, () => this.#abort.abort());
    await this.#sending;
    cancel();
    this.#abort.abort();
  }

  #remember(id: string, subject: EventSubject, text: EventText): Entry {
    const now = this.#options
      .date()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    const known = this.#entries.get(id);
    const entry = known ?? { id, subject, text, first: now, last: now, count: 0, name: undefined };
    entry.last = now;
    entry.count++;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#options.remembered && oldest !== undefined) this.#entries.delete(oldest);
    return entry;
  }

  #granted({ kind, namespace, name, uid }: EventSubject): boolean {
    const { clock, burst, refillMs, remembered } = this.#options;
    const key = JSON.stringify([kind, namespace, name, uid]);
    const now = clock.now();
    const fullAt = Math.max(this.#spent.get(key) ?? now, now) + refillMs;
    if (fullAt > now + burst * refillMs) return false;
    this.#spent.delete(key);
    this.#spent.set(key, fullAt);
    const [oldest] = this.#spent.keys();
    if (this.#spent.size > remembered && oldest !== undefined) this.#spent.delete(oldest);
    return true;
  }

  async #send(): Promise<void> {
    const { signal } = this.#abort;
    for (;;) {
      const [entry] = this.#waiting.values();
      if (entry === undefined || signal.aborted) return;
      this.#waiting.delete(entry.id);
      this.#current = entry;
      await this.#deliver(entry, signal);
      this.#current = undefined;
    }
  }

  /** A refusal is final; where the server could not be asked, it is asked again a few times. */
  async #deliver(entry: Entry, signal: AbortSignal): Promise<void> {
    for (let failures = 0; ; failures++) {
      const error = await this.#sendOnce(entry, signal);
      if (error === undefined) return;
      const passing = error.code === "unreachable" || error.code === "server" || error.code === "throttled";
      if (!passing || failures + 1 >= TRIES || signal.aborted) {
        this.#options.observer?.failed?.(error);
        return;
      }
      await sleep(this.#options.clock, Math.max(error.retryAfterMs ?? 0, 1000 * 2 ** failures), signal);
    }
  }

  async #sendOnce(entry: Entry, signal: AbortSignal): Promise<KubeError | undefined> {
    const { client } = this.#options;
    const namespace = entry.subject.namespace ?? "default";
    if (entry.name !== undefined) {
      const patch = { count: entry.count, lastTimestamp: entry.last };
      const name = { namespace, name: entry.name };
      const patched = await client.patch(EVENTS, name, patch, { type: "merge", signal });
      if (patched.ok) return undefined;
      // Events are forgotten after an hour: then it is told anew.
      if (patched.error.code !== "notFound") return patched.error;
    }
    const made = await client.create<KubeObject>(EVENTS, namespace, this.#object(entry, namespace), { signal });
    if (!made.ok) return made.error;
    entry.name = made.value.metadata.name;
    return undefined;
  }

  #object({ id, subject, text, first, last, count }: Entry, namespace: string): unknown {
    const unique = createHash("sha256").update(`${id} ${last} ${process.pid} ${performance.timeOrigin}`).digest("hex");
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${shortName(subject.name)}.${unique.slice(0, 16)}`, namespace },
      involvedObject: subject,
      type: text.type,
      reason: text.reason,
      message: cut(text.message),
      source: { component: this.#options.component },
      reportingComponent: this.#options.component,
      firstTimestamp: first,
      lastTimestamp: last,
      count,
    };
  }
}

/** Leaves room for what makes the name unique. What is cut off must not leave an end that no name may have before a dot. */
function shortName(name: string): string {
  return name.slice(0, 200).replace(/[-.]+$/, "");
}

function cut(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= MESSAGE_LIMIT) return message;
  // A character that the cut divides decodes as U+FFFD, once.
  return `${bytes
    .subarray(0, MESSAGE_LIMIT - 6)
    .toString("utf8")
    .replace(/\ufffd$/, "")}\u2026`;
}
