/** The pods of this node, followed at the API server: who may still use an address. */
import { NETWORK_STATUS_ANNOTATION, type NetworkStatus, readNetworkStatus } from "../api/network_status.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeError } from "../kube/error.ts";
import { listAll } from "../kube/list_all.ts";
import { type KubeObject, keyOf, type Resource, type Selection } from "../kube/object.ts";
import { Reflector } from "../kube/reflector.ts";
import type { Stored, StoreView } from "../kube/store.ts";
import { WatchLog } from "../kube/watch_log.ts";
import type { Log } from "../observe/log.ts";
import { ok, type Result } from "../result.ts";

/** What is followed. */
export interface PodWatchOptions {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly log: Log;
}

/** What is kept of a pod. */
export interface PodOnNode extends Stored {
  /** As the runtime and the plugin know the pod: of a static pod's mirror it is the static pod's own. */
  readonly uid: string;
  /** `namespace/name`. */
  readonly key: string;
  /** All of its containers have ended, for good. */
  readonly isFinished: boolean;
  /** Its deletion has been asked for. */
  readonly isTerminating: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The annotation in which Multus says which addresses the pod has; see {@link networksOf}. */
  readonly networkStatus: string | undefined;
}

interface PodObject extends KubeObject {
  readonly status?: { readonly phase?: string };
}

const PODS: Resource = { group: "", version: "v1", plural: "pods" };
/** The kubelet's annotation of a mirror pod: the UID that it gives the static pod. */
const STATIC_UID = "kubernetes.io/config.hash";
const FINISHED: ReadonlySet<string | undefined> = new Set(["Succeeded", "Failed"]);
const LIST_MS = 10_000;

/** Follows them. Nothing that requests need waits for it. */
export class PodWatch {
  readonly #client: KubeClient;
  readonly #selection: Selection;
  readonly #log: WatchLog;
  readonly #reflector: Reflector<PodObject, PodOnNode>;

  constructor({ client, nodeName, log }: PodWatchOptions) {
    this.#client = client;
    this.#selection = { fieldSelector: `spec.nodeName=${nodeName}` };
    this.#log = new WatchLog(PODS.plural, log);
    this.#reflector = new Reflector<PodObject, PodOnNode>({
      client,
      resource: PODS,
      ...this.#selection,
      keep: keepPod,
      observer: this.#log,
    });
  }

  /** The pods as of the last event, by `namespace/name`. Without meaning before {@link isKnown}. */
  get pods(): StoreView<PodOnNode> {
    return this.#reflector.store;
  }

  /** Whether all pods were listed once; it stays true in an outage. */
  get isKnown(): boolean {
    return this.#reflector.hasSynced;
  }

  /** How the watch is. */
  get watch(): WatchLog {
    return this.#log;
  }

  /** Resolves when all pods were listed once; never rejects. */
  get known(): Promise<void> {
    return this.#reflector.synced;
  }

  /** Why they are not known; undefined when they are, also in an outage after that. */
  get missing(): string | undefined {
    if (this.isKnown) return undefined;
    const { trouble } = this.#log;
    return trouble === undefined ? "not read yet" : `not read yet: ${trouble}`;
  }

  /** Asks the API server itself which pods there are now, by `namespace/name`. */
  async list(signal: AbortSignal): Promise<Result<ReadonlyMap<string, PodOnNode>, KubeError>> {
    const request = { ...this.#selection, keep: keepPod, signal, timeoutMs: LIST_MS };
    const listed = await listAll<PodObject, PodOnNode>(this.#client, PODS, request);
    return listed.ok ? ok(new Map(listed.value.map((pod) => [pod.key, pod]))) : listed;
  }

  /** Follows the pods until the signal is aborted. Never rejects. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }
}

/** The networks that a pod says it has; none when it has finished. */
export function networksOf({ isFinished, networkStatus = "" }: PodOnNode): readonly NetworkStatus[] {
  return isFinished ? [] : readNetworkStatus({ [NETWORK_STATUS_ANNOTATION]: networkStatus });
}

/** What is kept of a pod as the API server gives it. */
export function keepPod({ metadata, status }: PodObject): PodOnNode {
  const { name, namespace, uid = "", resourceVersion, creationTimestamp, annotations = {} } = metadata;
  return {
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      uid,
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    uid: annotations[STATIC_UID] ?? uid,
    key: keyOf(metadata),
    isFinished: FINISHED.has(status?.phase),
    isTerminating: metadata.deletionTimestamp !== undefined,
    createdAt: creationTimestamp ?? new Date(0).toISOString(),
    networkStatus: annotations[NETWORK_STATUS_ANNOTATION],
  };
}
