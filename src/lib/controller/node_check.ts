/** Looks at Node objects themselves before a block is taken from a node: a watch may lag behind (R14). */
import type { NodeInfo } from "../api/selector.ts";
import type { KubeError } from "../kube/error.ts";
import { ok, type Result } from "../result.ts";
import type { PoolApi } from "./pool_api.ts";

/** Requests under way at once. */
const AT_ONCE = 16;
/** Milliseconds for which an answer counts, so that all pools of a node that has gone share it. */
const GOOD_FOR_MS = 2000;

interface Answer {
  readonly at: number;
  readonly node: NodeInfo | undefined;
}

/** Asks for nodes, a few at a time, and remembers the answers for a moment. */
export class NodeCheck {
  readonly #api: Pick<PoolApi, "node">;
  readonly #monotonicMs: () => number;
  readonly #answers = new Map<string, Answer>();

  constructor(api: Pick<PoolApi, "node">, monotonicMs: () => number) {
    this.#api = api;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * What the API server says of these nodes: undefined for one that does not exist.
   *
   * @returns the first error, if one cannot be asked for.
   */
  async look(
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<string, NodeInfo | undefined>, KubeError>> {
    this.#forgetOld();
    const found = new Map<string, NodeInfo | undefined>();
    const queue = [...names];
    let error: KubeError | undefined;
    const work = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined && error === undefined; name = queue.shift()) {
        const known = this.#answers.get(name);
        const answer = known === undefined ? await this.#api.node(name, signal) : ok(known.node);
        if (!answer.ok) {
          error = answer.error;
          return;
        }
        if (known === undefined) this.#answers.set(name, { at: this.#monotonicMs(), node: answer.value });
        found.set(name, answer.value);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return error === undefined ? ok(found) : { ok: false, error };
  }

  /** A node changed: what was said of it before counts no more. */
  forget(name: string): void {
    this.#answers.delete(name);
  }

  /** Answers are noted in the order in which they came. */
  #forgetOld(): void {
    const since = this.#monotonicMs() - GOOD_FOR_MS;
    for (const [name, { at }] of this.#answers) {
      if (at > since) return;
      this.#answers.delete(name);
    }
  }
}
