/** What watches tell, and whom it concerns. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ClusterView } from "../../src/lib/controller/cluster_view.ts";

const ALL = "IPPool/all";
const CHOSEN = "CIDRPool/chosen";

function pool(name: string, spec: object, version = "1", uid = `uid-of-${name}`) {
  return { metadata: { name, uid, resourceVersion: version }, spec };
}

function viewOf(): ClusterView {
  const view = new ClusterView();
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "use", operator: "Exists" }] }] };
  put(view, "IPPool", pool("all", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }));
  put(view, "CIDRPool", pool("chosen", { cidr: "10.1.0.0/16", perNodeNetworkPrefix: 24, nodeSelector }));
  return view;
}

function put(view: ClusterView, kind: "IPPool" | "CIDRPool", object: ReturnType<typeof pool>): readonly string[] {
  const read = view.read(kind, object);
  return read === undefined ? [] : view.setPool(read);
}

test("a node that comes or goes concerns every pool", () => {
  const view = viewOf();
  assert.equal(view.setNode({ name: "a", labels: {} }), [ALL, CHOSEN]);
  assert.equal(view.nodes(), [{ name: "a", labels: {} }]);
  assert.equal(view.deleteNode("a"), [ALL, CHOSEN]);
  assert.equal(view.deleteNode("a"), []);
});

test("labels concern the pools that choose the node otherwise than before, a heartbeat none", () => {
  const view = viewOf();
  view.setNode({ name: "a", labels: { x: "1" } });
  const list = view.nodes();
  assert.equal(view.setNode({ name: "a", labels: { x: "1" } }), []);
  assert.is(view.readNode({ name: "a", labels: { x: "1" } }), view.nodes()[0]);
  assert.is(view.nodes(), list);
  assert.equal(view.setNode({ name: "a", labels: { x: "2" } }), []);
  assert.equal(view.setNode({ name: "a", labels: { x: "2", use: "" } }), [CHOSEN]);
});

test("a pool's event that a write has overtaken is passed over", () => {
  const view = viewOf();
  const written = view.pool(ALL);
  assert.ok(written);
  view.setWritten({
    ...written,
    metadata: { ...written.metadata, resourceVersion: "12" },
    status: { allocations: [] },
  });
  assert.equal(put(view, "IPPool", pool("all", { subnet: "10.9.0.0/24", perNodeBlockSize: 4 }, "9")), []);
  assert.equal(view.pool(ALL)?.status, { allocations: [] });
  assert.equal(put(view, "IPPool", pool("all", { subnet: "10.9.0.0/24", perNodeBlockSize: 4 }, "13")), [ALL]);
});

test("a list is believed though its version is older: the API server's data was restored", () => {
  const view = viewOf();
  put(view, "IPPool", pool("all", { subnet: "10.9.0.0/24", perNodeBlockSize: 4 }, "13"));
  const restored = view.read("IPPool", pool("all", { subnet: "10.8.0.0/24", perNodeBlockSize: 4 }, "9"));
  assert.ok(restored);
  assert.equal(view.setPool(restored), []);
  assert.equal(view.setListed(restored), [ALL]);
  assert.is(view.pool(ALL)?.metadata.resourceVersion, "9");
  assert.equal(view.setListed(restored), []);
});

test("R2 a pool that was deleted and made again is another one, whatever its version", () => {
  const view = viewOf();
  const former = view.pool(ALL);
  assert.ok(former);
  put(view, "IPPool", pool("all", { subnet: "10.0.0.0/24", perNodeBlockSize: 8 }, "0", "another"));
  assert.is(view.pool(ALL)?.metadata.uid, "another");
  assert.equal(view.setWritten({ ...former, status: { allocations: [] } }), []);
  assert.is(view.pool(ALL)?.metadata.uid, "another");
});

test("a write's answer does not bring back a pool that has gone", () => {
  const view = viewOf();
  const former = view.pool(ALL);
  assert.ok(former);
  view.deletePool("IPPool", "all");
  assert.equal(view.setWritten(former), []);
  assert.is(view.pool(ALL), undefined);
});

test("what is no pool object is not taken for one, what has a spec of wrong types is", () => {
  const view = viewOf();
  assert.is(view.read("IPPool", { metadata: { name: 7 as unknown as string } }), undefined);
  const odd = view.read("IPPool", { metadata: { name: "odd" }, ...{ spec: { subnet: 7 } } });
  assert.ok(odd !== undefined && "unreadable" in odd);
});

test("R6 pools know with whom they share addresses", () => {
  const view = viewOf();
  assert.equal(put(view, "IPPool", pool("wide", { subnet: "10.0.0.0/14", perNodeBlockSize: 4 })), [
    "IPPool/wide",
    CHOSEN,
    ALL,
  ]);
  assert.equal(view.overlapsOf("IPPool/wide"), [CHOSEN, ALL]);
  assert.equal(view.deletePool("IPPool", "wide"), ["IPPool/wide", CHOSEN, ALL]);
  assert.equal(view.overlapsOf(ALL), []);
});

test.run();
