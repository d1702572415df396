/** Where inspect reads from. Pure. */
import { DEFAULTS } from "../cni/settings.ts";
import { DAEMON_FLAGS } from "../daemon/flags.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Subject } from "./subject.ts";

/** One place to read from. */
export type Origin =
  | { readonly type: "daemon"; readonly target: string }
  | { readonly type: "store"; readonly storeFile: string }
  | { readonly type: "cluster"; readonly kubeconfig: string; readonly context: string };

/** What the command line says; "" for what was not given. */
export interface Given {
  readonly daemonSocket: string;
  readonly storeFile: string;
  readonly kubeconfig: string;
  readonly context: string;
}

/**
 * The places in the order in which they are tried: each but the first only where there is nothing at those before it. What is
 * given is all that is tried; else it is the node's daemon, its store, the API server.
 *
 * @param isPlugin whether kubectl runs it: then it is about a cluster.
 * @returns a sentence when the places given do not fit each other or the subject.
 */
export function originsOf(
  given: Given,
  subject: Subject["type"],
  isPlugin: boolean,
): Result<readonly Origin[], string> {
  const { daemonSocket, storeFile, kubeconfig, context } = given;
  const cluster = { type: "cluster", kubeconfig, context } as const;
  const isOnNode = daemonSocket !== "" || storeFile !== "";
  const isCluster = kubeconfig !== "" || context !== "";
  if (isOnNode && isCluster) {
    return fail("--kubeconfig and --context read the API server, --daemon-socket and --store-file a node: give either");
  }
  if (subject === "store") {
    const isElsewhere = isCluster || daemonSocket !== "";
    if (isElsewhere && storeFile === "") return fail("store reads a file: give --store-file, on the node that has it");
    return ok([{ type: "store", storeFile: storeFile || DAEMON_FLAGS["store-file"].default }]);
  }
  if (subject === "migration") {
    return isOnNode ? fail("migration looks at a cluster: give --kubeconfig") : ok([cluster]);
  }
  if (isCluster || (isPlugin && !isOnNode)) return ok([cluster]);
  const daemon = { type: "daemon", target: daemonSocket || DEFAULTS.daemonSocket } as const;
  const store = { type: "store", storeFile: storeFile || DAEMON_FLAGS["store-file"].default } as const;
  if (!isOnNode) return ok([daemon, store, cluster]);
  return ok([...(daemonSocket === "" ? [] : [daemon]), ...(storeFile === "" ? [] : [store])]);
}
