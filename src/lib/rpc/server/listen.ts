/** Opens the daemon's listening socket so that nobody else can connect before it is ready, nor take it over (R13). */
import { lstat, rename, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { hasCode } from "../../disk/has_code.ts";
import { makeDirectory } from "../../disk/make_directory.ts";
import { fail, ok, type Result } from "../../result.ts";
import { describeEndpoint, type Endpoint } from "./endpoint.ts";

/** Connections held at once; more are closed as they come. */
const MAX_CONNECTIONS = 1024;

/** An open listening socket. */
export interface Listener {
  /** Where it listens: the port is the actual one where 0 was asked for. */
  readonly endpoint: Endpoint;
  /**
   * Takes no new connections, removes the socket from the file system if it is still ours, and waits until the connections
   * have ended; those that have not within so many milliseconds are cut.
   */
  close(limitMs: number): Promise<void>;
}

/** Who is told of what. */
export interface ListenHandlers {
  readonly onConnection: (socket: Socket) => void;
  /** A connection could not be taken (no file descriptor is left, for example); others still are. */
  readonly onError: (error: Error) => void;
}

/** Why nobody can listen there now, or undefined: something else is in the way, or another process answers. */
export async function obstacle(endpoint: Endpoint): Promise<string | undefined> {
  if (endpoint.type !== "unix") return undefined;
  try {
    return await occupied(endpoint.path);
  } catch (error) {
    return refusal(endpoint, error);
  }
}

/**
 * Listens. A socket is made under a temporary name with mode 0600, then renamed onto its path; its directory is made with
 * mode 0700 if it is missing; what is not a socket is never removed.
 *
 * @returns a message when the path is taken by something else, when another process answers there, or the system refuses.
 */
export async function listen(endpoint: Endpoint, handlers: ListenHandlers): Promise<Result<Listener, string>> {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    handlers.onConnection(socket);
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    const bound = endpoint.type === "unix" ? await bindUnix(server, endpoint.path) : await bindTcp(server, endpoint);
    if (!bound.ok) return bound;
    server.on("error", handlers.onError);
    return ok({
      endpoint: bound.value.endpoint,
      close: async (limitMs) => {
        const ended = new Promise<void>((resolve) => server.close(() => resolve()));
        const timer = setTimeout(() => {
          for (const socket of connections) socket.destroy();
        }, limitMs);
        await bound.value.unbind();
        await ended;
        clearTimeout(timer);
      },
    });
  } catch (error) {
    server.close();
    return fail(refusal(endpoint, error));
  }
}

function refusal(endpoint: Endpoint, error: unknown): string {
  return `listen on ${describeEndpoint(endpoint)}: ${error instanceof Error ? error.message : String(error)}`;
}

/** A server that has its place. */
interface Bound {
  readonly endpoint: Endpoint;
  /** Gives the place up. */
  unbind(): Promise<void>;
}

async function bindTcp(
  server: Server,
  { host, port }: Extract<Endpoint, { type: "tcp" }>,
): Promise<Result<Bound, string>> {
  await listening(server, () => server.listen({ host, port }));
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  return ok({ endpoint: { type: "tcp", host, port: actual }, unbind: async () => undefined });
}

async function bindUnix(server: Server, path: string): Promise<Result<Bound, string>> {
  await makeDirectory(dirname(path), 0o700);
  const taken = await occupied(path);
  if (taken !== undefined) return fail(taken);
  const temporary = `${path}~`;
  const left = await kind(temporary);
  if (left === "other")
    return fail(`listen on unix://${path}: ${temporary} is in the way and not a socket; move it away`);
  if (left === "socket") await unlink(temporary);
  await listening(server, () => {
    // bind(2) happens inside listen(), so the mask covers exactly that call.
    const before = process.umask(0o177);
    try {
      server.listen({ path: temporary });
    } finally {
      process.umask(before);
    }
  });
  const { ino } = await lstat(temporary);
  await rename(temporary, path);
  return ok({
    endpoint: { type: "unix", path },
    unbind: async () => {
      const current = await lstat(path).catch(() => undefined);
      if (current?.ino === ino) await unlink(path);
    },
  });
}

/** Why the path cannot be taken, or undefined. */
async function occupied(path: string): Promise<string | undefined> {
  const found = await kind(path);
  if (found === "missing") return undefined;
  if (found === "other") return `listen on unix://${path}: this is not a socket; move it away, or choose another path`;
  const rival = await listenerOf(path);
  return rival === undefined ? undefined : `listen on unix://${path}: ${rival}`;
}

/** Who may be listening on the socket and what to do, or undefined: one who is only too busy to answer does not refuse. */
function listenerOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve("another daemon answers there; stop it first");
    });
    socket.once("error", ({ message }) => {
      const isRefused = /\b(ECONNREFUSED|ENOENT)\b/.test(message);
      resolve(isRefused ? undefined : `another daemon may be there (${message}); stop it, or remove the socket`);
    });
  });
}

async function kind(path: string): Promise<"missing" | "socket" | "other"> {
  try {
    return (await lstat(path)).isSocket() ? "socket" : "other";
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "missing";
    throw error;
  }
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject).once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    start();
  });
}
