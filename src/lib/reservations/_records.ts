/** The reservations with the indexes that requests need: by attachment and by pod. No request looks at all of them. */
import { sameAddress } from "../ip/address.ts";
import type { Attachment, Reservation } from "./reservation.ts";

/** Where a reservation is kept; one number or several, since nearly every container and pod has one. */
type Slots = number | number[];

/** A page of reservations. One that lives while all pages are read is in exactly one of them. */
export interface Page {
  readonly reservations: readonly Reservation[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: number | undefined;
}

/** A mutable set of reservations. */
export class Records {
  /** A reservation stays at its place while it lives, so that pages of a listing neither repeat nor miss it. */
  readonly #slots: (Reservation | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byContainer = new Map<string, Slots>();
  /** By the pod's uid: what was rebuilt for it without a container id. */
  readonly #unadopted = new Map<string, Slots>();
  /** By the pod's uid: all that is kept for it. Made when it is first asked for: many nodes never do. */
  #byPod: Map<string, Slots> | undefined;

  /** How many reservations there are. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** Puts the reservation in, in place of one that equals it. Returns whether there was none. */
  put(reservation: Reservation): boolean {
    const uid = podUID(reservation);
    const { index, key } = this.#indexOf(reservation, uid);
    const slots = index.get(key);
    const place = this.#find(slots, reservation);
    const slot = place ?? this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = reservation;
    if (place !== undefined) return false;
    index.set(key, joined(slots, slot));
    if (uid !== "") this.#byPod?.set(uid, joined(this.#byPod.get(uid), slot));
    return true;
  }

  /** Takes out the reservation that equals the given one. Returns what was taken out; undefined when there is none. */
  remove(reservation: Reservation): Reservation | undefined {
    const uid = podUID(reservation);
    const { index, key } = this.#indexOf(reservation, uid);
    const slot = this.#find(index.get(key), reservation);
    if (slot === undefined) return undefined;
    const kept = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    drop(index, key, slot);
    if (uid !== "" && this.#byPod !== undefined) drop(this.#byPod, uid, slot);
    return kept;
  }

  /** What the attachment holds. */
  ofAttachment({ containerID, ifname }: Attachment): Reservation[] {
    return this.ofContainer(containerID).filter((reservation) => reservation.ifname === ifname);
  }

  /** What the container holds. */
  ofContainer(containerID: string): Reservation[] {
    return this.#at(this.#byContainer.get(containerID));
  }

  /** What was rebuilt for the pod's interface without a container id. Nothing for an empty uid. */
  unadopted(uid: string, ifname: string): Reservation[] {
    return this.#at(this.#unadopted.get(uid)).filter((reservation) => reservation.ifname === ifname);
  }

  /**
   * What is kept for the pod, or for one interface of it, under whatever container id. Nothing for an empty uid. The first call
   * looks at all reservations.
   */
  ofPod(uid: string, ifname?: string): Reservation[] {
    this.#byPod ??= this.#indexByPod();
    const all = this.#at(this.#byPod.get(uid));
    return ifname === undefined ? all : all.filter((reservation) => reservation.ifname === ifname);
  }

  /** All of them. */
  values(): Reservation[] {
    return this.#slots.filter((reservation) => reservation !== undefined);
  }

  /** Up to `limit` reservations that pass, from place `from` on, and the place to go on from; undefined at the end. */
  page(from: number, limit: number, passes: (reservation: Reservation) => boolean): Page {
    const reservations: Reservation[] = [];
    for (let slot = from; slot < this.#slots.length; slot++) {
      const reservation = this.#slots[slot];
      if (reservation === undefined || !passes(reservation)) continue;
      if (reservations.length === limit) return { reservations, next: slot };
      reservations.push(reservation);
    }
    return { reservations, next: undefined };
  }

  #indexByPod(): Map<string, Slots> {
    const index = new Map<string, Slots>();
    for (const [slot, reservation] of this.#slots.entries()) {
      const uid = reservation === undefined ? "" : podUID(reservation);
      if (uid !== "") index.set(uid, joined(index.get(uid), slot));
    }
    return index;
  }

  /** Where a reservation is found. Rebuilt ones all have the container id "": they are found by their pod, if that is known. */
  #indexOf({ containerID }: Reservation, uid: string): { readonly index: Map<string, Slots>; readonly key: string } {
    if (containerID === "" && uid !== "") return { index: this.#unadopted, key: uid };
    return { index: this.#byContainer, key: containerID };
  }

  #find(slots: Slots | undefined, reservation: Reservation): number | undefined {
    return each(slots).find((slot) => {
      const kept = this.#slots[slot];
      return kept !== undefined && sameReservation(kept, reservation);
    });
  }

  #at(slots: Slots | undefined): Reservation[] {
    const found: Reservation[] = [];
    for (const slot of each(slots)) {
      const reservation = this.#slots[slot];
      if (reservation !== undefined) found.push(reservation);
    }
    return found;
  }
}

/** Whether both are the same reservation, of the same pool object, pod and time. */
function sameReservation(a: Reservation, b: Reservation): boolean {
  return (
    a === b ||
    (a.containerID === b.containerID &&
      a.ifname === b.ifname &&
      a.createdAt === b.createdAt &&
      a.pool.name === b.pool.name &&
      a.pool.kind === b.pool.kind &&
      a.pool.uid === b.pool.uid &&
      podUID(a) === podUID(b) &&
      a.addresses.length === b.addresses.length &&
      a.addresses.every((address, i) => {
        const other = b.addresses[i];
        return other !== undefined && sameAddress(address, other);
      }))
  );
}

/** The uid of the pod that the reservation is for; "" when it is not known. */
export function podUID({ owner }: Pick<Reservation, "owner">): string {
  return owner.type === "pod" ? owner.uid : "";
}

function each(slots: Slots | undefined): readonly number[] {
  if (slots === undefined) return [];
  return typeof slots === "number" ? [slots] : slots;
}

function joined(slots: Slots | undefined, slot: number): Slots {
  if (slots === undefined) return slot;
  if (typeof slots === "number") return [slots, slot];
  slots.push(slot);
  return slots;
}

function drop(index: Map<string, Slots>, key: string, slot: number): void {
  const left = each(index.get(key)).filter((other) => other !== slot);
  const [only] = left;
  if (only === undefined) index.delete(key);
  else index.set(key, left.length === 1 ? only : left);
}
