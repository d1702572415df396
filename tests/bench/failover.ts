/** From the end of the leading controller to the first status that the standby writes. */
import type { ControllerProcess } from "../cluster/_controller.ts";
import { must, type Pools, until } from "../cluster/_pools.ts";
import { type Cluster, nodeName } from "./_cluster.ts";
import type { Row } from "./_report.ts";
import { median } from "./_statistics.ts";
import { StatusWrites } from "./_status_writes.ts";

const LEASE_DURATION_MS = 15_000;
/** Each end of a leader, how often it is tried, and milliseconds that taking over may last. */
const ENDS = [
  { signal: "SIGTERM", rounds: 7, most: 1000 },
  { signal: "SIGKILL", rounds: 2, most: LEASE_DURATION_MS + 2000 },
] as const;
const LIMIT_MS = 60_000;

/** Milliseconds until a pool that is made when the leader ends has its blocks. */
export async function failover(cluster: Cluster): Promise<Row[]> {
  await cluster.haveAtLeast(1);
  const namespace = await cluster.namespace();
  const start = (): Promise<ControllerProcess> =>
    cluster.controller(namespace, ["--leader-elect", `--leader-elect-namespace=${namespace.namespace}`]);
  const rows: Row[] = [];
  let leader = await start();
  await untilLeads(leader);
  // The API server takes two seconds for the first object of a kind that is new to it.
  must(await namespace.create("IPPool", "first", spec(255)));
  must(await namespace.delete("IPPool", "first"));
  for (const { signal, rounds, most } of ENDS) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const standby = await start();
      await standby.untilReady();
      await until(
        () => standby.output.includes('"The leader"'),
        "the standby knows the leader",
        () => standby.output,
      );
      const writes = await StatusWrites.follow(namespace);
      leader.signal(signal);
      const ended = performance.now();
      const name = `${signal.toLowerCase()}-${round}`;
      must(await namespace.create("IPPool", name, spec(round)));
      times.push((await writes.untilComplete(1, async () => isDealt(namespace, name), LIMIT_MS)) - ended);
      await writes.end();
      await leader.ended();
      await untilLeads(standby);
      leader = standby;
      must(await namespace.delete("IPPool", name));
    }
    const what = `${signal} of the leader until the standby has dealt a new pool`;
    rows.push({ what, value: median(times), unit: "ms", bound: { most } });
    rows.push({ what: `${what}, the slowest of ${rounds}`, value: Math.max(...times), unit: "ms", bound: { most } });
  }
  await leader.stop();
  return rows;
}

async function untilLeads(controller: ControllerProcess): Promise<void> {
  await until(
    async () => (await controller.metric("nvipam_leader")) === 1,
    "the controller leads",
    () => controller.output,
    LIMIT_MS,
  );
}

async function isDealt(namespace: Pools, name: string): Promise<boolean> {
  return must(await namespace.get("IPPool", name)).status?.allocations?.length === 1;
}

function spec(index: number): unknown {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [nodeName(0)] }];
  const nodeSelector = { nodeSelectorTerms: [{ matchFields }] };
  return { subnet: `10.${index}.0.0/16`, perNodeBlockSize: 10, nodeSelector };
}
