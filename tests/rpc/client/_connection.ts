/** One call as a machine of bytes, and what it said, for tests. */
import * as h2 from "../../../src/lib/rpc/client/_frames.ts";
import type { UnaryCall } from "../../../src/lib/rpc/client/call.ts";
import { Connection, type Step } from "../../../src/lib/rpc/client/connection.ts";
import { framesOf } from "./_frames_of.ts";

export const CALL: UnaryCall = {
  target: "unix:///run/d.sock",
  path: "/package.Service/Method",
  message: Buffer.from("question"),
  timeoutMs: 5000,
};

export const ANSWER = Buffer.from("answer");

export function opened(call: Partial<UnaryCall> = {}): Connection {
  const connection = new Connection({ ...CALL, ...call });
  connection.open(4800);
  return connection;
}

export function receive(...parts: Buffer[]): Step {
  return opened().receive(Buffer.concat(parts));
}

/** What the outcome is in one line: the answer, or type, status and message. */
export function told({ outcome }: Step): string {
  if (outcome === undefined) {
    return "no outcome yet";
  }
  const { ok } = outcome;
  return ok ? `ok ${outcome.value}` : `${outcome.error.type} ${outcome.error.status} ${outcome.error.message}`;
}

export function sent(step: Step): h2.Frame[] {
  return framesOf(Buffer.concat(step.send));
}

export function typesAndFlags(frames: readonly h2.Frame[]): [number, number][] {
  return frames.map(({ type, flags }) => [type, flags]);
}

export function settings(...values: [number, number][]): Buffer {
  return h2.frame(h2.SETTINGS, 0, 0, h2.settings(values));
}

export function windowUpdate(stream: number, bytes: number): Buffer {
  return h2.frame(h2.WINDOW_UPDATE, 0, stream, h2.uint32(bytes));
}

export function dataSize(frames: readonly h2.Frame[]): number {
  return frames.filter(({ type }) => type === h2.DATA).reduce((size, { payload }) => size + payload.length, 0);
}
