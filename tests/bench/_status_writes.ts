/** What the API server tells of the writes to the pools of a namespace, without their content. */
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import { must, type Pools, until } from "../cluster/_pools.ts";

/** Follows IPPools from now on; call `end` at the end. */
export class StatusWrites {
  readonly #abort = new AbortController();
  readonly #watching: Promise<unknown>;
  #counts = new Map<string, number>();
  #last = 0;

  private constructor(client: KubeClient, namespace: string, resourceVersion: string) {
    this.#watching = client.watch(POOL_RESOURCES.IPPool, {
      namespace,
      metadataOnly: true,
      resourceVersion,
      silenceMs: 600_000,
      signal: this.#abort.signal,
      onEvent: ({ type, object }) => {
        if (type !== "MODIFIED") return;
        const { name } = object.metadata;
        this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
        this.#last = performance.now();
      },
    });
  }

  static async follow({ client, namespace }: Pools): Promise<StatusWrites> {
    const page = must(await client.list(POOL_RESOURCES.IPPool, { namespace, metadataOnly: true }));
    return new StatusWrites(client, namespace, page.resourceVersion);
  }

  /** The most writes that a pool has had. */
  get most(): number {
    return Math.max(0, ...this.#counts.values());
  }

  /** From here on, nothing was written yet. */
  reset(): void {
    this.#counts = new Map();
  }

  /**
   * Waits until every one of so many pools was written and `isComplete` finds them so.
   *
   * @returns when the last write was told of, as performance.now() has it.
   */
  async untilComplete(pools: number, isComplete: () => Promise<boolean>, limitMs: number): Promise<number> {
    const end = performance.now() + limitMs;
    const left = (): number => Math.max(0, end - performance.now());
    for (;;) {
      await until(
        () => this.#counts.size === pools && performance.now() - this.#last > QUIET_MS,
        `${pools} pools are written`,
        () => `${this.#counts.size} are`,
        left(),
      );
      const last = this.#last;
      if (await isComplete()) return last;
      await until(
        () => this.#last !== last,
        "the pools are complete",
        () => "",
        left(),
      );
    }
  }

  async end(): Promise<void> {
    this.#abort.abort();
    await this.#watching;
  }
}

/** Milliseconds without a write after which it is worth a look whether all is done. */
const QUIET_MS = 500;
