/** One copy of the texts that thousands of reservations have in common. */
import type { PoolID, Reservation } from "./reservation.ts";

/** More different texts than this at a time are not worth remembering: namespaces and networks come and go. */
const LIMIT = 4096;

/** Makes reservations share their equal parts. */
export class Sharing {
  readonly #texts = new Map<string, string>();

  /** An equal reservation of the pool, whose network, interface name and namespace are shared. */
  reservation(reservation: Reservation, pool: PoolID): Reservation {
    const { containerID, addresses, owner, deviceID, how, createdAt } = reservation;
    return {
      containerID,
      ifname: this.#text(reservation.ifname),
      pool,
      addresses,
      owner: owner.type === "pod" ? { ...owner, namespace: this.#text(owner.namespace) } : owner,
      network: this.#text(reservation.network),
      deviceID,
      how,
      createdAt,
    };
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= LIMIT) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }
}
