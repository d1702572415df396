/**
 * Callers of the daemon's gRPC services on node:http2: cheap ones, so that a measurement is about the server. One that was
 * as dear as the server itself would make every method look alike.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { DaemonServiceDefinition } from "../../src/lib/rpc/generated/daemon.ts";
import { type IPAMParameters, IPAMServiceDefinition, PoolType } from "../../src/lib/rpc/generated/node.ts";

const MAX_ATTEMPTS = 5000;

/** A call, encoded before the clock runs. */
export interface Call {
  readonly path: string;
  readonly body: Buffer;
}

/** An ADD of the plugin as the daemon sees it. */
export function allocate(pool: string, container: string): Call {
  return ipamCall("allocate", pool, container);
}

/** A DEL. */
export function deallocate(pool: string, container: string): Call {
  return ipamCall("deallocate", pool, container);
}

/** A method that does nothing but answer: it neither reads nor changes what is reserved. */
export function doNothing(): Call {
  const { name, requestType } = DaemonServiceDefinition.methods.getStatus;
  const body = requestType.encode({ pools: [], poolKind: "" }).finish();
  return { path: `/${DaemonServiceDefinition.fullName}/${name}`, body: framed(body) };
}

function ipamCall(method: "allocate" | "deallocate", pool: string, container: string): Call {
  const { name, requestType } = IPAMServiceDefinition.methods[method];
  const parameters: IPAMParameters = {
    pools: [pool],
    // As long as the ids that runtimes give: the length goes into the journal.
    cniContainerid: container.padStart(64, "0"),
    cniIfname: "net1",
    metadata: {
      k8sPodName: `pod-${container}`,
      k8sPodNamespace: "default",
      k8sPodUid: podUid(container),
      deviceId: "",
    },
    poolType: PoolType.POOL_TYPE_IPPOOL,
    requestedIps: [],
    features: undefined,
  };
  const body = requestType.encode({ parameters }).finish();
  return { path: `/${IPAMServiceDefinition.fullName}/${name}`, body: framed(body) };
}

function podUid(container: string): string {
  return `5f1b54a4-3d0c-4d1e-9a5c-${container.padStart(12, "0")}`;
}

/** A gRPC message: not compressed, its length, itself. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

/** One connection that makes one call at a time. */
export class Caller {
  readonly #session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  /** @param socket path of the daemon's socket */
  static connect(socket: string): Promise<Caller> {
    return new Promise((resolve, reject) => {
      const session = connect("http://localhost", { createConnection: () => connectSocket({ path: socket }) });
      session.once("connect", () => resolve(new Caller(session))).once("error", reject);
    });
  }

  /** Makes a call that has to end with status OK. @throws when it does not. */
  call({ path, body }: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        "nv-ipam-network": "bench",
      });
      let status: unknown;
      let message: unknown;
      const note = (headers: Readonly<Record<string, unknown>>): void => {
        status = headers["grpc-status"] ?? status;
        message = headers["grpc-message"] ?? message;
      };
      stream.once("response", note).once("trailers", note).once("error", reject);
      stream.once("end", () => {
        if (String(status) === "0") resolve();
        else reject(new Error(`${path} ended with status ${status}: ${message}`));
      });
      stream.resume().end(body);
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** Repeats the call until it succeeds: a daemon that has just started refuses ADD until it knows its pools. */
export async function callUntilServed(caller: Caller, call: Call): Promise<void> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const refusal = await caller.call(call).catch((error: Error) => error);
    if (refusal === undefined) return;
    await delay(2);
  }
  await caller.call(call);
}

/** Connects that many callers. */
export function connectCallers(socket: string, count: number): Promise<Caller[]> {
  return Promise.all(Array.from({ length: count }, () => Caller.connect(socket)));
}

/** Makes all calls, each caller one after the other. @returns milliseconds. */
export async function makeCalls(callers: readonly Caller[], calls: readonly Call[]): Promise<number> {
  const started = performance.now();
  const waiting = calls.values();
  await Promise.all(
    callers.map(async (caller) => {
      for (const call of waiting) await caller.call(call);
    }),
  );
  return performance.now() - started;
}
