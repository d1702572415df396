import { sameAddress } from "../ip/address.ts";
import { podUID, type Records } from "./_records.ts";
import type { Reservation } from "./reservation.ts";

/** What becomes of an address that was found in use. */
export interface Restoring {
  /** Its holder holds it already. */
  readonly isKnown: boolean;
  /** Restored before without a container id, which is known now. */
  readonly replaces: Reservation | undefined;
}

/**
 * Compares what was found in use with what is known. An attachment is known by its container id and interface. Where a pod
 * tells its addresses without container ids, it is enough that one of its containers holds the address.
 */
export function restoring(records: Records, found: Reservation): Restoring {
  const holdsIt = ({ pool, addresses }: Reservation): boolean =>
    pool.kind === found.pool.kind &&
    pool.name === found.pool.name &&
    found.addresses.every((address) => addresses.some((each) => sameAddress(each, address)));
  const ofPod = records.ofPod(podUID(found)).filter(holdsIt);
  if (found.containerID === "") return { isKnown: ofPod.length > 0, replaces: undefined };
  return {
    isKnown: records.ofAttachment(found).some(holdsIt),
    replaces: ofPod.find(({ containerID, ifname }) => containerID === "" && ifname === found.ifname),
  };
}
