/** Finds the HTTP server of this process that a request comes to. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:http";

const CHANNEL = "http.server.request.start";

/** @param ask sends the request; its answer is waited for. */
export async function serverOf(ask: () => Promise<unknown>): Promise<Server> {
  let server: Server | undefined;
  const note = (message: unknown): void => {
    server = (message as { readonly server: Server }).server;
  };
  subscribe(CHANNEL, note);
  try {
    await ask();
  } finally {
    unsubscribe(CHANNEL, note);
  }
  if (server === undefined) throw new Error("no server of this process was asked");
  return server;
}
