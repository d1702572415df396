/** The controller's requests, made with a client of the Kubernetes API. */
import { POOL_RESOURCES } from "../api/resources.ts";
import type { NodeInfo } from "../api/selector.ts";
import { type AnyPoolStatus, API_VERSION, type PoolObject } from "../api/types.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeError } from "../kube/error.ts";
import { listAll } from "../kube/list_all.ts";
import type { KubeObject, Resource } from "../kube/object.ts";
import { ok, type Result } from "../result.ts";
import type { PodObject } from "./pod_use.ts";
import type { PoolApi, StoredStatus } from "./pool_api.ts";

/** core/v1 nodes. */
export const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const PODS: Resource = { group: "", version: "v1", plural: "pods" };

/** Milliseconds that one request may take. */
const TIMEOUT_MS = 10_000;

/** Asks an API server about the pools of one namespace. */
export class KubePoolApi implements PoolApi {
  readonly #client: KubeClient;
  readonly #namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async node(name: string, signal: AbortSignal): Promise<Result<NodeInfo | undefined, KubeError>> {
    const node = await this.#client.get(NODES, { name }, { signal, timeoutMs: TIMEOUT_MS });
    if (node.ok) return ok({ name, labels: node.value.metadata.labels ?? {} });
    return node.error.code === "notFound" ? ok(undefined) : node;
  }

  async podsOn(nodeName: string, signal: AbortSignal): Promise<Result<readonly PodObject[], KubeError>> {
    return listAll<KubeObject & PodObject, PodObject>(this.#client, PODS, {
      fieldSelector: `spec.nodeName=${nodeName}`,
      keep: ({ metadata: { annotations = {} }, status: { phase = "" } = {} }) => ({
        metadata: { annotations },
        status: { phase },
      }),
      signal,
      timeoutMs: TIMEOUT_MS,
    });
  }

  async putStatus(
    { kind, metadata: { name, uid, resourceVersion } }: PoolObject,
    status: AnyPoolStatus,
    signal: AbortSignal,
  ): Promise<Result<StoredStatus, KubeError>> {
    const place = { namespace: this.#namespace, name };
    const object = { apiVersion: API_VERSION, kind, metadata: { ...place, uid, resourceVersion }, status };
    const options = { subresource: "status", signal, timeoutMs: TIMEOUT_MS };
    const put = await this.#client.put<KubeObject & { status?: AnyPoolStatus }>(
      POOL_RESOURCES[kind],
      place,
      object,
      options,
    );
    if (!put.ok) return put;
    const { metadata, status: stored } = put.value;
    return ok({ resourceVersion: metadata.resourceVersion ?? "", isPruned: stored?.blocks === undefined });
  }
}
