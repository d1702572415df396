/** One set of connections to one API server, kept from call to call and replaced when certificates rotate. */
import type { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { fail, ok, type Result } from "../result.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Credentials, readCredentials, type TlsOptions } from "./credentials.ts";
import { type KubeError, localError } from "./error.ts";

/** One HTTP request. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the request, and the reading of its answer. */
  readonly signal: AbortSignal;
}

/** An answer whose body is still to be read, or to be destroyed. */
export type HttpAnswer = Dispatcher.ResponseData;

export interface ConnectionOptions {
  readonly userAgent: string;
  readonly clock?: Clock;
  /** How old credentials may be before their files are read again, in milliseconds. Default 10,000. */
  readonly credentialsMs?: number;
}

/** Sends requests with the present credentials. */
export class Connection {
  /** The server's URL, without a slash at its end and without credentials. */
  readonly server: string;
  /** The namespace that the configuration's context names; "default" where it names none. */
  readonly namespace: string;
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  readonly #userAgent: string;
  readonly #credentialsMs: number;
  #credentials: Credentials | undefined;
  #readAt = 0;
  #reading: Promise<Result<Credentials, KubeError>> | undefined;
  #dispatcher: Dispatcher | undefined;
  #closed = false;

  constructor(config: KubeConfig, { userAgent, clock = systemClock, credentialsMs = 10_000 }: ConnectionOptions) {
    this.server = (config.getCurrentCluster()?.server ?? "").replace(/(?<=^\w+:\/\/)[^/]*@/, "").replace(/\/+$/, "");
    this.namespace = config.getContextObject(config.getCurrentContext())?.namespace || "default";
    this.#config = config;
    this.#clock = clock;
    this.#userAgent = userAgent;
    this.#credentialsMs = credentialsMs;
  }

  /**
   * Sends a request. An answer 401 makes the credentials be read again, and the request sent once more if they differ.
   *
   * @returns `credentials` when these cannot be read, and never could.
   * @throws what undici throws when there is no answer, or the signal's reason.
   */
  async send(request: HttpRequest): Promise<Result<HttpAnswer, KubeError>> {
    const credentials = await abortable(this.#present(this.#credentialsMs), request.signal);
    if (!credentials.ok) return credentials;
    const answer = await this.#dispatch(request, credentials.value);
    if (answer.statusCode !== 401) return ok(answer);
    const anew = await abortable(this.#present(0), request.signal);
    if (!anew.ok || sameIdentity(anew.value, credentials.value)) return ok(answer);
    await answer.body.dump();
    return ok(await this.#dispatch(request, anew.value));
  }

  /** Cuts every connection; calls after this fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#dispatcher?.destroy();
  }

  #dispatch(request: HttpRequest, credentials: Credentials): Promise<HttpAnswer> {
    if (this.#closed || this.#dispatcher === undefined) throw new Error("the client is closed");
    const { method, path, headers, body, signal } = request;
    const { origin, pathname } = new URL(this.server);
    return this.#dispatcher.request({
      origin,
      path: `${pathname.replace(/\/$/, "")}${path}`,
      method,
      headers: { "user-agent": this.#userAgent, ...headers, ...credentials.headers },
      ...(body === undefined ? {} : { body }),
      signal,
    });
  }

  /** The credentials, read again when they are older than `maxAge`. Callers at the same time share one reading. */
  #present(maxAge: number): Promise<Result<Credentials, KubeError>> {
    const known = this.#credentials;
    if (known !== undefined && this.#clock.now() - this.#readAt < maxAge) return Promise.resolve(ok(known));
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<Result<Credentials, KubeError>> {
    const read = await readCredentials(this.#config);
    const before = this.#credentials;
    // Files may be missing while they are replaced; what was known may still do.
    if (!read.ok) return before === undefined ? read : ok(before);
    if (this.#closed) return fail(localError("aborted", "the client is closed"));
    if (before?.fingerprint !== read.value.fingerprint) {
      // What runs on the former connections may end there: a watch, for one, within its time.
      this.#dispatcher?.close().catch(() => undefined);
      this.#dispatcher = connect(read.value.tls, this.#config.getCurrentCluster()?.proxyUrl);
    }
    this.#credentials = read.value;
    this.#readAt = this.#clock.now();
    return read;
  }
}

/** The same promise, until the signal is aborted: a credential plugin may hang. @throws the signal's reason. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function sameIdentity(one: Credentials, other: Credentials): boolean {
  return one.fingerprint === other.fingerprint && JSON.stringify(one.headers) === JSON.stringify(other.headers);
}

/** Calls and watches end by signals of their own: undici's time limits are off. */
function connect(tls: TlsOptions, proxy: string | undefined): Dispatcher {
  const { ca, ...others } = tls;
  const options = { ca: ca as string | Buffer | string[], ...others };
  const limits = { headersTimeout: 0, bodyTimeout: 0, keepAliveTimeout: 60_000, keepAliveMaxTimeout: 60_000 };
  const connector = { timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 };
  if (proxy) return new ProxyAgent({ uri: proxy, requestTls: options, connect: connector, ...limits });
  return new Agent({ connect: { ...options, ...connector }, ...limits });
}
