/** What the controller shows of its pools and its work. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ControllerMetrics } from "../../src/lib/controller/metrics.ts";
import { FakeCluster } from "./_fake_cluster.ts";

async function expositionOf(cluster: FakeCluster): Promise<string> {
  const build = { version: "1.2.3", commit: "abc", date: "unknown" };
  const watches = [{ resource: "nodes", failures: 1, isUp: false }];
  const sources = { watches, view: cluster.view, queueDepth: () => 2, isLeader: () => true, build };
  const metrics = new ControllerMetrics(sources);
  metrics.reconciled("IPPool/pool1", 0.02, "written");
  metrics.reconciled("IPPool/pool1", 0.02, "failed");
  const text = await metrics.exposition.text();
  metrics.forget("IPPool/pool1");
  assert.not.match(await metrics.exposition.text(), "nvipam_pool_status_writes_total{");
  return text;
}

async function clusterWithPool(): Promise<FakeCluster> {
  const cluster = new FakeCluster();
  for (const node of ["a", "b", "c", "d"]) cluster.addNode(node);
  cluster.putPool("IPPool", "pool1", { subnet: "10.0.0.0/28", perNodeBlockSize: 4 });
  cluster.putPool("CIDRPool", "pool2", { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 });
  await cluster.reconcile("IPPool/pool1");
  await cluster.reconcile("CIDRPool/pool2");
  return cluster;
}

test("metrics say what the pools are like, by kind and name", async () => {
  const text = await expositionOf(await clusterWithPool());
  for (const line of [
    'nvipam_pool_blocks{kind="IPPool",pool="pool1"} 3',
    'nvipam_pool_blocks_allocated{kind="IPPool",pool="pool1"} 3',
    'nvipam_pool_blocks_free{kind="CIDRPool",pool="pool2"} 252',
    'nvipam_pool_blocks_resting{kind="CIDRPool",pool="pool2"} 0',
    'nvipam_pool_ready{kind="IPPool",pool="pool1",reason="NoFreeBlocks"} 0',
    'nvipam_pool_ready{kind="CIDRPool",pool="pool2",reason="BlocksDealt"} 1',
    'nvipam_pool_overlaps{kind="CIDRPool",pool="pool2"} 1',
    'nvipam_pool_condition{kind="CIDRPool",pool="pool2",type="OverlapsPool"} 1',
    'nvipam_pool_status_writes_total{kind="IPPool",pool="pool1"} 1',
    'nvipam_reconcile_errors_total{kind="IPPool"} 1',
    'nvipam_watch_restarts_total{resource="nodes"} 1',
    'nvipam_watch_up{resource="nodes"} 0',
    "nvipam_queue_depth 2",
    "nvipam_leader 1",
    "nvipam_nodes 4",
    'nvipam_build_info{version="1.2.3",commit="abc"} 1',
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line} is missing`);
  }
});

test("the series of a pool that has gone are gone", async () => {
  const cluster = await clusterWithPool();
  cluster.removePool("IPPool", "pool1");
  assert.not.match(await expositionOf(cluster), 'nvipam_pool_blocks{kind="IPPool"');
});

test.run();
