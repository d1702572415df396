/** A reflector of a server that follows a script. */
import type { KubeError } from "../../../src/lib/kube/error.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { Reflector, type ReflectorOptions } from "../../../src/lib/kube/reflector.ts";
import { type Fault, FaultServer } from "../_fault_server.ts";

const RESOURCE = { group: "", version: "v1", plural: "things" };

/** What a test sees of it. */
export interface Bench {
  readonly faults: FaultServer;
  readonly reflector: Reflector<KubeObject>;
  /** Changes as "type key resourceVersion". */
  readonly changes: string[];
  readonly failures: { readonly during: string; readonly error: KubeError; readonly waitMs: number }[];
  /** Resolves when the condition holds; looks after each change, failure and list. */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** Runs `body` with a reflector of a server that has this script. */
export async function withReflector(
  script: readonly Fault[],
  options: Partial<ReflectorOptions<KubeObject, KubeObject>>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const faults = await FaultServer.start(...script);
  const changes: string[] = [];
  const failures: Bench["failures"][number][] = [];
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const look of waiting.splice(0)) look();
  };
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const reflector = new Reflector<KubeObject>({
    client: faults.client(),
    resource: RESOURCE,
    keep: (thing) => thing,
    backoff: { firstMs: 1, longestMs: 5 },
    observer: {
      failed: (during, error, waitMs) => {
        failures.push({ during, error, waitMs });
        wake();
      },
      listed: wake,
      watching: wake,
    },
    ...options,
  });
  reflector.store.subscribe((change) => {
    const { resourceVersion } = (change.type === "deleted" ? change.before : change.now).metadata;
    changes.push(`${change.type} ${change.key} ${resourceVersion}`);
    wake();
  });
  const abort = new AbortController();
  const run = reflector.run(abort.signal);
  try {
    await body({ faults, reflector, changes, failures, until });
  } finally {
    abort.abort();
    await run;
    waiting = [];
    await faults.stop();
  }
}

/** The query of one of the requests. */
export function query(faults: FaultServer, index: number): Record<string, string> {
  return Object.fromEntries(faults.asked[index]?.url.searchParams ?? []);
}
