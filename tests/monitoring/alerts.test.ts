/** Each alert fires on the series that it is for, and on no other's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ALERTS, firing, RULES, seconds } from "./_manifests.ts";
import { type Notation, promql } from "./_promql.ts";

const POOL = 'kind="IPPool",pool="pool1"';
const NODE = 'job="kube-system/nv-ipam-node",instance="node-1"';
const CONTROLLER = 'job="kube-system/nv-ipam-controller",instance="10.1.0.1:8080"';

/** What two controllers and one node show where all is well, over a day. */
const WELL: Readonly<Record<string, string>> = {
  [`up{${NODE}}`]: "1x1440",
  [`up{${CONTROLLER}}`]: "1x1440",
  [`nvipam_build_info{${NODE},version="1.0.0",commit="abc"}`]: "1x1440",
  [`process_start_time_seconds{${NODE}}`]: "1000x1440",
  'process_start_time_seconds{job="other",instance="node-1"}': "0+100x1440",
  [`nvipam_leader{${CONTROLLER}}`]: "1x1440",
  'nvipam_leader{job="kube-system/nv-ipam-controller",instance="10.1.0.2:8080"}': "0x1440",
  [`nvipam_reconcile_errors_total{${CONTROLLER},kind="IPPool"}`]: "0x600 1x600 2x238",
  [`nvipam_webhook_certificate_expiration_timestamp_seconds{${CONTROLLER}}`]: "2592000x1440",
  [`nvipam_pool_blocks{${CONTROLLER},${POOL}}`]: "100x1440",
  [`nvipam_pool_blocks_free{${CONTROLLER},${POOL}}`]: "50x1440",
  [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="BlocksDealt"}`]: "1x1440",
  [`nvipam_pool_overlaps{${CONTROLLER},${POOL}}`]: "0x1440",
  [`nvipam_watch_up{${NODE},resource="pods"}`]: "1x1440",
  [`nvipam_requests_total{${NODE},method="Allocate",code="OK"}`]: "0+60x1440",
  [`nvipam_requests_total{${NODE},method="Allocate",code="ResourceExhausted"}`]: "1x1440",
  [`nvipam_requests_total{${NODE},method="Allocate",code="Unavailable"}`]: "3x1440",
  [`nvipam_requests_total{${NODE},method="Allocate",code="Internal"}`]: "0x1440",
  [`nvipam_request_duration_seconds_bucket{${NODE},method="Allocate",le="0.005"}`]: "0+60x1440",
  [`nvipam_request_duration_seconds_bucket{${NODE},method="Allocate",le="5"}`]: "0+60x1440",
  [`nvipam_request_duration_seconds_bucket{${NODE},method="Allocate",le="+Inf"}`]: "0+60x1440",
  [`nvipam_journal_sync_duration_seconds_bucket{${NODE},le="0.01"}`]: "0+60x1440",
  [`nvipam_journal_sync_duration_seconds_bucket{${NODE},le="1"}`]: "0+60x1440",
  [`nvipam_journal_sync_duration_seconds_bucket{${NODE},le="+Inf"}`]: "0+60x1440",
  [`nvipam_block_addresses{${NODE},${POOL}}`]: "20x1440",
  [`nvipam_block_addresses_excluded{${NODE},${POOL}}`]: "1x1440",
  [`nvipam_block_addresses_free{${NODE},${POOL}}`]: "10x1440",
  [`nvipam_store_state{${NODE},state="ready"}`]: "1x1440",
  [`nvipam_store_state{${NODE},state="full"}`]: "0x1440",
  [`nvipam_store_errors_total{${NODE}}`]: "4x1440",
  [`nvipam_plugin_installed{${NODE}}`]: "1x1440",
  [`nvipam_stale_releases_total{${NODE}}`]: "0+0.1x1440",
};

interface Case {
  readonly name: string;
  /** Series that are other than where all is well; undefined: not there. */
  readonly but: Readonly<Record<string, string | undefined>>;
  readonly minutes?: number;
  /** Alerts, with what they say. */
  readonly fires: readonly string[];
}

const cases: readonly Case[] = [
  { name: "all is well", but: {}, minutes: 1440, fires: [] },
  {
    name: "a node waits for a block",
    but: {
      [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="BlocksDealt"}`]: undefined,
      [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="NoFreeBlocks"}`]: "0x1440",
      [`nvipam_pool_blocks_free{${CONTROLLER},${POOL}}`]: "0x1440",
    },
    fires: ["NvIpamPoolExhausted: IPPool pool1 has no block left for a node that needs one"],
  },
  {
    name: "few blocks are free",
    but: { [`nvipam_pool_blocks_free{${CONTROLLER},${POOL}}`]: "9x1440" },
    fires: ["NvIpamPoolNearlyExhausted: IPPool pool1 has 9% of its blocks left"],
  },
  {
    name: "a spec is invalid",
    but: {
      [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="BlocksDealt"}`]: undefined,
      [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="InvalidSpec"}`]: "0x1440",
    },
    fires: ["NvIpamPoolNotReady: IPPool pool1 is not ready: InvalidSpec"],
  },
  {
    name: "a spec is invalid for some minutes",
    but: { [`nvipam_pool_ready{${CONTROLLER},${POOL},reason="InvalidSpec"}`]: "_x55 0x5" },
    fires: [],
  },
  {
    name: "two pools overlap",
    but: { [`nvipam_pool_overlaps{${CONTROLLER},${POOL}}`]: "1x1440" },
    fires: ["NvIpamPoolsOverlap: IPPool pool1 shares addresses with 1 other pools"],
  },
  {
    name: "a pool has a condition",
    but: { [`nvipam_pool_condition{${CONTROLLER},${POOL},type="NearSizeLimit"}`]: "1x1440" },
    fires: ["NvIpamPoolCondition: IPPool pool1 has condition NearSizeLimit"],
  },
  {
    name: "blocks may move for an hour",
    but: { [`nvipam_pool_condition{${CONTROLLER},${POOL},type="ReallocationAllowed"}`]: "1x1440" },
    fires: [],
  },
  {
    name: "blocks may move for a day",
    but: { [`nvipam_pool_condition{${CONTROLLER},${POOL},type="ReallocationAllowed"}`]: "1x1440" },
    minutes: 1440,
    fires: ["NvIpamReallocationAllowed: IPPool pool1 has been annotated allow-reallocation for a day"],
  },
  {
    name: "nobody leads",
    but: { [`nvipam_leader{${CONTROLLER}}`]: "0x1440" },
    fires: ["NvIpamNoLeader: No nv-ipam controller leads"],
  },
  {
    name: "no controller is there",
    but: { [`nvipam_leader{${CONTROLLER}}`]: undefined },
    fires: ["NvIpamNoLeader: No nv-ipam controller leads"],
  },
  {
    name: "another controller leads since a minute",
    but: { [`nvipam_leader{${CONTROLLER}}`]: "1x58 0x9", 'nvipam_leader{instance="b"}': "0x59 1x9" },
    fires: [],
  },
  {
    name: "two lead",
    but: { 'nvipam_leader{instance="b"}': "1x1440" },
    fires: ["NvIpamTwoLeaders: 2 nv-ipam controllers deal blocks at the same time"],
  },
  {
    name: "a pool cannot be written",
    but: { [`nvipam_reconcile_errors_total{${CONTROLLER},kind="IPPool"}`]: "0+1x1440" },
    fires: ["NvIpamReconcileErrors: The controller fails at IPPool objects again and again"],
  },
  {
    name: "a certificate is not renewed",
    but: { [`nvipam_webhook_certificate_expiration_timestamp_seconds{${CONTROLLER}}`]: "90000x1440" },
    fires: ["NvIpamWebhookCertificateExpires: The webhook's certificate at 10.1.0.1:8080 expires in 1d 0h 0m 0s"],
  },
  {
    name: "a daemon is down",
    but: { [`up{${NODE}}`]: "0x1440" },
    fires: ["NvIpamDown: kube-system/nv-ipam-node does not answer at node-1"],
  },
  {
    name: "a daemon ends every ten minutes",
    but: { [`process_start_time_seconds{${NODE}}`]: "0x9 600x9 1200x9 1800x9 2400x9 3000x20" },
    fires: ["NvIpamRestartsOften: nv-ipam at node-1 has started 5 times within an hour"],
  },
  {
    name: "pods cannot be listed",
    but: { [`nvipam_watch_up{${NODE},resource="pods"}`]: "0x1440" },
    fires: ["NvIpamWatchBroken: node-1 cannot follow pods at the API server"],
  },
  {
    name: "allocations are refused",
    but: { [`nvipam_requests_total{${NODE},method="Allocate",code="ResourceExhausted"}`]: "0+1x1440" },
    fires: ["NvIpamAddressesRefused: Pods at node-1 wait for addresses"],
  },
  {
    name: "a block is full",
    but: { [`nvipam_block_addresses_free{${NODE},${POOL}}`]: "0x1440" },
    fires: ["NvIpamBlockExhausted: The block of IPPool pool1 at node-1 is full"],
  },
  {
    name: "all of a block is excluded",
    but: {
      [`nvipam_block_addresses_free{${NODE},${POOL}}`]: "0x1440",
      [`nvipam_block_addresses_excluded{${NODE},${POOL}}`]: "20x1440",
    },
    fires: [],
  },
  {
    name: "a block is nearly full",
    but: { [`nvipam_block_addresses_free{${NODE},${POOL}}`]: "1x1440" },
    fires: ["NvIpamBlockNearlyFull: The block of IPPool pool1 at node-1 has 5.263% left"],
  },
  {
    name: "a disk is full",
    but: {
      [`nvipam_store_state{${NODE},state="ready"}`]: "0x1440",
      [`nvipam_store_state{${NODE},state="full"}`]: "1x1440",
    },
    fires: ["NvIpamStoreNotReady: The store at node-1 is full: no pod gets an address"],
  },
  {
    name: "a write failed",
    but: { [`nvipam_store_errors_total{${NODE}}`]: "0x50 1x100" },
    fires: ["NvIpamStoreErrors: Writes of the store at node-1 fail"],
  },
  {
    name: "syncs are slow",
    but: {
      [`nvipam_journal_sync_duration_seconds_bucket{${NODE},le="0.01"}`]: "0+30x1440",
    },
    fires: ["NvIpamSlowDisk: 1 of 100 syncs of the store at node-1 takes 980.2ms or more"],
  },
  {
    name: "allocations are slow",
    but: { [`nvipam_request_duration_seconds_bucket{${NODE},method="Allocate",le="0.005"}`]: "0+30x1440" },
    fires: ["NvIpamSlowAllocations: 1 of 100 allocations at node-1 takes 4.9s or more"],
  },
  {
    name: "the pools are not known",
    but: { [`nvipam_requests_total{${NODE},method="Allocate",code="Unavailable"}`]: "0+4x1440" },
    fires: ["NvIpamNotServing: The daemon at node-1 gives no addresses"],
  },
  {
    name: "a call met a bug",
    but: { [`nvipam_requests_total{${NODE},method="Allocate",code="Internal"}`]: "0x50 1x100" },
    fires: ["NvIpamInternalErrors: A call of Allocate at node-1 met a bug"],
  },
  {
    name: "the plugin cannot be put in place",
    but: { [`nvipam_plugin_installed{${NODE}}`]: "0x1440" },
    fires: ["NvIpamPluginNotInstalled: The CNI plugin is not in place at node-1"],
  },
  {
    name: "DELs do not come",
    but: { [`nvipam_stale_releases_total{${NODE}}`]: "0+1x1440" },
    fires: ["NvIpamManyStaleReleases: 60 reservations at node-1 were released because their pods were gone"],
  },
];

test("Prometheus reads the rules", () => {
  assert.equal(promql({ rules: RULES }).ruleErrors, []);
});

function seriesOf({ but }: Case): Notation[] {
  const all = Object.entries({ ...WELL, ...but }).filter(([, values]) => values !== undefined);
  return all.map(([of, values]) => ({ text: `${of} ${values}`, interval: 60 }));
}

for (const each of cases) {
  const { name, minutes = 60, fires } = each;
  const what = fires.length === 0 ? "no alert fires" : fires.map((text) => text.split(":")[0]).join(", ");
  test(`${name}: ${what}`, () => {
    assert.equal(
      firing({ series: seriesOf(each) }, minutes * 60).map(({ alert, summary }) => `${alert}: ${summary}`),
      fires,
    );
  });
}

for (const { alert, for: wait } of ALERTS.filter((each) => each.for !== undefined)) {
  test(`${alert} does not fire before ${wait} are over`, () => {
    const ofAlert = cases.find(({ fires }) => fires.some((text) => text.startsWith(`${alert}:`)));
    if (ofAlert === undefined) throw new Error("there is no case for it");
    const early = firing({ series: seriesOf(ofAlert) }, seconds(wait) - 60);
    assert.not(early.some((found) => found.alert === alert));
  });
}

test("there is a case for each alert", () => {
  const fired = new Set(cases.flatMap(({ fires }) => fires.map((each) => each.split(":")[0])));
  assert.equal(
    ALERTS.map(({ alert }) => alert).filter((alert) => !fired.has(alert)),
    [],
  );
});

test("docs/monitoring.md says of each alert how grave it is, after which time it fires, and what to do", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/monitoring.md"), "utf8");
  const rows = [...text.matchAll(/^\| `(NvIpam\w+)` \| (\w+) \| ([\w ]+) \| (?:.+) \|$/gm)];
  assert.equal(
    rows.map(([, ...cells]) => cells),
    ALERTS.map(({ alert, labels, for: after = "at once" }) => [alert, labels.severity, after]),
  );
});

test.run();
