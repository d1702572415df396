/** Servers and directories of a test file, gone when it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new directory under the system's temporary one. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-rpc-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a process and waits until it prints "ready". */
export async function startReady(command: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`${command} ended with ${code} before it was ready`);
  });
  await Promise.race([once(child.stdout, "data"), exited]);
  exited.catch(() => undefined);
  return child;
}

/** Sends a signal and waits for the end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

/** A server on a unix socket that does with each connection what it is told. */
export async function listen(path: string, onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onConnection);
  server.on("connection", (socket) => socket.on("error", () => socket.destroy()));
  server.listen(path);
  await once(server, "listening");
  return server;
}
