/** Pools as a controller leaves them, for a node daemon: dealt among many nodes that need not exist. */
import { parsePool } from "../../src/lib/api/parse.ts";
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import { plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { must, type PoolJson, type Pools } from "../cluster/_pools.ts";
import { inParallel } from "./_cluster.ts";

/** What is to be made. */
export interface PoolsWanted {
  readonly pools: number;
  readonly nodes: number;
  /** Addresses of a block. */
  readonly blockSize: number;
}

/** Makes pools `pool-0` and so on, whose blocks belong to `node-0` and so on. */
export async function makeDealtPools(namespace: Pools, { pools, nodes, blockSize }: PoolsWanted): Promise<void> {
  const indexes = Array.from({ length: pools }, (_, index) => index);
  await inParallel(indexes, async (index) => {
    const spec = { subnet: `10.${index * 4}.0.0/14`, perNodeBlockSize: blockSize, gateway: `10.${index * 4}.0.1` };
    const made = must(await namespace.create("IPPool", `pool-${index}`, spec));
    await putStatus(namespace, made, statusOf(made, nodes));
  });
}

/** Replaces the status of a pool. @returns the pool as it is then. */
export async function putStatus(namespace: Pools, pool: PoolJson, status: unknown): Promise<PoolJson> {
  const place = { namespace: namespace.namespace, name: pool.metadata.name };
  return must(await namespace.client.put(POOL_RESOURCES.IPPool, place, { ...pool, status }, { subresource: "status" }));
}

/** As the controller would have it. */
function statusOf(object: PoolJson, count: number): unknown {
  const pool = parsePool(object);
  if (!pool.ok) throw new Error(JSON.stringify(pool.error));
  const nodes = Array.from({ length: count }, (_, index) => ({ name: `node-${index}`, labels: {} }));
  const rest = new RestClock(() => 0).rules("", 0);
  return plan({ pool: pool.value, nodes, now: new Date(), rest }).status;
}
