import { statSync } from "node:fs";
import type { Address } from "./target.ts";

/** Why no connection could be made, in words that say what to do. */
export function explainConnectError(address: Address, error: NodeJS.ErrnoException): string {
  return "path" in address ? explainPath(address.path, error) : explainHost(address.host, error);
}

function explainPath(path: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
      return "no such file: is the nv-ipam node daemon running?";
    case "ENOTDIR":
      return "a part of the path is not a directory";
    case "EACCES":
    case "EPERM":
      return "permission denied: the plugin must run as the daemon's user, usually root";
    case "EPROTOTYPE":
      return "the socket is not a stream socket";
    case "ECONNREFUSED":
    case "ENOTSOCK":
      return refused(path);
    default:
      return other(error);
  }
}

/** The kernel refuses in the same way when nobody listens and when the file is no socket. */
function refused(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) {
    return "it is a directory, not a socket";
  }
  return stat === undefined || stat.isSocket()
    ? "refused: nobody listens on the socket; is the nv-ipam node daemon running?"
    : "it is a file, not a socket";
}

function explainHost(host: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOTFOUND":
      return `the host ${host} is unknown`;
    case "EAI_AGAIN":
      return `the host ${host} could not be looked up just now`;
    case "ECONNREFUSED":
      return "refused: nobody listens on the port; is the nv-ipam node daemon running?";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "the host cannot be reached";
    case "ETIMEDOUT":
      return "the host does not answer";
    default:
      return other(error);
  }
}

function other(error: NodeJS.ErrnoException): string {
  return error.code === undefined ? error.message : `${error.code} (${error.syscall ?? error.message})`;
}
