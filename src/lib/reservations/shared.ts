import type { PoolID } from "./reservation.ts";

/** More different ones than this at a time are not worth remembering: namespaces and networks come and go. */
const LIMIT = 4096;

/** One copy of what thousands of reservations have in common. */
export class Shared {
  readonly #texts = new Map<string, string>();
  #pool: PoolID | undefined;

  /** The first of the equal texts. */
  text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= LIMIT) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  /** The pool as the call before gave it, if it is the same: neighbours mostly have one pool. */
  pool(pool: PoolID): PoolID {
    const latest = this.#pool;
    const isSame = latest?.kind === pool.kind && latest.name === pool.name && latest.uid === pool.uid;
    this.#pool = isSame ? latest : pool;
    return this.#pool;
  }
}
