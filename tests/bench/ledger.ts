/** The search for a free address, in memory: in a block with one address left, and in blocks that are far too large to walk. */
import { API_VERSION, type CIDRPoolSpec, type IPPoolSpec, type Pool } from "../../src/lib/api/types.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { type NodePool, poolOnNode } from "../../src/lib/reservations/pool.ts";
import type { Attachment, Owner } from "../../src/lib/reservations/reservation.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const NODE = "node-1";
const BLOCK = 65_000;
const ROUNDS = 400;
const WARM_UP_ROUNDS = 100;
const PAIRS_A_ROUND = 50;
/** Microseconds: "well under a millisecond". */
const LAST_ADDRESS_BOUND = 100;
/** No slower, but for noise. */
const LARGE_POOL_BOUND = 1.1;

/** Containers made so far. */
let made = 0;
const OWNER: Owner = { type: "none" };

/** How long one ADD and its DEL take in memory. */
export async function ledger(): Promise<Row[]> {
  const full = new Ledger();
  const fullPool = ipPool({ subnet: "10.0.0.0/8", perNodeBlockSize: BLOCK }, "10.0.0.1", "10.0.253.232");
  for (let index = 1; index < BLOCK; index++) add(full, fullPool, attachment(`filled-${index}`));
  const million = [{ startIP: "10.0.0.1", endIP: "10.15.66.64" }];
  const cases = {
    last: { ledger: full, pool: fullPool },
    small: {
      ledger: new Ledger(),
      pool: ipPool({ subnet: "10.0.0.0/8", perNodeBlockSize: 250 }, "10.0.0.1", "10.0.0.250"),
    },
    "/8": {
      ledger: new Ledger(),
      pool: ipPool(
        { subnet: "10.0.0.0/8", perNodeBlockSize: 16_777_214, exclusions: million },
        "10.0.0.1",
        "10.255.255.254",
      ),
    },
    "/48": { ledger: new Ledger(), pool: prefixPool() },
  };
  const names = ["last", "small", "/8", "/48"] as const;
  const times: Record<(typeof names)[number], number[]> = { last: [], small: [], "/8": [], "/48": [] };
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (const name of names) {
      const time = pairMicroseconds(cases[name].ledger, cases[name].pool);
      if (round >= 0) times[name].push(time);
    }
  }
  const small = { what: "block of 250", value: median(times.small) };
  return [
    {
      what: `ADD + DEL of the last of ${BLOCK} addresses`,
      value: median(times.last),
      unit: "µs",
      bound: { most: LAST_ADDRESS_BOUND },
    },
    ...(["/8", "/48"] as const).map(
      (name): Row => ({
        what: `ADD + DEL, ${name} with a million excluded`,
        value: median(times[name]),
        unit: "µs",
        beside: { ...small, ratio: pairedRatio(times[name], times.small) },
        bound: { most: LARGE_POOL_BOUND },
      }),
    ),
  ];
}

function pairMicroseconds(ledger: Ledger, pool: NodePool): number {
  // As in life, no container id comes twice: V8's maps are slow for a key that is added and deleted over and over.
  const containers = Array.from({ length: PAIRS_A_ROUND }, () => attachment(`measured-${made++}`));
  const started = performance.now();
  for (const container of containers) {
    add(ledger, pool, container);
    ledger.deallocate({ pools: [pool.id], attachment: container, network: "" });
    ledger.takeChanges();
  }
  return ((performance.now() - started) * 1000) / PAIRS_A_ROUND;
}

function add(ledger: Ledger, pool: NodePool, container: Attachment): void {
  const allocated = ledger.allocate({
    pools: [pool],
    attachment: container,
    owner: OWNER,
    network: "bench",
    deviceID: "",
    requested: [],
    choice: { type: "next" },
    allowStaticInOtherBlocks: false,
    now: 0,
  });
  if (!allocated.ok) throw new Error(allocated.error.message);
}

function attachment(containerID: string): Attachment {
  return { containerID, ifname: "net1" };
}

function ipPool(spec: IPPoolSpec, startIP: string, endIP: string): NodePool {
  const status = { allocations: [{ nodeName: NODE, startIP, endIP }] };
  return ready({ apiVersion: API_VERSION, kind: "IPPool", metadata: { name: "bench" }, spec, status });
}

function prefixPool(): NodePool {
  const spec: CIDRPoolSpec = {
    cidr: "fd00::/40",
    perNodeNetworkPrefix: 48,
    exclusions: [{ startIP: "fd00::1", endIP: "fd00::f:4240" }],
  };
  const status = { allocations: [{ nodeName: NODE, prefix: "fd00::/48" }] };
  return ready({ apiVersion: API_VERSION, kind: "CIDRPool", metadata: { name: "bench" }, spec, status });
}

function ready(pool: Pool): NodePool {
  const made = poolOnNode(pool, NODE);
  if (made.state !== "ready") throw new Error(`the pool is ${made.state}: ${made.reason}`);
  return made.pool;
}
