/** Keeps a store equal to what the API server has of one kind: a consistent list, then a watch that never stays silent. */
import { fail, ok, type Result } from "../result.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { KubeClient, ParseEvent, WatchEvent } from "./client.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import { type KubeError, localError } from "./error.ts";
import { readList } from "./list_all.ts";
import { type KubeObject, keyOf, type Resource, type Selection } from "./object.ts";
import { Store, type Stored, type StoreView } from "./store.ts";

export interface ReflectorOptions<T extends KubeObject, S extends Stored> extends Selection {
  readonly client: KubeClient;
  readonly resource: Resource;
  /** What of an object is kept; of the rest only what the store holds stays in memory. */
  readonly keep: (object: T) => S;
  /** Reads the events of watches; see {@link ParseEvent}. Pages of lists are always read whole. */
  readonly parse?: ParseEvent;
  /** Whether to ask for streaming lists, where the server has them. Default true. */
  readonly streaming?: boolean;
  /** Objects a page of a list. Default 500. */
  readonly pageSize?: number;
  /** The server ends a watch after between this and twice this many seconds. Default 300. */
  readonly watchSeconds?: number;
  /** A watch that brings nothing for so many milliseconds is dead. Default 90,000. */
  readonly silenceMs?: number;
  /** Milliseconds for one page of a list. Default 60,000. */
  readonly listTimeoutMs?: number;
  /** Waits between tries. Default: 500 ms to 30 s. */
  readonly backoff?: Omit<BackoffOptions, "random">;
  readonly clock?: Clock;
  /** Numbers in [0, 1). */
  readonly random?: () => number;
  readonly observer?: ReflectorObserver;
}

/** Told what the reflector does, for logs and metrics. */
export interface ReflectorObserver {
  /** The store holds a whole list. */
  listed?(count: number): void;
  /** A list or watch failed; the next try is in `waitMs`. */
  failed?(during: "list" | "watch", error: KubeError, waitMs: number): void;
  /** A watch begins. */
  watching?(resourceVersion: string): void;
  /** After a failure, the server has said something again. */
  recovered?(): void;
}

/** A server that ends watches sooner than this, in milliseconds, and says nothing in them, is not asked again at once. */
const SHORT_MS = 1000;
/** A healthy server sends a bookmark each minute. */
const SILENCE_MS = 90_000;
const INITIAL_END = "k8s.io/initial-events-end";

/** One reflector; {@link Reflector.run} does the work. */
export class Reflector<T extends KubeObject, S extends Stored = T> {
  readonly #options: ReflectorOptions<T, S>;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #store = new Store<S>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  /** The moment that the store shows; none when a list is due. */
  #version: string | undefined;
  /** Whether the server may be asked for a streaming list: until it refuses. */
  #streaming: boolean;
  /** Whether the last list was a streaming one that came to nothing: what is wrong may be wrong with those alone. */
  #streamFailed = false;
  /** Whether the last thing that happened was a failure. */
  #failing = false;

  constructor(options: ReflectorOptions<T, S>) {
    this.#options = options;
    this.#streaming = options.streaming ?? true;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ firstMs: 500, longestMs: 30_000, ...options.backoff, random: this.#random });
  }

  get store(): StoreView<S> {
    return this.#store;
  }

