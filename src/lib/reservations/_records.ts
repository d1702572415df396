/** The reservations with the indexes that requests need: by attachment and by pod. No request looks at all of them. */
import { PlaceIndex } from "./_place_index.ts";
import { containerOf, type Entry, identityOf, isHeldBy, podOf, toReservation } from "./entry.ts";
import { escapeField } from "./fields.ts";
import type { Attachment, Reservation } from "./reservation.ts";

/** A page of reservations. One that lives while all pages are read is in exactly one of them. */
export interface Page {
  readonly reservations: readonly Reservation[];
  /** Where the next page begins; undefined on the last one. */
  readonly next: number | undefined;
}

/**
 * A mutable set of reservations, packed. One stays at its place while it lives, so that pages of a listing neither repeat nor
 * miss it, and that it can be released by its place.
 */
export class Records {
  readonly #entries: (Entry | undefined)[] = [];
  #size = 0;
  /** Places that were left, the last one last. Those that were taken by number since are in it too. */
  readonly #left: number[] = [];
  /** By the container id; what was rebuilt without one, by the pod's uid. */
  readonly #byHolder = new PlaceIndex();
  /** By the pod's uid: all that is kept for it. Made when it is first asked for: many nodes never do. */
  #byPod: PlaceIndex | undefined;

  /** How many reservations there are. */
  get size(): number {
    return this.#size;
  }

  /** Where the next reservation is to be put. */
  vacancy(): number {
    for (let place = this.#left.at(-1); place !== undefined; place = this.#left.at(-1)) {
      if (this.#entries[place] === undefined) return place;
      this.#left.pop();
    }
    return this.#entries.length;
  }

  /** Puts an entry at a place where none is. */
  put(place: number, entry: Entry): void {
    for (let between = this.#entries.length; between < place; between++) {
      this.#entries.push(undefined);
      this.#left.push(between);
    }
    if (this.#left.at(-1) === place) this.#left.pop();
    this.#entries[place] = entry;
    this.#size++;
    this.#byHolder.add(holderOf(entry), place);
    if (this.#byPod !== undefined) addPod(this.#byPod, entry, place);
  }

  /** Takes out what is at the place. Returns undefined when there is nothing. */
  remove(place: number): Entry | undefined {
    const entry = this.#entries[place];
    if (entry === undefined) return undefined;
    this.#entries[place] = undefined;
    this.#left.push(place);
    this.#size--;
    this.#byHolder.delete(holderOf(entry), place);
    this.#byPod?.delete(podOf(entry), place);
    return entry;
  }

  /** Where the entry is that equals the given one. */
  placeOf(wanted: Entry): number | undefined {
    const identity = identityOf(wanted);
    return this.#byHolder.at(holderOf(wanted)).find((place) => {
      const entry = this.#entries[place];
      return entry !== undefined && identityOf(entry) === identity;
    });
  }

  /** What the attachment holds. */
  ofAttachment(attachment: Attachment): Reservation[] {
    const places = this.#byHolder.at(escapeField(attachment.containerID));
    return this.#select(places, (entry) => isHeldBy(entry, attachment));
  }

  /** What the container holds. */
  ofContainer(containerID: string): Reservation[] {
    const container = escapeField(containerID);
    return this.#select(this.#byHolder.at(container), (entry) => containerOf(entry) === container);
  }

  /** What was rebuilt for the pod's interface without a container id. Nothing for an empty uid. */
  unadopted(uid: string, ifname: string): Reservation[] {
    if (uid === "") return [];
    const pod = escapeField(uid);
    const rebuilt = { containerID: "", ifname };
    return this.#select(this.#byHolder.at(pod), (entry) => isHeldBy(entry, rebuilt) && podOf(entry) === pod);
  }

  /**
   * What is kept for the pod, or for one interface of it, under whatever container id. Nothing for an empty uid. The first call
   * looks at all reservations.
   */
  ofPod(uid: string, ifname?: string): Reservation[] {
    if (uid === "") return [];
    const pod = escapeField(uid);
    this.#byPod ??= this.#indexByPod();
    const all = this.#select(this.#byPod.at(pod), (entry) => podOf(entry) === pod);
    return ifname === undefined ? all : all.filter((reservation) => reservation.ifname === ifname);
  }

  /** All of them, packed, by their places. */
  entries(): readonly (Entry | undefined)[] {
    return this.#entries;
  }

  /** Those that pass. Looks at all of them. */
  where(passes: (entry: Entry) => boolean): Reservation[] {
    return this.#select(this.#entries.keys(), passes);
  }

  /** Up to `limit` reservations that pass, from place `from` on, and the place to go on from; undefined at the end. */
  page(from: number, limit: number, passes: (reservation: Reservation) => boolean): Page {
    const reservations: Reservation[] = [];
    for (let place = from; place < this.#entries.length; place++) {
      const entry = this.#entries[place];
      const reservation = entry && toReservation(entry);
      if (reservation === undefined || !passes(reservation)) continue;
      if (reservations.length === limit) return { reservations, next: place };
      reservations.push(reservation);
    }
    return { reservations, next: undefined };
  }

  #indexByPod(): PlaceIndex {
    const index = new PlaceIndex();
    for (const [place, entry] of this.#entries.entries()) if (entry !== undefined) addPod(index, entry, place);
    return index;
  }

  #select(places: Iterable<number>, passes: (entry: Entry) => boolean): Reservation[] {
    const found: Reservation[] = [];
    for (const place of places) {
      const entry = this.#entries[place];
      if (entry !== undefined && passes(entry)) found.push(toReservation(entry));
    }
    return found;
  }
}

/** What is rebuilt may have no container id: then it is found by its pod, if that is known. */
function holderOf(entry: Entry): string {
  return containerOf(entry) || podOf(entry);
}

/** Those without a known pod are many, and nobody looks for them by it. */
function addPod(index: PlaceIndex, entry: Entry, place: number): void {
  const pod = podOf(entry);
  if (pod !== "") index.add(pod, place);
}

/** The uid of the pod that the reservation is for; "" when it is not known. */
export function podUID({ owner }: Pick<Reservation, "owner">): string {
  return owner.type === "pod" ? owner.uid : "";
}
