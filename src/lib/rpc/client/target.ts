import { fail, ok, type Result } from "../../result.ts";

/** Where to connect to. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

const FORMS = "a socket path, unix:///path or tcp://host:port";

/** Bytes that a unix socket's path may have on Linux: sun_path without its NUL. */
const PATH_MAX = 107;

/** The address behind a call's target; the error says what is wrong with it, without naming it. */
export function parseTarget(target: string): Result<Address, string> {
  if (target.startsWith("unix://")) {
    return target.startsWith("unix:///")
      ? parsePath(target.slice("unix://".length))
      : fail("unix:// needs an absolute path behind it: unix:///path");
  }
  if (target.startsWith("unix:")) {
    return parsePath(target.slice("unix:".length));
  }
  if (target.startsWith("tcp:")) {
    return parseHostPort(target.slice("tcp:".length));
  }
  if (!target.startsWith("/") && /^[A-Za-z][A-Za-z0-9+.-]*:/.test(target)) {
    return fail(`the scheme is not known: it must be ${FORMS}`);
  }
  return parsePath(target);
}

function parsePath(path: string): Result<Address, string> {
  if (path === "") {
    return fail(`it is empty: it must be ${FORMS}`);
  }
  if (path.includes("\0")) {
    return fail("a path cannot hold a NUL character");
  }
  if (Buffer.byteLength(path) > PATH_MAX) {
    return fail(`the path is longer than the ${PATH_MAX} bytes that a unix socket may have`);
  }
  return ok({ path });
}

function parseHostPort(rest: string): Result<Address, string> {
  const [, bracketed, plain, digits] = /^\/\/(?:\[([0-9a-zA-Z:.%_-]+)\]|([^\s:/[\]]+)):([0-9]{1,5})$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    return fail("it must be tcp://host:port with a port from 1 to 65535, an IPv6 address in brackets");
  }
  return ok({ host, port });
}
