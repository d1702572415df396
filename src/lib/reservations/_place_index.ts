/** One place or several: nearly every container and pod has one. */
type Places = number | number[];

/**
 * Places of entries, by a text that is not kept. Texts may share a number by chance, so whoever looks has to compare. This takes a
 * third of the memory of a map by texts, and next to nothing from the garbage collector.
 */
export class PlaceIndex {
  readonly #places = new Map<number, Places>();

  /** Where entries with this key are, and perhaps others. */
  at(key: string): readonly number[] {
    const places = this.#places.get(hash(key));
    if (places === undefined) return [];
    return typeof places === "number" ? [places] : places;
  }

  add(key: string, place: number): void {
    const number = hash(key);
    const places = this.#places.get(number);
    if (places === undefined) this.#places.set(number, place);
    else if (typeof places === "number") this.#places.set(number, [places, place]);
    else places.push(place);
  }

  delete(key: string, place: number): void {
    const number = hash(key);
    const left = this.at(key).filter((other) => other !== place);
    const [only] = left;
    if (only === undefined) this.#places.delete(number);
    else this.#places.set(number, left.length === 1 ? only : left);
  }
}

/** Of the ids' last digits: so many tell apart all that there are. */
const HASHED = 16;

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), cut to what V8 keeps as a plain number. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = Math.max(text.length - HASHED, 0); at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return value & 0x3fffffff;
}
