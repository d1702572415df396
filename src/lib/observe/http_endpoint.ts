/** A small HTTP server for probes and metrics. */
import { createServer, type IncomingMessage, type Server } from "node:http";
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
  /** Where it listens, with the actual port where 0 was asked for. */
  readonly address: string;
  readonly port: number;
  /** Takes no new connections and cuts those there are. */
  close(): Promise<void>;
}

/** What one client may cost: milliseconds for a request to come in whole, and on a connection where nothing moves. */
const LIMITS = {
  requestTimeout: 5000,
  headersTimeout: 5000,
  // Node looks only so often whether a request has had its time.
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 5000,
  maxHeaderSize: 8192,
};
const SILENCE_MS = 10_000;
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
  const server = createServer(LIMITS);
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = SILENCE_MS;
  server.on("request", async (request, response) => {
    const answer = await answerTo(request, routes);
    const { status, body, type = "text/plain; charset=utf-8" } = answer;
    if (status === 405) response.setHeader("allow", "GET, HEAD");
    // What else the client sends with a request that is refused is not waited for.
    if (status >= 400) response.setHeader("connection", "close");
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  try {
    await listen(server, place);
  } catch (error) {
    return fail(`${address}: ${error instanceof Error ? error.message : String(error)}`);
  }
  // A connection that cannot be accepted, as no file may be opened any more, ends alone.
  server.on("error", () => undefined);
  // A server that listens on TCP has an address of this shape.
  const { address: host, family, port } = server.address() as AddressInfo;
  return ok({
    address: family === "IPv6" ? `[${host}]:${port}` : `${host}:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

async function answerTo({ url = "", method }: IncomingMessage, routes: Routes): Promise<HttpAnswer> {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "there is only GET here\n" };
  const path = url.split("?", 1)[0] ?? "";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return { status: 404, body: `there is ${Object.keys(routes).join(", ")} here\n` };
  try {
    return await route();
  } catch (error) {
    // A bug must not end the process, nor be taken for "all is well".
    return { status: 500, body: `${error instanceof Error ? error.message : String(error)}\n` };
  }
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
