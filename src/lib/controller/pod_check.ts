/** Finds out whether pods of a node still show an address of a released block (R7). */
import type { Allocation, Released } from "../api/types.ts";
import type { Log } from "../observe/log.ts";
import type { PodUse } from "../planner/rest.ts";
import { isInUse } from "./pod_use.ts";
import type { PoolApi } from "./pool_api.ts";

/** Lists pods; where that is forbidden, says so once and counts every block as unused. */
export class PodCheck {
  readonly #api: Pick<PoolApi, "podsOn">;
  readonly #log: Log;
  #forbidden: boolean | undefined;

  constructor(api: Pick<PoolApi, "podsOn">, log: Log) {
    this.#api = api;
    this.#log = log;
  }

  /** Whether pods may not be listed; undefined before anybody has tried. */
  get forbidden(): boolean | undefined {
    return this.#forbidden;
  }

  /** Looks at the pods of the entries' nodes, once for each node. What cannot be found out counts as in use. */
  async look(
    entries: readonly Released<Allocation>[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Released<Allocation>, PodUse>> {
    const uses = new Map<Released<Allocation>, PodUse>();
    for (const [nodeName, ofNode] of Map.groupBy(entries, (entry) => entry.nodeName)) {
      const pods = await this.#api.podsOn(nodeName, signal);
      if (!pods.ok && pods.error.code === "forbidden") this.#noteForbidden(pods.error.message);
      else if (!pods.ok) this.#log.warning("Pods could not be listed", { node: nodeName, err: pods.error.message });
      else this.#forbidden = false;
      for (const entry of ofNode) {
        if (pods.ok) uses.set(entry, isInUse(entry, pods.value) ? "some" : "none");
        else uses.set(entry, pods.error.code === "forbidden" ? "none" : "some");
      }
    }
    return uses;
  }

  #noteForbidden(message: string): void {
    if (this.#forbidden !== true) {
      this.#log.warning("Released blocks rest for the delay only, whether pods use them or not", { err: message });
    }
    this.#forbidden = true;
  }
}
