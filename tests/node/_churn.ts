/** Pods that come and go at random. */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "../random.ts";
import type { Cluster } from "./_cluster.ts";
import type { PodSettings } from "./_pods.ts";

export interface ChurnSettings {
  readonly cluster: Cluster;
  readonly random: Random;
  /** Names of networks; a pod has up to four interfaces in them. */
  readonly networks: readonly [string, ...string[]];
  readonly nodes: readonly [string, ...string[]];
  /** About how many pods there are. */
  readonly pods: number;
}

type Action = "create" | "delete" | "replace";

const LONGEST_PAUSE_MS = 1500;
const MOST_AT_ONCE = 6;
const MOST_INTERFACES = 4;

/** How long a request is tried again: longer than the API server is ever away. */
const INSIST_LIMIT_MS = 120_000;

/** Creates pods, deletes some, and puts others of the same name in the place of some. */
export class Churn {
  readonly #settings: ChurnSettings;
  readonly #alive = new Map<string, PodSettings>();
  #made = 0;
  #replaced = 0;

  constructor(settings: ChurnSettings) {
    this.#settings = settings;
  }

  /** How many pods were created, and how many of those in the place of one that was deleted by force. */
  get counts(): { readonly made: number; readonly replaced: number } {
    return { made: this.#made, replaced: this.#replaced };
  }

  /** Goes on until the signal is aborted. What the API server does not take is tried again. @throws when it takes nothing for long. */
  async run(signal: AbortSignal): Promise<void> {
    const { random, pods } = this.#settings;
    while (!signal.aborted) {
      const few = this.#alive.size < pods / 2;
      const many = this.#alive.size > pods;
      const action = few ? "create" : many ? "delete" : random.pick<Action>(["create", "delete", "replace"]);
      const count = 1 + random.below(MOST_AT_ONCE);
      if (action === "create")
        await Promise.all(Array.from({ length: count }, () => this.#create(this.#newPod(), signal)));
      else await Promise.all(this.#some(count).map((pod) => this.#end(pod, action, signal)));
      await delay(random.below(LONGEST_PAUSE_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  #newPod(): PodSettings {
    const { random, networks, nodes } = this.#settings;
    const interfaces = 1 + random.below(MOST_INTERFACES);
    return {
      name: `churn-${this.#made}`,
      node: random.pick(nodes),
      networks: Array.from({ length: interfaces }, () => random.pick(networks)),
      forced: random.below(4) === 0,
    };
  }

  #some(count: number): readonly PodSettings[] {
    const all = [...this.#alive.values()];
    return Array.from({ length: Math.min(count, all.length) }, () => {
      const [pod] = all.splice(this.#settings.random.below(all.length), 1);
      return pod;
    }).filter((pod) => pod !== undefined);
  }

  async #create(pod: PodSettings, signal: AbortSignal): Promise<void> {
    this.#made++;
    this.#alive.set(pod.name, pod);
    await insist(() => this.#settings.cluster.pods.create(pod), /already exists/, signal);
  }

  async #end(pod: PodSettings, action: Exclude<Action, "create">, signal: AbortSignal): Promise<void> {
    this.#alive.delete(pod.name);
    await insist(() => this.#settings.cluster.pods.delete(pod.name), /not found/, signal);
    // Where the node ends it in its own time, its name is not free yet.
    if (action === "delete" || pod.forced !== true) return;
    this.#replaced++;
    await this.#create(pod, signal);
  }
}

/** Tries until it is done, the API server says that it is, or nobody wants it any more. @throws the last failure. */
async function insist(request: () => Promise<void>, isDone: RegExp, signal: AbortSignal): Promise<void> {
  const end = performance.now() + INSIST_LIMIT_MS;
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (isDone.test(String(error)) || signal.aborted) return;
      if (performance.now() > end) throw new Error(`not within ${INSIST_LIMIT_MS} ms`, { cause: error });
      await delay(200, undefined, { signal }).catch(() => undefined);
    }
  }
}
