/** Calls of the daemon's gRPC services. */
import { setTimeout as delay } from "node:timers/promises";
import { DaemonServiceDefinition } from "../../src/lib/rpc/generated/daemon.ts";
import { type IPAMParameters, IPAMServiceDefinition, PoolType } from "../../src/lib/rpc/generated/node.ts";
import { type Call, Caller, encodeCall } from "./_caller.ts";

export type { Call, Caller } from "./_caller.ts";

const MAX_ATTEMPTS = 5000;

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
  const message = requestType.encode({ pools: [], poolKind: "" }).finish();
  return encodeCall(`/${DaemonServiceDefinition.fullName}/${name}`, message);
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
  const message = requestType.encode({ parameters }).finish();
  return encodeCall(`/${IPAMServiceDefinition.fullName}/${name}`, message);
}

function podUid(container: string): string {
  return `5f1b54a4-3d0c-4d1e-9a5c-${container.padStart(12, "0")}`;
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

/** Connects as soon as somebody listens. */
export async function connectWhenServed(socket: string): Promise<Caller> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const caller = await Caller.connect(socket).catch(() => undefined);
    if (caller !== undefined) return caller;
    await delay(2);
  }
  return Caller.connect(socket);
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
