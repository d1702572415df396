/** The HTTPS server of a validating admission webhook (admission.k8s.io/v1 AdmissionReview). */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { fail, ok, type Result } from "../result.ts";
import { parseReview } from "./_admission_review.ts";
import { type Certificate, readCertificate } from "./_certificate.ts";
import { type Clock, systemClock } from "./clock.ts";

/** What the API server asks about. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace: string;
  /** Empty when the server is to generate it. */
  readonly name: string;
  readonly subResource: string;
  readonly dryRun: boolean;
  /** The object after the change; undefined for DELETE. Of any shape: nobody has looked at it. */
  readonly object: unknown;
  /** The object before the change; undefined for CREATE. */
  readonly oldObject: unknown;
}

/** The answer: a refusal says why, a warning is shown to the user either way. */
export interface AdmissionVerdict {
  readonly allowed: boolean;
  /** For a refusal: what is wrong and what would be right. */
  readonly message?: string;
  /** For a refusal: HTTP status and reason. Default 422 and Invalid. */
  readonly code?: number;
  readonly reason?: string;
  readonly warnings?: readonly string[];
}

export interface AdmissionOptions {
  /** Default 9443; 0 takes a free one. */
  readonly port?: number;
  /** Address to listen on. Default: all. */
  readonly host?: string;
  /** PEM files; looked at again each `reloadMs`. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Reviewers by path. They answer from memory: nothing is waited for. */
  readonly reviewers: Readonly<Record<string, (request: AdmissionRequest) => AdmissionVerdict>>;
  /** Bytes of a review. Default 5 MiB: a request's object has 3 MiB at most, the stored one 1.5 MiB, and there is room. */
  readonly maxBytes?: number;
  /** Milliseconds for a request to arrive whole. Default 2,000. */
  readonly requestMs?: number;
  /** Milliseconds between two looks at the certificate's files. Default 10,000. */
  readonly reloadMs?: number;
  readonly clock?: Clock;
  readonly observer?: AdmissionObserver;
}

/** Told of what an operator should see. */
export interface AdmissionObserver {
  /** New files are in use. */
  reloaded?(): void;
  /** New files cannot be used: the former certificate stays. */
  notReloaded?(message: string): void;
  /** A reviewer threw, which is a bug: the API server was answered 500. */
  threw?(path: string, error: unknown): void;
}

/** The server. */
export class AdmissionServer {
  readonly #options: AdmissionOptions;
  readonly #clock: Clock;
  #server: Server | undefined;
  #certificate: Certificate | undefined;
  #cancel: () => void = () => undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The port it listens on; 0 before it does. */
  get port(): number {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port ?? 0;
  }

  /** When the certificate in use expires; undefined before there is one. */
  get certificateExpires(): Date | undefined {
    return this.#certificate?.expires;
  }

  /** Listens. @returns why it cannot: the certificate's files, or the address. */
  async start(): Promise<Result<void, string>> {
    const { certFile, keyFile, port = 9443, host, requestMs = 2000 } = this.#options;
    const read = await readCertificate(certFile, keyFile);
    if (!read.ok) return read;
    this.#certificate = read.value;
    const limits = { requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: 500 };
    const { cert, key } = read.value;
    const server = createServer(
      { cert, key, minVersion: "TLSv1.2", handshakeTimeout: 5000, ...limits },
      (question, answer) => this.#serve(question, answer),
    );
    // Longer than the API server keeps idle connections: it is the one to end them.
    server.keepAliveTimeout = 120_000;
    server.maxConnections = 1000;
    server.on("tlsClientError", () => undefined);
    this.#server = server;
    const listening = await new Promise<Result<void, string>>((resolve) => {
      server.once("error", (error) => resolve(fail(`the webhook cannot listen on port ${port}: ${error.message}`)));
      server.listen({ port, ...(host === undefined ? {} : { host }) }, () => resolve(ok(undefined)));
    });
    // A connection that cannot be accepted, as no file may be opened any more, ends alone.
    server.on("error", () => undefined);
    if (listening.ok) this.#lookLater();
    return listening;
  }

  /** Answers what has arrived, for at most `graceMs`, then ends. */
  async stop(graceMs: number): Promise<void> {
    this.#cancel();
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    const cancel = this.#clock.after(graceMs, () => server.closeAllConnections());
    await closed;
    cancel();
  }

  #lookLater(): void {
    const { reloadMs = 10_000 } = this.#options;
    this.#cancel = this.#clock.after(reloadMs, () => void this.reload().then(() => this.#lookLater()));
  }

  /** Looks whether the certificate's files have changed, and uses them if they belong together. */
  async reload(): Promise<void> {
    const { certFile, keyFile, observer } = this.#options;
    const read = await readCertificate(certFile, keyFile);
    if (!read.ok) {
      observer?.notReloaded?.(read.error);
      return;
    }
    const { cert, key } = read.value;
    if (this.#certificate?.cert.equals(cert) && this.#certificate.key.equals(key)) return;
    this.#certificate = read.value;
    this.#server?.setSecureContext({ cert, key, minVersion: "TLSv1.2" });
    observer?.reloaded?.();
  }

  #serve(question: IncomingMessage, answer: ServerResponse): void {
    const { reviewers, maxBytes = 5 * 1024 * 1024 } = this.#options;
    const [path = ""] = (question.url ?? "").split("?");
    const review = Object.hasOwn(reviewers, path) ? reviewers[path] : undefined;
    if (review === undefined) refuse(answer, 404, "no such webhook");
    else if (question.method !== "POST") refuse(answer, 405, "a review is sent by POST");
    else
      readBody(question, maxBytes, (body) => {
        if (body === undefined) refuse(answer, 413, `a review has at most ${maxBytes} bytes`);
        else this.#review(path, review, body, answer);
      });
  }

  #review(
    path: string,
    review: (request: AdmissionRequest) => AdmissionVerdict,
    body: Buffer,
    answer: ServerResponse,
  ): void {
    const request = parseReview(body);
    if (!request.ok) {
      refuse(answer, 400, request.error);
      return;
    }
    try {
      const { allowed, warnings = [], code = 422, reason = "Invalid", message = "refused" } = review(request.value);
      const status = allowed ? {} : { status: { status: "Failure", code, reason, message } };
      const response = { uid: request.value.uid, allowed, warnings, ...status };
      answer.writeHead(200, { "content-type": "application/json" });
      answer.end(JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response }));
    } catch (error) {
      this.#options.observer?.threw?.(path, error);
      refuse(answer, 500, "the review failed: see the webhook's log");
    }
  }
}

/** Reads at most `limit` bytes; a request that breaks off is not answered. */
function readBody(question: IncomingMessage, limit: number, then: (body: Buffer | undefined) => void): void {
  const parts: Buffer[] = [];
  let length = 0;
  question.on("error", () => undefined);
  question.on("data", (part: Buffer) => {
    length += part.length;
    if (length <= limit) parts.push(part);
    else if (length - part.length <= limit) then(undefined);
  });
  question.on("end", () => {
    if (length <= limit) then(Buffer.concat(parts));
  });
}

function refuse(answer: ServerResponse, status: number, message: string): void {
  answer.writeHead(status, { "content-type": "text/plain", ...(status === 413 ? { connection: "close" } : {}) });
  answer.end(`${message}\n`);
}
