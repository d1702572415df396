/** Reads what an API server has of pools, nodes and pods. Only gets and lists; what may not be read is left out and said. */

import { readNetworkSelection } from "../api/network_selection.ts";
import { readNetworkStatus } from "../api/network_status.ts";
import { readPool } from "../api/parse.ts";
import { POOL_KINDS, POOL_RESOURCES } from "../api/resources.ts";
import type { NodeInfo } from "../api/selector.ts";
import { API_VERSION, type PoolKind, type PoolObject } from "../api/types.ts";
import { parseAddress } from "../ip/address.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeError } from "../kube/error.ts";
import { listAll } from "../kube/list_all.ts";
import type { KubeObject, Resource } from "../kube/object.ts";
import { fail, ok, type Result } from "../result.ts";
import type { ClusterContent, NetworkIpam, Pod } from "./content.ts";
import { readNetworkIpam } from "./network_ipam.ts";

/** core/v1 pods. */
export const PODS: Resource = { group: "", version: "v1", plural: "pods" };
/** The definitions of networks, as Multus reads them. */
export const NETWORKS: Resource = {
  group: "k8s.cni.cncf.io",
  version: "v1",
  plural: "network-attachment-definitions",
};
const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
/** Where pools are as a rule, for users who may not look everywhere. */
const USUAL_NAMESPACE = "kube-system";
/** Pools a page: each may hold the blocks of thousands of nodes. */
const POOL_PAGE = 10;
const UNFINISHED = "status.phase!=Succeeded,status.phase!=Failed";

/** What of a cluster is read. */
export interface ClusterRequest {
  /** Where the pools are; "": wherever they are, if that is one namespace. */
  readonly namespace: string;
  /** Whose pods: of all nodes, or of one. */
  readonly pods: "all" | { readonly node: string };
}

/** A Pod as the API server has it. */
export interface PodObject extends KubeObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

/** A NetworkAttachmentDefinition. */
export interface NetworkObject extends KubeObject {
  readonly spec?: { readonly config?: unknown };
}

type Lister = Pick<KubeClient, "list" | "server">;

/** Reads a cluster. @returns why there is nothing to look at, in a sentence. */
export async function readCluster(
  client: Lister,
  { namespace, pods: whose }: ClusterRequest,
): Promise<Result<ClusterContent, string>> {
  const notes: string[] = [];
  const allowed = <T>(what: string, without: string, read: Result<T, KubeError>): Result<T | undefined, string> => {
    if (read.ok) return read;
    if (read.error.code !== "forbidden") return fail(read.error.message);
    notes.push(`${what} may not be listed: ${without}`);
    return ok(undefined);
  };
  const fieldSelector = whose === "all" ? UNFINISHED : `${UNFINISHED},spec.nodeName=${whose.node}`;
  const [pools, nodesRead, podsRead, networks] = await Promise.all([
    readPools(client, namespace),
    listAll<KubeObject, NodeInfo>(client, NODES, { metadataOnly: true, keep: keepNode }),
    listAll<PodObject, Pod>(client, PODS, { fieldSelector, keep: keepPod }),
    readNetworks(client),
  ]);
  if (!pools.ok) return pools;
  const nodes = allowed("nodes", "which blocks are missing, or of nodes that are gone, is not known", nodesRead);
  if (!nodes.ok) return nodes;
  const pods = allowed("pods", "which addresses are in use is not known", podsRead);
  if (!pods.ok) return pods;
  return ok({
    type: "cluster",
    source: { type: "cluster", place: client.server, node: "" },
    notes: [...pools.value.notes, ...notes],
    pools: pools.value.pools,
    nodes: nodes.value,
    pods: pods.value,
    networks,
  });
}

interface PoolsRead {
  readonly pools: readonly PoolObject[];
  readonly notes: readonly string[];
}

async function readPools(client: Lister, namespace: string): Promise<Result<PoolsRead, string>> {
  const pools: PoolObject[] = [];
  const notes: string[] = [];
  const lists = await Promise.all(
    POOL_KINDS.map((kind) =>
      listAll<KubeObject, PoolObject | undefined>(client, POOL_RESOURCES[kind], {
        namespace: namespace === "" ? undefined : namespace,
        pageSize: POOL_PAGE,
        keep: (object) => keepPool(kind, object),
      }),
    ),
  );
  for (const [index, list] of lists.entries()) {
    if (list.ok) pools.push(...list.value.filter((pool) => pool !== undefined));
    else if (list.error.code === "notFound")
      notes.push(`the cluster does not know ${POOL_KINDS[index]}s: their CRD is not there`);
    else if (list.error.code === "forbidden" && namespace === "") {
      const usual = await readPools(client, USUAL_NAMESPACE);
      return usual.ok ? usual : fail(`${usual.error}; name the pools' namespace with --ippools-namespace`);
    } else return fail(list.error.message);
  }
  if (notes.length === POOL_KINDS.length)
    return fail(`${client.server} does not know IPPools and CIDRPools: the CRDs are not there`);
  return servedPools({ pools, notes });
}

/** The pools of one namespace: of several, that whose pools have a status, for a controller looks at one alone. */
function servedPools({ pools, notes }: PoolsRead): Result<PoolsRead, string> {
  const byNamespace = Map.groupBy(pools, ({ metadata }) => metadata.namespace ?? "");
  if (byNamespace.size < 2) return ok({ pools, notes });
  const [served, ...more] = [...byNamespace].filter(([, those]) => those.some(({ status }) => status !== undefined));
  if (served === undefined || more.length > 0) {
    const names = [...byNamespace.keys()].sort().join(", ");
    return fail(`there are pools in several namespaces (${names}): name one with --ippools-namespace`);
  }
  const [namespace, those] = served;
  const others = pools.filter((pool) => !those.includes(pool));
  const strays = others.map(
    ({ kind, metadata }) =>
      `${kind} ${metadata.name} of namespace ${metadata.namespace} is not served: no controller has looked at it; make it in ${namespace}`,
  );
  return ok({ pools: those, notes: [...notes, ...strays] });
}

/** Items of a list say neither version nor kind. */
function keepPool(kind: PoolKind, object: KubeObject): PoolObject | undefined {
  const read = readPool({ ...object, apiVersion: API_VERSION, kind });
  return read.ok ? read.value : undefined;
}

function keepNode({ metadata }: KubeObject): NodeInfo {
  return { name: metadata.name, labels: metadata.labels ?? {} };
}

/** What is kept of a pod. */
export function keepPod({ metadata, spec, status }: PodObject): Pod {
  const { name, namespace = "", uid = "", annotations, deletionTimestamp } = metadata;
  return {
    namespace,
    name,
    uid,
    node: spec?.nodeName ?? "",
    phase: status?.phase ?? "",
    isTerminating: deletionTimestamp !== undefined,
    interfaces: readNetworkStatus(annotations).filter(({ isDefault }) => !isDefault),
    asked: readNetworkSelection(annotations, namespace).flatMap(({ ips }) =>
      ips.flatMap((ip) => parseAddress(ip.split("/", 1)[0] ?? "") ?? []),
    ),
  };
}

/** The networks' definitions; undefined where there are none to be read: then addresses are told by their pools' ranges alone. */
async function readNetworks(client: Lister): Promise<ReadonlyMap<string, NetworkIpam> | undefined> {
  const read = await listAll<NetworkObject, readonly [string, NetworkIpam]>(client, NETWORKS, {
    keep: ({ metadata: { namespace, name }, spec }) => [`${namespace}/${name}`, readNetworkIpam(spec?.config, name)],
  });
  return read.ok ? new Map(read.value) : undefined;
}
