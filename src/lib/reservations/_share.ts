/** One copy of texts and objects that thousands of reservations have in common. */
import type { PoolID, Reservation } from "./reservation.ts";

/** More different texts than this at a time are not worth remembering: namespaces and networks come and go. */
const LIMIT = 4096;

/** Makes reservations share their equal parts. */
export class Sharing {
  readonly #texts = new Map<string, string>();
  readonly #pools = new Map<string, PoolID>();

  /** The pool's id, always the same object for the same kind, name and uid. */
  poolID(pool: PoolID): PoolID {
    return shared(this.#pools, `${pool.kind}/${pool.name}/${pool.uid}`, pool);
  }

  /** An equal reservation whose pool, network, interface name and namespace are shared. */
  reservation(reservation: Reservation): Reservation {
    const { containerID, addresses, owner, deviceID, how, createdAt } = reservation;
    return {
      containerID,
      ifname: this.#text(reservation.ifname),
      pool: this.poolID(reservation.pool),
      addresses,
      owner: owner.type === "pod" ? { ...owner, namespace: this.#text(owner.namespace) } : owner,
      network: this.#text(reservation.network),
      deviceID,
      how,
      createdAt,
    };
  }

  #text(text: string): string {
    return shared(this.#texts, text, text);
  }
}

function shared<T>(known: Map<string, T>, key: string, value: T): T {
  const earlier = known.get(key);
  if (earlier !== undefined) return earlier;
  if (known.size >= LIMIT) known.clear();
  known.set(key, value);
  return value;
}
