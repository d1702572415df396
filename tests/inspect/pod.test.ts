import { test } from "uvu";
import * as assert from "uvu/assert";
import { alikeOnce } from "../../src/lib/inspect/from_pod.ts";
import { podInCluster, podOnNode } from "../../src/lib/inspect/pod.ts";
import type { PodReport } from "../../src/lib/inspect/report.ts";
import { clusterContent, pod } from "./_cluster.ts";
import { nodeContent, pool, reservation } from "./_node.ts";
import { schemaErrors } from "./_schema.ts";

const WEB = { namespace: "default", name: "web", uid: "p1", terminating: false, interfaces: [] };

function web(more: Parameters<typeof nodeContent>[0]): PodReport {
  const report = podOnNode(nodeContent(more), "default", "web");
  if (!report.ok) throw new Error(report.error);
  assert.is(schemaErrors(JSON.parse(JSON.stringify(report.value))), "");
  return report.value;
}

/** The interface's pools as "pool addresses reserved problem". */
const held = ({ interfaces }: PodReport) =>
  interfaces.flatMap(({ pools }) =>
    pools.map((each) => [each.pool, ...each.addresses, each.reserved, each.problem].join(" ").trim()),
  );

test("what a pod holds is shown with its pool", () => {
  assert.equal(held(web({ pods: [WEB] })), ["pool1 10.0.0.2 yes"]);
});

test("what a pod holds outside the block, or of a pool that is gone, is told", () => {
  const moved = { ...reservation, addresses: ["10.0.0.99"] };
  assert.equal(held(web({ reservations: [moved] })), ["pool1 10.0.0.99 yes outside the node's block"]);
  assert.equal(held(web({ reservations: [{ ...moved, how: "static" }] })), ["pool1 10.0.0.99 yes"]);
  assert.equal(held(web({ pools: [] })), ["pool1 10.0.0.2 yes there is no such pool any more"]);
});

test("what a pod shows and nobody has reserved is told", () => {
  const interfaces = [{ network: "net-a", ifname: "net1", addresses: ["10.0.0.7", "192.0.2.1"] }];
  const [shown = ""] = held(web({ pods: [{ ...WEB, interfaces }], reservations: [] }));
  assert.match(shown, /^pool1 10\.0\.0\.7 no nobody has reserved it/);
});

test("a pod without an address is told which pools give none on this node", () => {
  const full = { ...pool, addresses: { ...pool.addresses, free: "0" } };
  const bad = { ...pool, pool: "bad", problem: "the spec is invalid" };
  assert.equal(
    web({ pods: [WEB], reservations: [], pools: [pool, full, bad], problems: ["the store is damaged"] }).problems,
    [
      "the store is damaged",
      "it has no address of a pool yet; give --kubeconfig to see what it asks for",
      "IPPool/pool1 has no free address on this node",
      "IPPool/bad: the spec is invalid",
    ],
  );
});

test("a pod that the node does not know is an error that says where else to look", () => {
  const report = podOnNode(nodeContent(), "default", "other");
  assert.match(
    report.ok ? "" : report.error,
    /^node-1 knows no pod default\/other; if it is on another node, give --kubeconfig$/,
  );
});

/** Why a pod on node a that asks for these addresses of pool1 has none. */
function refusal(...ips: readonly string[]): string {
  const waits = pod("waits", "a", []);
  const selection = { namespace: "shop", name: "net-a", ifname: "net1", ips, cniArgs: {} };
  const ipam = { type: "nv-ipam", poolKind: "IPPool", pools: ["pool1"] } as const;
  const networks = [{ selection, ipam, problem: "" }];
  const content = clusterContent({ pods: [waits, pod("web", "b", ["10.0.0.10"])] });
  const report = podInCluster(content, { pod: waits, networks, askedFault: undefined, events: [], daemonReady: true });
  assert.is(schemaErrors(JSON.parse(JSON.stringify(report))), "");
  const [asked] = report.interfaces;
  return asked?.problem || (asked?.pools[0]?.problem ?? "");
}

test("an annotation that cannot be read is told, and not that the pod asks for nothing", () => {
  const waits = pod("waits", "a", []);
  const askedFault = "it is no JSON list";
  const details = { pod: waits, networks: [], askedFault, events: [], daemonReady: true };
  assert.equal(podInCluster(clusterContent({ pods: [waits] }), details).problems, [
    "its annotation k8s.v1.cni.cncf.io/networks cannot be read: it is no JSON list",
  ]);
});

test("Events that differ in the sandbox's ID alone are told once, with how many they are", () => {
  const failed = (sandbox: string, lastSeen: string, why = "is full") => ({
    reason: "FailedCreatePodSandBox",
    message: `sandbox "${sandbox.repeat(64)}": pool1 ${why}`,
    count: 2,
    lastSeen,
  });
  const newest = failed("b", "2026-11-22T08:03:00Z");
  const other = failed("c", "2026-11-22T08:02:00Z", "has no block");
  assert.equal(alikeOnce([failed("a", "2026-11-22T08:01:00Z"), other, newest]), [{ ...newest, count: 4 }, other]);
});

const refusals: readonly [ips: readonly string[], why: string][] = [
  [[], "no address yet"],
  [["10.0.0.7/24"], "no address yet"],
  [["10.0.0.10/24"], "it asks for 10.0.0.10, which pod shop/web interface net1 on b has"],
  [["10.0.0.11"], "it asks for 10.0.0.11, which lies in the block of b and is not excluded there"],
  [["10.0.0.0"], "it asks for 10.0.0.0, the network address"],
  [["10.0.0.255"], "it asks for 10.0.0.255, the broadcast address"],
  [["10.0.0.7", "fd00::1/64"], "it asks for fd00::1/64, which lies outside pool1"],
];
for (const [ips, why] of refusals) {
  test(`R10 a pod that asks for ${ips.join(" and ") || "nothing by name"} is told: ${why}`, () =>
    assert.is(refusal(...ips), why));
}

test.run();
