/** What metrics cost: an ADD's share of them, and a scrape of a node with many reservations beside one with few. */
import { API_VERSION, type Pool } from "../../src/lib/api/types.ts";
import { DaemonMetrics } from "../../src/lib/daemon/metrics.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { poolOnNode } from "../../src/lib/reservations/pool.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const NODE = "node-1";
const POOLS = 50;
const RESERVATIONS = 60_000;
const ROUNDS = 100;
const WARM_UP_ROUNDS = 50;
const CALLS_A_ROUND = 5000;
const SCRAPES_A_ROUND = 5;
/** Microseconds. */
const CALL_BOUND = 5;
/** No dearer, but for noise. */
const SCRAPE_BOUND = 1.2;

/** How long counting one ADD takes, and one scrape. */
export async function metrics(): Promise<Row[]> {
  const full = node(RESERVATIONS / POOLS);
  const sparse = node(1);
  const times: Record<"call" | "full" | "sparse", number[]> = { call: [], full: [], sparse: [] };
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const call = countMicroseconds(full);
    // Each comes first as often as the other: what the first one finds in the caches is not its own.
    const isFullFirst = round % 2 === 0;
    const [first, second] = isFullFirst ? [full, sparse] : [sparse, full];
    const scrapes = [await scrapeMilliseconds(first), await scrapeMilliseconds(second)];
    if (round < 0) continue;
    times.call.push(call);
    const [ofFull = 0, ofSparse = 0] = isFullFirst ? scrapes : scrapes.toReversed();
    times.full.push(ofFull);
    times.sparse.push(ofSparse);
  }
  return [
    { what: "CPU of counting one durable ADD", value: median(times.call), unit: "µs", bound: { most: CALL_BOUND } },
    {
      what: `CPU of a scrape, ${POOLS} pools and ${RESERVATIONS} reservations`,
      value: median(times.full),
      unit: "ms",
      beside: {
        what: "one of each pool",
        value: median(times.sparse),
        ratio: pairedRatio(times.full, times.sparse),
      },
      bound: { most: SCRAPE_BOUND },
    },
  ];
}

/** The metrics of a node that holds so many addresses of each pool. */
function node(heldOfEach: number): DaemonMetrics {
  const ledger = new Ledger();
  const pools = new PoolTable(NODE);
  for (let index = 0; index < POOLS; index++) fill(ledger, pools, index, heldOfEach);
  const shown = new DaemonMetrics({ version: "bench", commit: "", date: "" });
  const stats = { bytesWritten: 0, syncs: 0, errors: 0, generation: 1, journalBytes: 0, snapshotBytes: 0 };
  shown.show({ ledger, state: () => "ready", stats: () => stats }, pools, { missing: undefined, failures: 0 });
  return shown;
}

function fill(ledger: Ledger, pools: PoolTable, index: number, held: number): void {
  const pool: Pool = {
    apiVersion: API_VERSION,
    kind: "IPPool",
    metadata: { name: `pool${index}` },
    spec: { subnet: `10.${index}.0.0/16`, perNodeBlockSize: 2000 },
    status: { allocations: [{ nodeName: NODE, startIP: `10.${index}.0.1`, endIP: `10.${index}.7.208` }] },
  };
  pools.set(pool);
  const made = poolOnNode(pool, NODE);
  if (made.state !== "ready") throw new Error(`the pool is ${made.state}: ${made.reason}`);
  for (let count = 0; count < held; count++) {
    const allocated = ledger.allocate({
      pools: [made.pool],
      attachment: { containerID: `container-${index}-${count}`, ifname: "net1" },
      owner: { type: "none" },
      network: "bench",
      deviceID: "",
      requested: [],
      choice: { type: "next" },
      allowStaticInOtherBlocks: false,
      now: 0,
    });
    if (!allocated.ok) throw new Error(allocated.error.message);
    ledger.takeChanges();
  }
}

function countMicroseconds(shown: DaemonMetrics): number {
  const outcome = { method: "Allocate", status: "OK", seconds: 0.0013 } as const;
  const before = process.threadCpuUsage();
  for (let call = 0; call < CALLS_A_ROUND; call++) {
    shown.committed(0.0007);
    shown.answered(outcome);
  }
  return microsecondsSince(before) / CALLS_A_ROUND;
}

async function scrapeMilliseconds(shown: DaemonMetrics): Promise<number> {
  const before = process.threadCpuUsage();
  for (let scrape = 0; scrape < SCRAPES_A_ROUND; scrape++) await shown.exposition.text();
  return microsecondsSince(before) / 1000 / SCRAPES_A_ROUND;
}

/** This thread's CPU time: what others do on the machine does not count. */
function microsecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return user + system;
}
