/** A small HTTP server for probes and metrics. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fail, ok, type Result } from "../result.ts";

/** What a path answers. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Content type; text/plain by default. */
  readonly type?: string;
}

/** What is served, by path. */
export type Routes = Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>;

/** An open server. */
export interface HttpEndpoint {
  readonly port: number;
  /** Takes no new connections and cuts those there are. */
  close(): Promise<void>;
}

/** Milliseconds for a request to come in whole. */
const REQUEST_TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 100;

/**
 * Serves GET requests.
 *
 * @param address as Go programs write it: `:8080` on every address, `127.0.0.1:8080`, `[::1]:8080`.
 * @returns a message when the address is none or cannot be had.
 */
export async function serveHttp(address: string, routes: Routes): Promise<Result<HttpEndpoint, string>> {
  const place = parseBindAddress(address);
  if (place === undefined) return fail(`${address} is no address to bind to: write :8080 or 127.0.0.1:8080`);
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("request", async (request, response) => {
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    const {
      status,
      body,
      type = "text/plain; charset=utf-8",
    } = route === undefined || !isRead
      ? { status: isRead ? 404 : 405, body: "there is nothing here\n" }
      : await route();
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  try {
    await listen(server, place);
  } catch (error) {
    return fail(`${address}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return ok({
    // A server that listens on TCP has an address of this shape.
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

/** Where to listen; without a host on every address. */
export interface BindPlace {
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads an address as Go programs write it. @returns undefined when it is none. */
export function parseBindAddress(address: string): BindPlace | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) return undefined;
  return { host: match[1] ?? (match[2] || undefined), port };
}

function listen(server: Server, { host, port }: BindPlace): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
