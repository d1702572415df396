/** What a daemon shows of its calls, its pools, its store and the plugin. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { API_VERSION, type Pool } from "../../src/lib/api/types.ts";
import { DaemonMetrics, type ShownPlugin, type ShownStore } from "../../src/lib/daemon/metrics.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import type { StoreHealth } from "../../src/lib/journal/store.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { poolOnNode } from "../../src/lib/reservations/pool.ts";
import { LocalDaemon, refusal, smallPool } from "./_local.ts";

const BUILD = { version: "1.2.3", commit: "abc", date: "unknown" };
const INSTALLED: ShownPlugin = { missing: undefined, failures: 0 };
const STATS = {
  bytesWritten: 4096,
  syncs: 3,
  errors: 2,
  generation: 1,
  journalBytes: 1000,
  snapshotBytes: 500,
};

interface Shown {
  readonly daemon: LocalDaemon;
  /** The values of a metric's series, by their labels as they are written. */
  series(name: string): Promise<Readonly<Record<string, number>>>;
}

async function withDaemon(work: (shown: Shown) => Promise<void>): Promise<void> {
  const metrics = new DaemonMetrics(BUILD);
  const daemon = new LocalDaemon({ observer: metrics });
  try {
    await daemon.open();
    metrics.show(daemon.openStore, daemon.pools, INSTALLED);
    await work({ daemon, series: async (name) => seriesOf(await metrics.exposition.text(), name) });
  } finally {
    await daemon.remove();
  }
}

function seriesOf(text: string, name: string): Readonly<Record<string, number>> {
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"));
  return Object.fromEntries([...lines].map(([, labels = "", value]) => [labels, Number(value)]));
}

/** The metrics of a daemon that is not there but for its store. */
function metricsOf(store: Partial<ShownStore>, pools = new PoolTable("node-1"), plugin = INSTALLED): Promise<string> {
  const metrics = new DaemonMetrics(BUILD);
  const defaults: ShownStore = { ledger: new Ledger(), state: () => "ready", stats: () => STATS };
  metrics.show({ ...defaults, ...store }, pools, plugin);
  return metrics.exposition.text();
}

test("calls are counted by method and status, and what they wait for is timed", () =>
  withDaemon(async ({ daemon, series }) => {
    const { client, pools } = daemon;
    pools.replace("IPPool", [smallPool("pool1", "10.0.0", ["node-1"])]);
    const commits = "nvipam_journal_sync_duration_seconds_count";
    const before = (await series(commits))[""] ?? 0;
    const allocated = (status: string) => `method="Allocate",code="${status}"`;
    assert.is((await series("nvipam_requests_total"))[allocated("ResourceExhausted")], 0);
    assert.is((await series("nvipam_requests_total"))['method="Deallocate",code="Internal"'], 0);
    for (const container of ["c1", "c2", "c3"]) await client.allocate({ pools: ["pool1"], container });
    assert.is((await refusal(client.allocate({ pools: ["pool1"], container: "c4" }))).status, "RESOURCE_EXHAUSTED");
    await client.deallocate({ pools: ["pool1"], container: "c3" });
    const results = await series("nvipam_requests_total");
    assert.is(results[allocated("OK")], 3);
    assert.is(results[allocated("ResourceExhausted")], 1);
    assert.is(results['method="Deallocate",code="OK"'], 1);
    const durations = await series("nvipam_request_duration_seconds_count");
    assert.equal([durations['method="Allocate"'], durations['method="Deallocate"']], [4, 1]);
    assert.is((await series("nvipam_request_duration_seconds_bucket"))['le="+Inf",method="Allocate"'], 4);
    assert.is(((await series(commits))[""] ?? 0) - before, 4);
  }));

test("pools with a block here are shown with their addresses, and vanish with their block", () =>
  withDaemon(async ({ daemon, series }) => {
    const { client, pools } = daemon;
    const pool1 = smallPool("pool1", "10.0.0", ["node-1"]);
    pools.replace("IPPool", [pool1, smallPool("pool2", "10.0.2", ["node-2"])]);
    await client.allocate({ pools: ["pool1"], container: "c1" });
    await client.allocate({ pools: ["pool1"], container: "c2", requested: ["10.0.0.77"] });
    const ofPool1 = 'kind="IPPool",pool="pool1"';
    const addresses = async () => [
      await series("nvipam_block_addresses"),
      await series("nvipam_block_addresses_excluded"),
      await series("nvipam_block_addresses_used"),
      await series("nvipam_block_addresses_free"),
    ];
    // 10.0.0.1 to .4, of which .1 is the gateway.
    assert.equal(await addresses(), [{ [ofPool1]: 4 }, { [ofPool1]: 1 }, { [ofPool1]: 2 }, { [ofPool1]: 2 }]);
    assert.equal(await series("nvipam_reservations"), { "": 2 });
    pools.set({ ...pool1, status: { allocations: [] } } as typeof pool1);
    assert.equal(await addresses(), [{}, {}, { [ofPool1]: 2 }, {}]);
    pools.delete("IPPool", "pool1");
    assert.equal(await addresses(), [{}, {}, {}, {}]);
  }));

