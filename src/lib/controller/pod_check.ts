/** Finds out whether pods of a node still show an address of a released block (R7). */
import type { Allocation, Released } from "../api/types.ts";
import type { Log } from "../observe/log.ts";
import type { PodUse } from "../planner/rest.ts";
import { isInUse } from "./pod_use.ts";
import type { PoolApi } from "./pool_api.ts";

/** Milliseconds for which a list counts, so that all pools of a node share it. */
export const SHARED_MS = 2000;

type Pods = Awaited<ReturnType<PoolApi["podsOn"]>>;

/** Lists pods; where that is forbidden, says so once and counts every block as unused. */
export class PodCheck {
  readonly #api: Pick<PoolApi, "podsOn">;
  readonly #log: Log;
  readonly #monotonicMs: () => number;
  readonly #lists = new Map<string, { readonly begun: number; readonly pods: Promise<Pods> }>();
  #forbidden: boolean | undefined;

  constructor(api: Pick<PoolApi, "podsOn">, log: Log, monotonicMs: () => number) {
    this.#api = api;
    this.#log = log;
    this.#monotonicMs = monotonicMs;
  }

  /** Whether pods may not be listed; undefined before anybody has tried. */
  get forbidden(): boolean | undefined {
    return this.#forbidden;
  }

  /**
   * Looks at the pods of the entries' nodes. What cannot be found out counts as in use.
   *
   * @param overdueMs milliseconds since an entry's delay was over: only a list that was begun after that tells of it.
   */
  async look(
    entries: readonly Released<Allocation>[],
    overdueMs: (entry: Released<Allocation>) => number,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Released<Allocation>, PodUse>> {
    const uses = new Map<Released<Allocation>, PodUse>();
    for (const [nodeName, ofNode] of Map.groupBy(entries, (entry) => entry.nodeName)) {
      const pods = await this.#podsOn(nodeName, Math.min(...ofNode.map(overdueMs)), signal);
      for (const entry of ofNode) {
        if (pods.ok) uses.set(entry, isInUse(entry, pods.value) ? "some" : "none");
        else uses.set(entry, pods.error.code === "forbidden" ? "none" : "some");
      }
    }
    return uses;
  }

  /** Pools are looked at beside each other: the same list may be under way. */
  #podsOn(nodeName: string, youngerThanMs: number, signal: AbortSignal): Promise<Pods> {
    const now = this.#monotonicMs();
    for (const [name, { begun }] of this.#lists) if (now - begun > SHARED_MS) this.#lists.delete(name);
    const known = this.#lists.get(nodeName);
    if (known !== undefined && now - known.begun <= youngerThanMs) return known.pods;
    const pods = this.#list(nodeName, signal);
    this.#lists.set(nodeName, { begun: now, pods });
    return pods;
  }

  async #list(nodeName: string, signal: AbortSignal): Promise<Pods> {
    const pods = await this.#api.podsOn(nodeName, signal);
    if (!pods.ok && pods.error.code === "forbidden") this.#noteForbidden(pods.error.message);
    else if (!pods.ok) this.#log.warning("Pods could not be listed", { node: nodeName, err: pods.error.message });
    else this.#forbidden = false;
    return pods;
  }

  #noteForbidden(message: string): void {
    if (this.#forbidden !== true) {
      this.#log.warning("Released blocks rest for the delay only, whether pods use them or not", { err: message });
    }
    this.#forbidden = true;
  }
}