  /** Whether a whole list has been in the store: it stays true in an outage. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves when a whole list has been in the store; never rejects. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Lists and watches until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const during = this.#version === undefined ? "list" : "watch";
      const done = during === "list" ? await this.#list(signal) : await this.#watch(signal);
      if (!done.ok && !signal.aborted) await this.#recover(during, done.error, signal);
    }
  }

  async #recover(during: "list" | "watch", error: KubeError, signal: AbortSignal): Promise<void> {
    const wait = Math.max(this.#backoff.next(), error.retryAfterMs ?? 0);
    this.#failing = true;
    if (error.code === "gone") this.#version = undefined;
    this.#options.observer?.failed?.(during, error, wait);
    await sleep(this.#clock, wait, signal);
  }

  #list(signal: AbortSignal): Promise<Result<void, KubeError>> {
    const asStream = this.#streaming && !this.#streamFailed;
    this.#streamFailed = false;
    return asStream ? this.#listAsStream(signal) : this.#listInPages(signal);
  }

  async #listInPages(signal: AbortSignal): Promise<Result<void, KubeError>> {
    const { client, resource, keep, pageSize, listTimeoutMs = 60_000 } = this.#options;
    const listed = await readList<T, readonly [string, S]>(client, resource, {
      ...this.#selection(),
      keep: (object) => [keyOf(object.metadata), keep(object)],
      pageSize,
      timeoutMs: listTimeoutMs,
      signal,
    });
    if (!listed.ok) return listed;
    this.#replace(new Map(listed.value.items), listed.value.resourceVersion);
    return ok(undefined);
  }

  /** The list as events of a watch, which goes on as the watch after it. */
  async #listAsStream(signal: AbortSignal): Promise<Result<void, KubeError>> {
    const { silenceMs = SILENCE_MS } = this.#options;
    const found = new Map<string, S>();
    let listed = false;
    let heardAt = this.#clock.now();
    const ended = await this.#open(signal, undefined, (event) => {
      heardAt = this.#clock.now();
      if (listed) this.#take(event);
      else if (event.type === "DELETED") found.delete(keyOf(event.object.metadata));
      else if (event.type !== "BOOKMARK") found.set(keyOf(event.object.metadata), this.#options.keep(event.object));
      else if (event.object.metadata.annotations?.[INITIAL_END] === "true") {
        listed = true;
        this.#replace(found, event.object.metadata.resourceVersion);
      }
    });
    this.#streamFailed = !listed;
    if (!ended.ok && ended.error.code === "invalid") {
      this.#streaming = false;
      return ok(undefined);
    }
    // Where nothing changes it may have no bookmark for minutes. The watch that goes on has, or finds out what is wrong.
    if (listed && this.#clock.now() - heardAt >= silenceMs) return ok(undefined);
    return ended.ok && !listed ? fail(localError("malformed", "the streaming list ended before it was whole")) : ended;
  }

  /**
   * A watch that never brings anything may be one from a version that the server has not reached yet, because its data was
   * restored: it is quiet about that. So a new list is due after it.
   */
  async #watch(signal: AbortSignal): Promise<Result<void, KubeError>> {
    const { silenceMs = SILENCE_MS } = this.#options;
    const since = this.#clock.now();
    let quiet = true;
    const ended = await this.#open(signal, this.#version, (event) => {
      quiet = false;
      this.#take(event);
    });
    if (quiet && this.#clock.now() - since >= silenceMs) this.#version = undefined;
    return ended;
  }

  async #open(
    signal: AbortSignal,
    from: string | undefined,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<Result<void, KubeError>> {
    const { client, resource, parse, watchSeconds = 300, silenceMs = SILENCE_MS, observer } = this.#options;
    const since = this.#clock.now();
    let quiet = true;
    observer?.watching?.(from ?? "");
    const ended = await client.watch<T>(resource, {
      ...this.#selection(),
      resourceVersion: from,
      initialEvents: from === undefined,
      timeoutSeconds: Math.ceil(watchSeconds * (1 + this.#random())),
      silenceMs,
      signal,
      clock: this.#clock,
      parse,
      onEvent: (event) => {
        quiet = false;
        onEvent(event);
      },
    });
    if (!ended.ok || !quiet || this.#clock.now() - since >= SHORT_MS) return ended;
    return fail(localError("unreachable", `the watch of ${resource.plural} was ended at once, without an event`));
  }

  #take({ type, object }: WatchEvent<T>): void {
    this.#heard();
    const key = keyOf(object.metadata);
    if (type === "DELETED") this.#store.remove(key);
    else if (type !== "BOOKMARK") this.#store.put(key, this.#options.keep(object));
    this.#version = object.metadata.resourceVersion;
  }

  #replace(found: ReadonlyMap<string, S>, version: string | undefined): void {
    this.#heard();
    this.#version = version;
    this.#store.replace(found);
    this.#hasSynced = true;
    this.#synced.resolve();
    this.#options.observer?.listed?.(found.size);
  }

  #heard(): void {
    this.#backoff.reset();
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.observer?.recovered?.();
  }

  #selection(): Selection {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    return { namespace, labelSelector, fieldSelector, metadataOnly };
  }
}
