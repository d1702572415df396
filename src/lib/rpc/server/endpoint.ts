/** Where a gRPC server listens: `unix:///path` or `tcp://host:port`, as `--bind-address` says it. */
import { isIP } from "node:net";
import { parseAddress } from "../../ip/address.ts";
import { fail, ok, type Result } from "../../result.ts";

/** A socket in the file system, or a TCP port. */
export type Endpoint =
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

/** Writes an endpoint as `--bind-address` takes it. */
export function describeEndpoint(endpoint: Endpoint): string {
  if (endpoint.type === "unix") return `unix://${endpoint.path}`;
  const { host, port } = endpoint;
  return `tcp://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Bytes that the kernel takes for a socket's path (sun_path, without its end), less our temporary suffix. */
const MAX_SOCKET_PATH = 107 - 1;

/**
 * Reads a bind address. TCP beyond loopback would let anybody on the network take addresses: refused unless
 * `allowInsecure` (R13).
 *
 * @returns a message that says what would be right.
 */
export function parseEndpoint(text: string, allowInsecure: boolean): Result<Endpoint, string> {
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(text)?.[1];
  if (unix !== undefined) return unixEndpoint(text, unix);
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  if (tcp === null) return fail(`bind address ${text}: use unix:///path/to/daemon.sock or tcp://127.0.0.1:port`);
  const host = tcp[1] ?? tcp[2] ?? "";
  const port = Number(tcp[3]);
  if (port > 65_535) return fail(`bind address ${text}: a port is at most 65535`);
  if (!allowInsecure && !isLoopback(host)) {
    return fail(
      `bind address ${text}: ${host} is not a loopback address, and whoever reaches it could take addresses; ` +
        "use unix:///… or pass --allow-insecure-bind",
    );
  }
  return ok({ type: "tcp", host, port });
}

function unixEndpoint(text: string, path: string): Result<Endpoint, string> {
  if (!path.startsWith("/")) return fail(`bind address ${text}: the path of a socket must be absolute`);
  const length = Buffer.byteLength(path);
  if (length > MAX_SOCKET_PATH) {
    return fail(`bind address ${text}: the path has ${length} bytes, a socket's may have ${MAX_SOCKET_PATH}`);
  }
  return ok({ type: "unix", path });
}

function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  if (isIP(host) === 0) return false;
  const address = parseAddress(host);
  if (address === undefined) return false;
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}
