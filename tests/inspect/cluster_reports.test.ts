/** What is made of a cluster that was read: tests/cluster/inspect.test.ts has the same from a real API server. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PoolObject } from "../../src/lib/api/types.ts";
import { addressReport } from "../../src/lib/inspect/address.ts";
import { nodeReport } from "../../src/lib/inspect/node.ts";
import { poolList } from "../../src/lib/inspect/pools.ts";
import type { NodeReport } from "../../src/lib/inspect/report.ts";
import { parseAddress } from "../../src/lib/ip/address.ts";
import { clusterContent, POOL, PREFIXES, pod, poolObject, RELEASED } from "./_cluster.ts";
import { schemaErrors } from "./_schema.ts";

const NOW = new Date(0);
const RESTING = { ...POOL, status: { ...POOL.status, released: [RELEASED] } } as PoolObject;

function summary(text: string, pools: readonly PoolObject[] = [RESTING, PREFIXES]): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  const pods = [pod("web", "a", ["10.0.0.2"])];
  const report = addressReport(clusterContent({ pools, pods }), address);
  assert.is(schemaErrors(JSON.parse(JSON.stringify(report))), "");
  return report.summary;
}

const addresses: readonly [address: string, words: RegExp][] = [
  [
    "10.0.0.2",
    /^10\.0\.0\.2: in the block 10\.0\.0\.1-10\.0\.0\.8 of a in IPPool\/pool1; shown by pod shop\/web interface net1 on a$/,
  ],
  ["10.0.0.10", /of b in IPPool\/pool1, excluded/],
  [
    "10.0.0.26",
    /in the block 10\.0\.0\.25-10\.0\.0\.32 of IPPool\/pool1, that rests since gone gave it up; nobody has it$/,
  ],
  ["10.0.0.33", /in IPPool\/pool1, in no node's block; nobody has it$/],
  ["10.0.0.0", /in no node's block, the network's own address/],
  ["10.20.1.0", /of b in CIDRPool\/routed, the network's own address/],
  ["10.20.7.0", /in CIDRPool\/routed, in no node's block; nobody has it$/],
];
for (const [address, words] of addresses) {
  test(`${address} is told: ${words.source}`, () => assert.match(summary(address), words));
}

test("an address of two pools is told for both", () => {
  const wide = poolObject("IPPool", "wide", { subnet: "10.0.0.0/16", perNodeBlockSize: 8 });
  assert.match(
    summary("10.0.0.33", [POOL, wide]),
    /in IPPool\/pool1, in no node's block; in IPPool\/wide, in no node's block/,
  );
});

function node(name: string, pools: readonly PoolObject[]): NodeReport {
  const report = nodeReport(clusterContent({ pools }), name, NOW);
  if (!report.ok) throw new Error(report.error);
  assert.is(schemaErrors(JSON.parse(JSON.stringify(report.value))), "");
  return report.value;
}

test("a node is shown with the blocks that rest since it gave them up", () => {
  const given = { ...RELEASED, nodeName: "a" };
  const { resting, pools } = node("a", [{ ...POOL, status: { ...POOL.status, released: [given] } } as PoolObject]);
  const block = { startIP: "10.0.0.25", endIP: "10.0.0.32" };
  assert.equal(resting, [
    { pool: "pool1", poolKind: "IPPool", block, releasedAt: given.releasedAt, reason: given.reason },
  ]);
  assert.equal(pools[0]?.addresses, { total: "8", excluded: "1", used: "1", free: "6" });
});

test("a node that is gone is shown as long as it has a block", () => {
  const content = clusterContent({ nodes: [{ name: "a", labels: {} }] });
  const [gone, never] = [nodeReport(content, "b", NOW), nodeReport(content, "z", NOW)];
  assert.is(gone.ok && gone.value.pools[0]?.block?.startIP, "10.0.0.9");
  assert.equal(never, { ok: false, error: "there is no node z" });
});

test("free blocks are counted where the original's status does not say them", () => {
  const { allocations } = POOL.status ?? {};
  const { items } = poolList(clusterContent({ pools: [{ ...POOL, status: { allocations } } as PoolObject] }));
  assert.equal(items[0]?.blocks, { total: "31", allocated: "3", free: "28", resting: "0" });
});

test.run();
