/** API servers that misbehave: one that answers each request as its script says, and a proxy that cuts or stalls. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { KubeClient } from "../../src/lib/kube/client.ts";
import { Connection, type ConnectionOptions } from "../../src/lib/kube/connection.ts";

/** A request as the script sees it. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Answers one request, or does something worse. */
export type Fault = (answer: ServerResponse, asked: Asked) => void;

/** A plain HTTP server with a script. */
export class FaultServer {
  /** Every request so far. */
  readonly asked: Asked[] = [];
  /** Answers the next requests, one each; then `otherwise` answers. */
  readonly script: Fault[] = [];
  otherwise: Fault = stall;
  /** Connections that were opened so far. */
  connections = 0;
  readonly #server: Server;
  readonly #clients: KubeClient[] = [];
  #waiting: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((request, answer) => void this.#serve(request, answer));
    this.#server.on("connection", () => {
      this.connections++;
    });
  }

  static async start(...script: readonly Fault[]): Promise<FaultServer> {
    const faults = new FaultServer();
    faults.script.push(...script);
    await new Promise<void>((resolve) => faults.#server.listen(0, "127.0.0.1", resolve));
    return faults;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "faults", server: this.url, skipTLSVerify: true }, { name: "user" });
    return config;
  }

  client(options: Partial<ConnectionOptions> = {}, config = this.config()): KubeClient {
    const client = new KubeClient(new Connection(config, { userAgent: "nv-ipam-test", ...options }));
    this.#clients.push(client);
    return client;
  }

  /** Resolves when so many requests have come. */
  async untilAsked(count: number): Promise<void> {
    while (this.asked.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += chunk;
    const asked = {
      method: request.method ?? "",
      url: new URL(request.url ?? "", this.url),
      headers: request.headers,
      body,
    };
    const fault = this.script.shift() ?? this.otherwise;
    fault(answer, asked);
    this.asked.push(asked);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** Runs `body` with a server that has this script, and stops it. */
export async function withFaults(
  script: readonly Fault[],
  body: (faults: FaultServer) => Promise<void>,
): Promise<void> {
  const faults = await FaultServer.start(...script);
  try {
    await body(faults);
  } finally {
    await faults.stop();
  }
}

/** Takes the request and stays silent. */
export const stall: Fault = () => undefined;

/** Closes the connection without an answer. */
export const drop: Fault = (answer) => answer.socket?.destroy();

/** A JSON answer. */
export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Fault {
  return (answer) => {
    answer.writeHead(status, { "content-type": "application/json", ...headers });
    answer.end(JSON.stringify(value));
  };
}

/** An answer with a Status of the API. */
export function status(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): Fault {
  return json(
    { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message: `${reason} by script` },
    code,
    headers,
  );
}

/** Says that there is no streaming list, as a server without it does. */
export const noStreaming: Fault = status(422, "Invalid");

/** One page of a list. */
export function page(resourceVersion: string, names: readonly string[], token?: string): Fault {
  const metadata = { resourceVersion, ...(token === undefined ? {} : { continue: token }) };
  return json({ kind: "List", metadata, items: names.map((name) => object(name, resourceVersion)) });
}

/** An object that has nothing but its name, in the namespace `default`. */
export function object(name: string, resourceVersion: string): { readonly metadata: Record<string, string> } {
  return { metadata: { namespace: "default", name, resourceVersion } };
}

/** A watch's stream, written whole; then it stays open, ends, or breaks. */
export function stream(after: "open" | "end" | "break", ...lines: readonly (string | object)[]): Fault {
  return (answer) => {
    answer.writeHead(200, { "content-type": "application/json" });
    answer.flushHeaders();
    const text = lines.map((line) => (typeof line === "string" ? line : `${JSON.stringify(line)}\n`)).join("");
    answer.write(text === "" ? "\n" : text, () => {
      if (after === "end") answer.end();
      if (after === "break") answer.socket?.destroy();
    });
  };
}

/** An event of a watch. */
export function event(type: string, name: string, resourceVersion: string): object {
  return { type, object: object(name, resourceVersion) };
}

/** A bookmark; the one that ends the initial events says so. */
export function bookmark(resourceVersion: string, initialEnd = false): object {
  const annotations = initialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  return { type: "BOOKMARK", object: { metadata: { resourceVersion, ...annotations } } };
}

/** Forwards TCP connections to a port of this host, bytes and TLS untouched, until it is told to misbehave. */
export class FaultProxy {
  /** Cuts each new connection after so many bytes of the server's. */
  cutAfter = Number.POSITIVE_INFINITY;
  /** Refuses new connections, as long as it is set. */
  refusing = false;
  /** How many connections were cut by `cutAfter`. */
  cuts = 0;
  connections = 0;
  readonly #port: number;
  readonly #server = createTcpServer((socket) => this.#forward(socket));
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #stalled = false;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Holds back what the server says, without closing anything; or lets it through again. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    for (const [, server] of this.#pairs) {
      if (stalled) server.pause();
      else server.resume();
    }
  }

  /** Breaks every connection. */
  cut(): void {
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }

  #forward(client: Socket): void {
    this.connections++;
    if (this.refusing) {
      client.destroy();
      return;
    }
    const server = connect(this.#port, "127.0.0.1");
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    let left = this.cutAfter;
    server.on("data", (chunk: Buffer) => {
      client.write(chunk.subarray(0, Math.max(0, left)));
      left -= chunk.length;
      if (left > 0) return;
      this.cuts++;
      client.destroySoon();
      server.destroy();
    });
    client.on("data", (chunk: Buffer) => server.write(chunk));
    for (const [from, to] of [pair, [server, client]] as const) {
      from.on("error", () => undefined);
      from.on("close", () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
    if (this.#stalled) server.pause();
  }
}
