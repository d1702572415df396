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
  readonly #byPod = new Map<string, Slots>();

  /** How many reservations there are. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  add(reservation: Reservation): void {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = reservation;
    const uid = podUID(reservation);
    if (isByContainer(reservation, uid)) insert(this.#byContainer, reservation.containerID, slot);
    if (uid !== "") insert(this.#byPod, uid, slot);
  }

  /** Takes out the reservation that equals the given one. Returns what was taken out; undefined when there is none. */
  remove(reservation: Reservation): Reservation | undefined {
    const uid = podUID(reservation);
    const byContainer = isByContainer(reservation, uid);
    const candidates = byContainer ? this.#byContainer.get(reservation.containerID) : this.#byPod.get(uid);
    for (const slot of each(candidates)) {
      const kept = this.#slots[slot];
      if (kept === undefined || !sameReservation(kept, reservation)) continue;
      this.#slots[slot] = undefined;
      this.#free.push(slot);
      if (byContainer) drop(this.#byContainer, kept.containerID, slot);
      if (uid !== "") drop(this.#byPod, uid, slot);
      return kept;
    }
    return undefined;
  }

  /** What the attachment holds. */
  ofAttachment({ containerID, ifname }: Attachment): Reservation[] {
    return this.ofContainer(containerID).filter((reservation) => reservation.ifname === ifname);
  }

  /** What the container holds. */
  ofContainer(containerID: string): Reservation[] {
    return this.#at(this.#byContainer.get(containerID));
  }

  /** What is kept for the pod, or for one interface of it, under whatever container id. Nothing for an empty uid. */
  ofPod(uid: string, ifname?: string): Reservation[] {
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

/** Rebuilt reservations all have the container id "": they are found by their pod, if that is known. */
function isByContainer({ containerID }: Reservation, uid: string): boolean {
  return containerID !== "" || uid === "";
}

function each(slots: Slots | undefined): readonly number[] {
  if (slots === undefined) return [];
  return typeof slots === "number" ? [slots] : slots;
}

function insert(index: Map<string, Slots>, key: string, slot: number): void {
  const slots = index.get(key);
  if (slots === undefined) index.set(key, slot);
  else if (typeof slots === "number") index.set(key, [slots, slot]);
  else slots.push(slot);
}

function drop(index: Map<string, Slots>, key: string, slot: number): void {
  const left = each(index.get(key)).filter((other) => other !== slot);
  const [only] = left;
  if (only === undefined) index.delete(key);
  else index.set(key, left.length === 1 ? only : left);
}
