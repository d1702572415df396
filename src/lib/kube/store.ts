/** What is known of the objects of one kind, and who wants to know of its changes. */
import type { KubeObject } from "./object.ts";

/** One change of what is known. */
export type Change<S> =
  | { readonly type: "added"; readonly key: string; readonly now: S }
  | { readonly type: "updated"; readonly key: string; readonly before: S; readonly now: S }
  | { readonly type: "deleted"; readonly key: string; readonly before: S };

/** Objects by key (`namespace/name`, or the name of what is cluster-wide), as a reader sees them. */
export interface StoreView<S> {
  readonly size: number;
  get(key: string): S | undefined;
  keys(): IterableIterator<string>;
  values(): IterableIterator<S>;
  /** Calls the handler for each object there is, as `added`, then for every change. @returns ends it. */
  subscribe(handler: (change: Change<S>) => void): () => void;
}

/** What is kept of an object must still have its metadata's resourceVersion. */
export type Stored = Pick<KubeObject, "metadata">;

/** The store of a reflector. */
export class Store<S extends Stored> implements StoreView<S> {
  #objects = new Map<string, S>();
  readonly #handlers = new Set<(change: Change<S>) => void>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): S | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<S> {
    return this.#objects.values();
  }

  subscribe(handler: (change: Change<S>) => void): () => void {
    for (const [key, now] of this.#objects) handler({ type: "added", key, now });
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /**
   * Takes what an event says; a version that is known already changes nothing. Another object of the same name is told as
   * what it is: one that went, and one that came.
   */
  put(key: string, now: S): void {
    const known = this.#objects.get(key);
    if (known?.metadata.uid !== now.metadata.uid) this.remove(key);
    const before = this.#objects.get(key);
    this.#objects.set(key, now);
    if (before === undefined) this.#tell({ type: "added", key, now });
    else if (before.metadata.resourceVersion !== now.metadata.resourceVersion) {
      this.#tell({ type: "updated", key, before, now });
    }
  }

  remove(key: string): void {
    const before = this.#objects.get(key);
    if (before !== undefined && this.#objects.delete(key)) this.#tell({ type: "deleted", key, before });
  }

  /** Takes a whole list: what is not in it is gone. */
  replace(objects: ReadonlyMap<string, S>): void {
    for (const key of [...this.#objects.keys()]) if (!objects.has(key)) this.remove(key);
    for (const [key, now] of objects) this.put(key, now);
  }

  #tell(change: Change<S>): void {
    for (const handler of this.#handlers) handler(change);
  }
}
