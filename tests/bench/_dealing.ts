/** A controller that has given every node its block of some pools. */
import type { ControllerProcess } from "../cluster/_controller.ts";
import { must, type PoolJson, type Pools, until } from "../cluster/_pools.ts";
import { type Cluster, inParallel, NODE_SELECTOR } from "./_cluster.ts";
import { StatusWrites } from "./_status_writes.ts";

const LIMIT_MS = 120_000;

/** Call `end` at the end. */
export class Dealing {
  readonly process: ControllerProcess;
  readonly namespace: Pools;
  /** Number of pools. */
  readonly count: number;
  readonly writes: StatusWrites;
  /** Milliseconds from the start of the process until all was written. */
  took = 0;

  private constructor(process: ControllerProcess, namespace: Pools, count: number, writes: StatusWrites) {
    this.process = process;
    this.namespace = namespace;
    this.count = count;
    this.writes = writes;
  }

  /** Makes so many pools, starts a controller and waits until all of the nodes have their blocks. */
  static async start(cluster: Cluster, namespace: Pools, count: number, nodes: number): Promise<Dealing> {
    const indexes = Array.from({ length: count }, (_, index) => index);
    await inParallel(indexes, async (index) => {
      must(await namespace.create("IPPool", `pool-${index}`, specOf(index)));
    });
    const writes = await StatusWrites.follow(namespace);
    const began = performance.now();
    const dealing = new Dealing(await cluster.controller(namespace), namespace, count, writes);
    dealing.took = (await dealing.untilComplete(nodes)) - began;
    return dealing;
  }

  /** @returns when the last status was written, as performance.now() has it. */
  untilComplete(nodes: number): Promise<number> {
    const isComplete = async (): Promise<boolean> =>
      (await poolsOf(this.namespace)).every(({ status }) => status?.allocations?.length === nodes);
    return this.writes.untilComplete(this.count, isComplete, LIMIT_MS);
  }

  /** Ends the process and deletes the pools. */
  async end(): Promise<void> {
    await this.process.stop();
    await this.writes.end();
    await removePools(this.namespace);
  }
}

/** The pools of a namespace as they are now. */
export async function poolsOf(namespace: Pools): Promise<readonly PoolJson[]> {
  return [...(await namespace.all()).values()];
}

/** Deletes them. */
export async function removePools(namespace: Pools): Promise<void> {
  const names = (await poolsOf(namespace)).map(({ metadata }) => metadata.name);
  await inParallel(names, async (name) => {
    must(await namespace.delete("IPPool", name));
  });
  await until(async () => (await poolsOf(namespace)).length === 0, "the pools are gone");
}

function specOf(index: number): unknown {
  return {
    subnet: `10.${index}.0.0/16`,
    perNodeBlockSize: 10,
    gateway: `10.${index}.0.1`,
    nodeSelector: NODE_SELECTOR,
  };
}
