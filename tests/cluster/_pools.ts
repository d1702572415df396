/** Nodes and pools on a real API server, as a user has them. */
import { NETWORK_STATUS_ANNOTATION } from "../../src/lib/api/network_status.ts";
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { KubeError } from "../../src/lib/kube/error.ts";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import type { Result } from "../../src/lib/result.ts";
import { type Crd, originalCrd, readCrd } from "../api/_crd.ts";
import { ApiServer, type ApiServerOptions } from "./_api_server.ts";
import { until } from "./_wait.ts";

export { until } from "./_wait.ts";

export type Kind = "IPPool" | "CIDRPool";
export type Json = Readonly<Record<string, unknown>>;

/** A pool object as the API server gives it. */
export interface PoolJson extends KubeObject {
  readonly spec?: Json;
  readonly status?: {
    readonly allocations?: readonly Json[];
    readonly released?: readonly Json[];
    readonly appliedSpec?: Json;
    readonly blocks?: Json;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly observedGeneration?: number;
  };
}

export const API_VERSION = "nv-ipam.nvidia.com/v1alpha1";
/** Of one spec, each of which met a status that was written meanwhile. */
const MOST_EDITS = 20;
const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
const PODS: Resource = { group: "", version: "v1", plural: "pods" };

/** The value, or an exception with the API server's own words. */
export function must<T>(result: Result<T, KubeError>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

/** What a user does with pools of one namespace, and with nodes. */
export class Pools {
  readonly client: KubeClient;
  readonly namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.client = client;
    this.namespace = namespace;
  }

  /** Makes the namespace. */
  static async inNewNamespace(client: KubeClient, namespace: string): Promise<Pools> {
    must(
      await client.create(NAMESPACES, undefined, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: namespace },
      }),
    );
    return new Pools(client, namespace);
  }

  create(kind: Kind, name: string, spec: unknown, more: Json = {}): Promise<Result<PoolJson, KubeError>> {
    const { metadata = {}, ...members } = more;
    const object = { apiVersion: API_VERSION, kind, metadata: { name, ...(metadata as Json) }, spec, ...members };
    return this.client.create(POOL_RESOURCES[kind], this.namespace, object);
  }

  get(kind: Kind, name: string): Promise<Result<PoolJson, KubeError>> {
    return this.client.get(POOL_RESOURCES[kind], { namespace: this.namespace, name });
  }

  /** JSON merge patch of the whole object. */
  patch(kind: Kind, name: string, patch: Json): Promise<Result<PoolJson, KubeError>> {
    return this.client.patch(POOL_RESOURCES[kind], this.#place(name), patch, { type: "merge" });
  }

  /** JSON merge patch of the status. */
  patchStatus(kind: Kind, name: string, status: Json): Promise<Result<PoolJson, KubeError>> {
    return this.client.patch(
      POOL_RESOURCES[kind],
      this.#place(name),
      { status },
      { type: "merge", subresource: "status" },
    );
  }

  /** As `kubectl edit` does it, but again, a few times, when the controller has written a status in between. */
  async replaceSpec(kind: Kind, name: string, spec: unknown): Promise<Result<PoolJson, KubeError>> {
    for (let left = MOST_EDITS; ; left--) {
      const object = must(await this.get(kind, name));
      const replaced = await this.client.put<PoolJson>(POOL_RESOURCES[kind], this.#place(name), { ...object, spec });
      if (replaced.ok || replaced.error.code !== "conflict" || left === 1) return replaced;
    }
  }

  delete(kind: Kind, name: string): Promise<Result<unknown, KubeError>> {
    return this.client.delete(POOL_RESOURCES[kind], this.#place(name));
  }

  /** Every pool, as `kind/name`. */
  async all(): Promise<ReadonlyMap<string, PoolJson>> {
    const pools = new Map<string, PoolJson>();
    for (const kind of ["IPPool", "CIDRPool"] as const) {
      const { items } = must(await this.client.list<PoolJson>(POOL_RESOURCES[kind], { namespace: this.namespace }));
      for (const pool of items) pools.set(`${kind}/${pool.metadata.name}`, pool);
    }
    return pools;
  }

  /** Events as `kind/name type reason`. */
  async events(): Promise<readonly string[]> {
    interface Event extends KubeObject {
      readonly involvedObject: { readonly kind: string; readonly name: string };
      readonly type: string;
      readonly reason: string;
    }
    const { items } = must(await this.client.list<Event>(EVENTS, { namespace: this.namespace }));
    return items.map(({ involvedObject: { kind, name }, type, reason }) => `${kind}/${name} ${type} ${reason}`);
  }

  async addNode(name: string, labels: Json = {}): Promise<void> {
    must(await this.client.create(NODES, undefined, { apiVersion: "v1", kind: "Node", metadata: { name, labels } }));
  }

  async label(name: string, labels: Json): Promise<void> {
    must(await this.client.patch(NODES, { name }, { metadata: { labels } }, { type: "merge" }));
  }

  async deleteNode(name: string): Promise<void> {
    must(await this.client.delete(NODES, { name }));
  }

  async deleteAllNodes(): Promise<void> {
    for (const { metadata } of must(await this.client.list(NODES)).items) await this.deleteNode(metadata.name);
  }

  /** A pod of the pools' namespace that Multus has given this address. @returns its UID. */
  async addPod(name: string, nodeName: string, ip: string): Promise<string> {
    const status = [{ name: "default/net-a", interface: "net1", ips: [ip] }];
    const metadata = { name, annotations: { [NETWORK_STATUS_ANNOTATION]: JSON.stringify(status) } };
    const spec = { nodeName, containers: [{ name: "main", image: "none" }], automountServiceAccountToken: false };
    const object = { apiVersion: "v1", kind: "Pod", metadata, spec };
    return must(await this.client.create(PODS, this.namespace, object)).metadata.uid ?? "";
  }

  /** The pod's containers have ended, for good. */
  async finishPod(name: string): Promise<void> {
    const patch = { status: { phase: "Succeeded" } };
    must(await this.client.patch(PODS, this.#place(name), patch, { type: "merge", subresource: "status" }));
  }

  async deletePod(name: string): Promise<void> {
    must(await this.client.delete(PODS, this.#place(name), { gracePeriodSeconds: 0 }));
  }

  /** Creates a pool as soon as a webhook answers: for a moment that of a controller which has ended may be asked. */
  async untilCreated(kind: Kind, name: string, spec: Json): Promise<void> {
    let said = "";
    await until(
      async () => {
        const answer = await this.create(kind, name, spec);
        said = answer.ok ? "" : answer.error.message;
        return answer.ok;
      },
      `${kind}/${name} is created`,
      () => said,
    );
  }

  /** The pool's blocks as `node 10.0.0.1-10.0.0.8` or `node 10.0.0.0/24`. */
  async blocks(kind: Kind, name: string): Promise<readonly string[]> {
    const { status } = must(await this.get(kind, name));
    return (status?.allocations ?? []).map(
      ({ nodeName, startIP, endIP, prefix }) => `${nodeName} ${prefix ?? `${startIP}-${endIP}`}`,
    );
  }

  /** Waits until the pool's blocks are these. */
  async untilBlocks(kind: Kind, name: string, expected: readonly string[], limitMs?: number): Promise<void> {
    let seen: readonly string[] = [];
    await until(
      async () => {
        seen = await this.blocks(kind, name);
        return JSON.stringify(seen) === JSON.stringify(expected);
      },
      `${kind}/${name} has ${expected.join(", ")}`,
      () => `it has ${seen.join(", ")}`,
      limitMs,
    );
  }

  #place(name: string) {
    return { namespace: this.namespace, name };
  }
}

/** Puts a CRD in place, or another in place of the one that is there, and waits until it is served. */
export async function installCrd(client: KubeClient, crd: Crd): Promise<void> {
  const name = { name: crd.metadata.name };
  const present = await client.get(CRDS, name);
  if (present.ok) {
    const metadata = { ...crd.metadata, resourceVersion: present.value.metadata.resourceVersion };
    must(await client.put(CRDS, name, { ...crd, metadata }));
  } else must(await client.create(CRDS, undefined, crd));
  interface Status extends KubeObject {
    readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  }
  let conditions: NonNullable<Status["status"]>["conditions"] = [];
  await until(
    async () => {
      conditions = must(await client.get<Status>(CRDS, name)).status?.conditions;
      return conditions?.some(({ type, status }) => type === "Established" && status === "True") ?? false;
    },
    `${crd.metadata.name} is established`,
    () => JSON.stringify(conditions),
  );
  await untilServed(client, POOL_RESOURCES[crd.spec.names.kind as Kind]);
}

/** Waits until objects of a CRD can be listed. */
export async function untilServed(client: KubeClient, resource: Resource): Promise<void> {
  let answer = "";
  await until(
    async () => {
      const list = await client.list(resource);
      answer = list.ok ? "" : list.error.message;
      return list.ok;
    },
    `${resource.plural} are served`,
    () => answer,
  );
}

/** Puts both of the project's CRDs in place. */
export async function installCrds(client: KubeClient): Promise<void> {
  for (const kind of ["IPPool", "CIDRPool"] as const) await installCrd(client, readCrd(kind));
}

/** Puts CRDs such as the original's in place. */
export async function installOriginalCrds(client: KubeClient): Promise<void> {
  for (const kind of ["IPPool", "CIDRPool"] as const) await installCrd(client, originalCrd(readCrd(kind)));
}

/** An API server that has been prepared. Where that fails, nothing of it is left. */
export async function startWith(
  prepare: (client: KubeClient) => Promise<void>,
  options: ApiServerOptions = {},
): Promise<{ readonly server: ApiServer; readonly client: KubeClient }> {
  const server = await ApiServer.start(options);
  try {
    const client = server.client();
    await prepare(client);
    return { server, client };
  } catch (error) {
    await server.remove();
    throw error;
  }
}
