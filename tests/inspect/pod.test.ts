import { test } from "uvu";
import * as assert from "uvu/assert";
import { podOnNode } from "../../src/lib/inspect/pod.ts";
import type { PodReport } from "../../src/lib/inspect/report.ts";
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

test.run();