test("pools that may not be those that are written now are told, and only as long as that is so", async () => {
  const pools = new PoolTable("node-1");
  let troubles: readonly string[] = ["pools.yaml:3: spec.subnet: is no network"];
  pools.explain(() => troubles);
  const shown = async () => seriesOf(await metricsOf({}, pools), "nvipam_pools_outdated")[""];
  assert.is(await shown(), 0, "nothing is served yet");
  pools.markKnown("IPPool");
  assert.is(await shown(), 1);
  troubles = [];
  assert.is(await shown(), 0);
});

for (const state of ["ready", "full", "failed", "damaged"] satisfies StoreHealth[]) {
  test(`a store that is ${state} is shown as that and nothing else`, async () => {
    const states = seriesOf(await metricsOf({ state: () => state }), "nvipam_store_state");
    assert.equal(Object.keys(states).length, 4);
    assert.equal(
      Object.entries(states).filter(([, value]) => value !== 0),
      [[`state="${state}"`, 1]],
    );
  });
}

test("what the store and the plugin's installation count is shown", async () => {
  const text = await metricsOf({}, undefined, { missing: "no such directory", failures: 3 });
  for (const [name, value] of [
    ["nvipam_store_written_bytes_total", 4096],
    ["nvipam_store_syncs_total", 3],
    ["nvipam_store_errors_total", 2],
    ["nvipam_store_journal_bytes", 1000],
    ["nvipam_store_snapshot_bytes", 500],
    ["nvipam_plugin_installed", 0],
    ["nvipam_plugin_install_errors_total", 3],
  ] as const) {
    assert.equal(seriesOf(text, name), { "": value }, name);
  }
});

test("a block of any size is shown as its nearest number", async () => {
  const pools = new PoolTable("node-1");
  pools.set({
    apiVersion: API_VERSION,
    kind: "CIDRPool",
    metadata: { name: "pool6" },
    spec: { cidr: "fd00::/40", perNodeNetworkPrefix: 64 },
    status: { allocations: [{ nodeName: "node-1", prefix: "fd00::/64" }] },
  });
  const shown = seriesOf(await metricsOf({}, pools), "nvipam_block_addresses");
  assert.equal(shown, { 'kind="CIDRPool",pool="pool6"': 2 ** 64 });
});

test("with 50 pools and 60,000 reservations a scrape looks at none of the reservations", async () => {
  const pools = new PoolTable("node-1");
  const ledger = new Ledger();
  for (let index = 0; index < 50; index++) {
    const pool: Pool = {
      apiVersion: API_VERSION,
      kind: "IPPool",
      metadata: { name: `pool${index}` },
      spec: { subnet: `10.${index}.0.0/16`, perNodeBlockSize: 2000 },
      status: { allocations: [{ nodeName: "node-1", startIP: `10.${index}.0.1`, endIP: `10.${index}.7.208` }] },
    };
    pools.set(pool);
    const ready = poolOnNode(pool, "node-1");
    if (ready.state !== "ready") throw new Error(`the pool is ${ready.state}`);
    for (let held = 0; held < 1200; held++) {
      const allocated = ledger.allocate({
        pools: [ready.pool],
        attachment: { containerID: `c${index}-${held}`, ifname: "net1" },
        owner: { type: "none" },
        network: "net-a",
        deviceID: "",
        requested: [],
        choice: { type: "next" },
        allowStaticInOtherBlocks: false,
        now: 0,
      });
      assert.ok(allocated.ok);
    }
  }
  const asked = new Set<PropertyKey>();
  const watched = new Proxy(ledger, {
    get: (target, name) => {
      asked.add(name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const text = await metricsOf({ ledger: watched }, pools);
  // All three count pages of bitmaps or nothing.
  assert.equal([...asked].sort(), ["held", "size", "usage"]);
  assert.is(seriesOf(text, "nvipam_block_addresses_used")['kind="IPPool",pool="pool49"'], 1200);
  assert.equal(seriesOf(text, "nvipam_reservations"), { "": 60_000 });
});

test.run();
