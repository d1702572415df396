/** Reads one pod of a cluster with the definitions of its networks, its Events, and whether its node's daemon is ready. */
import { type NetworkSelection, networkSelectionFault, readNetworkSelection } from "../api/network_selection.ts";
import type { KubeClient } from "../kube/client.ts";
import { listAll } from "../kube/list_all.ts";
import type { KubeObject, Resource } from "../kube/object.ts";
import { fail, ok, type Result } from "../result.ts";
import type { AskedNetwork, PodDetails } from "./content.ts";
import { keepPod, NETWORKS, type NetworkObject, PODS, type PodObject } from "./from_cluster.ts";
import { configFault, readNetworkIpam } from "./network_ipam.ts";
import type { EventItem } from "./report.ts";

const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
/** The labels of the node daemon's pods, in our manifests and in the original's. */
const DAEMON_LABELS = "name=nv-ipam-node,app=nvidia-k8s-ipam";
const SHOWN_EVENTS = 5;
/** The ID of a pod's sandbox. */
const SANDBOX = /\b[0-9a-f]{64}\b/g;

interface EventObject extends KubeObject {
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

/** Reads them. @returns a sentence when there is no such pod, or it may not be read. */
export async function readPod(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<Result<PodDetails, string>> {
  const read = await client.get<PodObject>(PODS, { namespace, name });
  if (!read.ok) {
    return fail(read.error.code === "notFound" ? `there is no pod ${namespace}/${name}` : read.error.message);
  }
  const pod = keepPod(read.value);
  const { annotations } = read.value.metadata;
  const [networks, events, daemonReady] = await Promise.all([
    Promise.all(readNetworkSelection(annotations, namespace).map((each) => readNetwork(client, each))),
    readEvents(client, namespace, pod.uid),
    pod.node === "" ? undefined : isDaemonReady(client, pod.node),
  ]);
  return ok({ pod, networks, askedFault: networkSelectionFault(annotations), events, daemonReady });
}

async function readNetwork(client: KubeClient, selection: NetworkSelection): Promise<AskedNetwork> {
  const { namespace, name, cniArgs } = selection;
  const read = await client.get<NetworkObject>(NETWORKS, { namespace, name });
  if (read.ok) {
    const { config } = read.value.spec ?? {};
    return { selection, ipam: readNetworkIpam(config, name, cniArgs), problem: configFault(config) };
  }
  const isMissing = read.error.code === "notFound";
  const problem = isMissing ? `there is no NetworkAttachmentDefinition ${namespace}/${name}` : read.error.message;
  return { selection, ipam: undefined, problem };
}

/** The newest warnings; none where they may not be read. */
async function readEvents(client: KubeClient, namespace: string, uid: string): Promise<readonly EventItem[]> {
  const fieldSelector = `involvedObject.uid=${uid},type=Warning`;
  const read = await listAll<EventObject, EventItem>(client, EVENTS, { namespace, fieldSelector, keep: eventItem });
  return read.ok ? alikeOnce(read.value).slice(0, SHOWN_EVENTS) : [];
}

/** Newest first. Each try to start a pod names another sandbox: of those alike in all else the newest, with how many there are. */
export function alikeOnce(events: readonly EventItem[]): readonly EventItem[] {
  const newestFirst = events.toSorted((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
  const alike = Map.groupBy(newestFirst, ({ reason, message }) => `${reason} ${message.replaceAll(SANDBOX, "")}`);
  return [...alike.values()].flatMap(([newest, ...older]) =>
    newest === undefined ? [] : { ...newest, count: older.reduce((sum, { count }) => sum + count, newest.count) },
  );
}

function eventItem({ reason = "", message = "", count, lastTimestamp, eventTime, metadata }: EventObject): EventItem {
  const lastSeen = lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "";
  return { reason, message, count: count ?? 1, lastSeen };
}

async function isDaemonReady(client: KubeClient, node: string): Promise<boolean | undefined> {
  const request = { labelSelector: DAEMON_LABELS, fieldSelector: `spec.nodeName=${node}`, keep: isReady };
  const onNode = await listAll<PodObject, boolean>(client, PODS, request);
  if (!onNode.ok) return undefined;
  if (onNode.value.length > 0) return onNode.value.includes(true);
  // Where no node has one, the daemons may run under other labels, or not in pods.
  const anywhere = await client.list(PODS, { labelSelector: DAEMON_LABELS, limit: 1, metadataOnly: true });
  return anywhere.ok && anywhere.value.items.length > 0 ? false : undefined;
}

function isReady({ status }: PodObject): boolean {
  return status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}
