/** `inspect reservations`: who holds what. From an API server it is what pods show. Pure. */
import { formatAddress } from "../ip/address.ts";
import { type Claim, readyCluster } from "./cluster_pools.ts";
import type { Content } from "./content.ts";
import { head, type List, type ReservationItem } from "./report.ts";

/** All that is held. */
export function reservationList(content: Content): List<"ReservationList", ReservationItem> {
  const items = content.type === "node" ? content.reservations : readyCluster(content).claims.map(claimItem);
  return { ...head("ReservationList", content), items };
}

/** An address that a pod shows. */
export function claimItem({ pod, ifname, network, address, pool: { object } }: Claim): ReservationItem {
  const { namespace, name, uid, node } = pod;
  return {
    pool: object.metadata.name,
    poolKind: object.kind,
    poolUID: object.metadata.uid ?? "",
    addresses: [formatAddress(address)],
    node,
    containerID: "",
    ifname,
    pod: { namespace, name, uid },
    network,
    deviceID: "",
    how: "shown",
    createdAt: "",
  };
}
