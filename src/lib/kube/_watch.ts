/** Reads the stream of a watch: one JSON object a line. */
import { finished } from "node:stream";
import { fail, ok, type Result } from "../result.ts";
import { readStatus } from "./_answer.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { HttpAnswer } from "./connection.ts";
import { exceptionText, type KubeError, localError, type Status, statusError } from "./error.ts";
import type { KubeObject, Selection } from "./object.ts";
import { parseWithoutList } from "./without_list.ts";

/** A BOOKMARK's object has only metadata: its resourceVersion, and annotations. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface WatchRequest<T> extends Selection {
  /** The moment after which changes are wanted; without one: from now on, or with `initialEvents` from nothing. */
  readonly resourceVersion?: string | undefined;
  /** After so many seconds the server ends the stream. */
  readonly timeoutSeconds?: number | undefined;
  /** Asks for what is there as ADDED events first; a BOOKMARK with the annotation k8s.io/initial-events-end ends them. */
  readonly initialEvents?: boolean | undefined;
  /** A stream that brings no byte for so many milliseconds is dead. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Reads an event's JSON; throws where it is none. Default: all of it but metadata.managedFields. */
  readonly parse?: ParseEvent | undefined;
  readonly onEvent: (event: WatchEvent<T>) => void;
}

/** Reads the JSON text of an event: as JSON.parse does, or less of it. */
export type ParseEvent = (text: string) => unknown;

/** Bytes of one event: more than an object may have (1.5 MiB in etcd), with room for what JSON adds. */
const LINE_LIMIT = 32 * 1024 * 1024;
const NEWLINE = 0x0a;
const TYPES: ReadonlySet<unknown> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]);

/** Sends the request and hands on its events until the stream ends. */
export async function watchEvents<T extends KubeObject>(
  what: string,
  { signal, silenceMs, onEvent, parse = parseEvent, clock = systemClock }: WatchRequest<T>,
  send: (signal: AbortSignal) => Promise<Result<HttpAnswer, KubeError>>,
): Promise<Result<void, KubeError>> {
  const silence = new Silence(clock, silenceMs, signal);
  try {
    const sent = await send(silence.signal);
    if (!sent.ok) return sent;
    if (sent.value.statusCode !== 200) return fail(await readStatus(what, sent.value));
    const heard = (): void => silence.broken();
    return await readLines(what, sent.value, heard, (line) => handOn(what, line, parse, onEvent));
  } catch (error) {
    if (signal.aborted) return fail(localError("aborted", `${what}: given up`));
    if (silence.dead) return fail(localError("unreachable", `${what}: nothing came for ${silenceMs} ms`));
    return fail(localError("unreachable", `${what}: ${exceptionText(error)}`));
  } finally {
    silence.end();
  }
}

/** managedFields are more than half of what a heartbeat of a node brings, and nobody reads them. */
function parseEvent(text: string): unknown {
  return parseWithoutList(text, "managedFields")?.value ?? JSON.parse(text);
}

/** Aborts when nothing was heard for too long, or when the caller's signal is aborted. */
class Silence {
  dead = false;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #abort = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onOuter = () => this.#abort.abort();
  #heard: number;
  #cancel: () => void;

  constructor(clock: Clock, limit: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#limit = limit;
    this.#outer = outer;
    this.#heard = clock.now();
    this.#cancel = clock.after(limit, () => this.#look());
    outer.addEventListener("abort", this.#onOuter, { once: true });
    if (outer.aborted) this.#abort.abort();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  broken(): void {
    this.#heard = this.#clock.now();
  }

  end(): void {
    this.#cancel();
    this.#outer.removeEventListener("abort", this.#onOuter);
  }

  #look(): void {
    const left = this.#heard + this.#limit - this.#clock.now();
    if (left > 0) {
      this.#cancel = this.#clock.after(left, () => this.#look());
      return;
    }
    this.dead = true;
    this.#abort.abort();
  }
}

/**
 * Hands on the lines of the stream until it ends. Not by iteration, which costs several promises for each event.
 *
 * @param onLine gives why the stream is over, if that line ends it.
 */
function readLines(
  what: string,
  { body }: HttpAnswer,
  heard: () => void,
  onLine: (line: Buffer) => KubeError | undefined,
): Promise<Result<void, KubeError>> {
  const lines = new Lines(what, onLine);
  const { promise, resolve, reject } = Promise.withResolvers<Result<void, KubeError>>();
  finished(body, { writable: false }, (error) => (error ? reject(error) : resolve(lines.end())));
  body.on("data", (chunk: Buffer) => {
    heard();
    try {
      const refused = lines.take(chunk);
      if (refused === undefined) return;
      resolve(fail(refused));
      body.destroy();
    } catch (error) {
      body.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  return promise;
}

/** Puts lines together of chunks that end anywhere. */
class Lines {
  readonly #what: string;
  readonly #onLine: (line: Buffer) => KubeError | undefined;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(what: string, onLine: (line: Buffer) => KubeError | undefined) {
    this.#what = what;
    this.#onLine = onLine;
  }

  take(chunk: Buffer): KubeError | undefined {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const last = chunk.subarray(start, end);
      const line = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
      this.#parts = [];
      this.#length = 0;
      start = end + 1;
      const refused = this.#onLine(line);
      if (refused !== undefined) return refused;
    }
    if (start === chunk.length) return undefined;
    this.#parts.push(chunk.subarray(start));
    this.#length += chunk.length - start;
    if (this.#length <= LINE_LIMIT) return undefined;
    return localError("malformed", `${this.#what}: an event is longer than ${LINE_LIMIT} bytes`);
  }

  /** What the end of the stream means. */
  end(): Result<void, KubeError> {
    if (this.#length === 0) return ok(undefined);
    return fail(localError("malformed", `${this.#what}: the stream ended within an event`));
  }
}

function handOn<T extends KubeObject>(
  what: string,
  line: Buffer,
  parse: ParseEvent,
  onEvent: (event: WatchEvent<T>) => void,
): KubeError | undefined {
  if (line.length === 0) return undefined;
  const event = parseLine(line, parse);
  if (event?.type === "ERROR") return statusError(what, (event.object ?? {}) as Status);
  const metadata = (event?.object as Partial<KubeObject> | undefined)?.metadata;
  if (!TYPES.has(event?.type) || typeof metadata?.resourceVersion !== "string") {
    return localError("malformed", `${what}: a line of the stream is not an event`);
  }
  onEvent(event as WatchEvent<T>);
  return undefined;
}

function parseLine(
  line: Buffer,
  parse: ParseEvent,
): { readonly type?: unknown; readonly object?: unknown } | undefined {
  try {
    const value = parse(line.toString("utf8"));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
