import { formatAddress } from "../ip/address.ts";
import type { PodView } from "../rpc/generated/daemon.ts";
import { networksOf, type PodOnNode, type PodWatch } from "./pod_watch.ts";

/** The pods that have not finished, as inspect shows them; undefined while they are not known. */
export function podViews({ isKnown, pods }: Pick<PodWatch, "isKnown" | "pods">): readonly PodView[] | undefined {
  return isKnown ? [...pods.values()].filter(({ isFinished }) => !isFinished).map(podView) : undefined;
}

function podView(pod: PodOnNode): PodView {
  const { name, namespace = "" } = pod.metadata;
  const interfaces = networksOf(pod)
    .filter(({ isDefault }) => !isDefault)
    .map(({ network, ifname, addresses }) => ({ network, ifname, addresses: addresses.map(formatAddress) }));
  return { namespace, name, uid: pod.uid, interfaces, terminating: pod.isTerminating };
}
