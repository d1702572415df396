/** What the validating webhook refuses, and what it only warns of. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ALLOW_REALLOCATION_ANNOTATION } from "../../src/lib/api/types.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { ClusterView } from "../../src/lib/controller/cluster_view.ts";
import { type PoolReview, reviewPool } from "../../src/lib/controller/review.ts";
import type { Json } from "./_fake_cluster.ts";

const API_VERSION = "nv-ipam.nvidia.com/v1alpha1";
const SPEC = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
const DEALT = { allocations: [{ nodeName: "node-a", startIP: "10.0.0.1", endIP: "10.0.0.4" }], appliedSpec: SPEC };

function ippool(spec: unknown, more: Json = {}): Json {
  return { apiVersion: API_VERSION, kind: "IPPool", metadata: { name: "pool1", uid: "u1" }, spec, ...more };
}

function viewOf(...pools: readonly Json[]): ClusterView {
  const view = new ClusterView();
  view.setNode({ name: "node-a", labels: {} });
  for (const object of pools) {
    const pool = view.read("IPPool", object as never);
    if (pool !== undefined) view.setPool(pool);
  }
  return view;
}

/** The verdict on a pool of the namespace that is looked at, or of another one. */
function judge(review: Omit<PoolReview, "namespace">, view: ClusterView | undefined, namespace = "pools") {
  return reviewPool({ ...review, namespace }, "pools", view);
}

test("a valid pool is let in without a word", () => {
  const review = { operation: "CREATE", object: ippool(SPEC) };
  assert.equal(judge(review, viewOf()), { allowed: true, warnings: [] });
});

const INVALID: readonly [what: string, spec: unknown, message: RegExp][] = [
  ["a subnet that is none", { ...SPEC, subnet: "10.0.0.0" }, /spec\.subnet: .*must be a network in CIDR notation/],
  [
    "a gateway outside the subnet",
    { ...SPEC, gateway: "10.1.0.1" },
    /spec\.gateway: .*must be an address of 10\.0\.0\.0\/24/,
  ],
  ["a block that does not fit", { ...SPEC, perNodeBlockSize: 255 }, /spec\.perNodeBlockSize: .*must be at most 254/],
  ["a member of the wrong type", { ...SPEC, subnet: 10 }, /spec\.subnet: .*must be a string/],
  ["no spec at all", undefined, /spec: Required value/],
];
for (const [what, spec, message] of INVALID) {
  test(`${what} is refused, at creation and as an edit, with the field's path`, () => {
    const object = ippool(spec);
    const old = ippool(SPEC);
    for (const review of [
      { operation: "CREATE", object },
      { operation: "UPDATE", object, oldObject: old },
    ]) {
      const verdict = judge(review, viewOf());
      assert.is(verdict.allowed, false);
      assert.match(verdict.message ?? "", message);
    }
  });

  test(`${what}, stored before there was a webhook, can still be labelled`, () => {
    const object = { ...ippool(spec), metadata: { name: "pool1", uid: "u1", labels: { x: "y" } } };
    const verdict = judge({ operation: "UPDATE", object, oldObject: ippool(spec) }, viewOf());
    assert.is(verdict.allowed, true);
    assert.match(verdict.warnings.join(), message);
  });
}

test("what is no pool object is refused", () => {
  assert.is(judge({ operation: "CREATE", object: "text" }, viewOf()).allowed, false);
  assert.is(judge({ operation: "CREATE", object: { ...ippool(SPEC), kind: "Pod" } }, viewOf()).allowed, false);
});

test("R5 an edit that would move a block is refused with the block's name", () => {
  const oldObject = ippool(SPEC, { status: DEALT });
  const object = ippool({ ...SPEC, perNodeBlockSize: 8 }, { status: DEALT });
  const verdict = judge({ operation: "UPDATE", object, oldObject }, viewOf(oldObject));
  assert.is(verdict.allowed, false);
  assert.match(verdict.message ?? "", /would move blocks that nodes have: node-a 10\.0\.0\.1-10\.0\.0\.4/);
});

const ACCEPTED: readonly [what: string, spec: Json, more?: Json][] = [
  ["widening the subnet", { ...SPEC, subnet: "10.0.0.0/16" }],
  ["a gateway", { ...SPEC, gateway: "10.0.0.1" }],
  ["an exclusion", { ...SPEC, exclusions: [{ startIP: "10.0.0.1", endIP: "10.0.0.2" }] }],
  [
    "what moves blocks, with the annotation that allows it",
    { ...SPEC, perNodeBlockSize: 8 },
    { metadata: { name: "pool1", uid: "u1", annotations: { [ALLOW_REALLOCATION_ANNOTATION]: "true" } } },
  ],
];
for (const [what, spec, more = {}] of ACCEPTED) {
  test(`R5 ${what} is accepted`, () => {
    const oldObject = ippool(SPEC, { status: DEALT });
    const object = ippool(spec, { status: DEALT, ...more });
    assert.is(judge({ operation: "UPDATE", object, oldObject }, viewOf(oldObject)).allowed, true);
  });
}

test("R5 what would move only the block of a node that is gone is accepted", () => {
  const status = { ...DEALT, allocations: [{ nodeName: "gone", startIP: "10.0.0.1", endIP: "10.0.0.4" }] };
  const oldObject = ippool(SPEC, { status });
  const object = ippool({ ...SPEC, perNodeBlockSize: 8 }, { status });
  assert.is(judge({ operation: "UPDATE", object, oldObject }, viewOf(oldObject)).allowed, true);
});

test("R5 what cannot be judged yet is allowed with a warning; the rules of the spec still hold", () => {
  const oldObject = ippool(SPEC, { status: DEALT });
  const object = ippool({ ...SPEC, perNodeBlockSize: 8 }, { status: DEALT });
  const verdict = judge({ operation: "UPDATE", object, oldObject }, undefined);
  assert.is(verdict.allowed, true);
  assert.match(verdict.warnings.join(), "is not known yet");
  assert.is(judge({ operation: "CREATE", object: ippool({}) }, undefined).allowed, false);
});

const ODD: readonly [what: string, object: Json, warning: RegExp][] = [
  [
    "the misspelt defautGateway",
    ippool({ ...SPEC, gateway: "10.0.0.1", defautGateway: true }),
    /misspelling of defaultGateway/,
  ],
  ["a gateway that is no host's address", ippool({ ...SPEC, gateway: "10.0.0.255" }), /is no host's address/],
  [
    "blocks without usable addresses",
    ippool({ ...SPEC, perNodeExclusions: [{ startIndex: 0, endIndex: 3 }] }),
    /cover every address/,
  ],
  [
    "a pool too small for the nodes",
    ippool({
      ...SPEC,
      nodeSelector: undefined,
      subnet: "10.0.0.0/29",
      exclusions: [{ startIP: "10.0.0.1", endIP: "10.0.0.6" }],
    }),
    /no free block|no usable address/,
  ],
];
for (const [what, object, warning] of ODD) {
  test(`${what}: legal, with a warning`, () => {
    const verdict = judge({ operation: "CREATE", object }, viewOf());
    assert.is(verdict.allowed, true);
    assert.match(verdict.warnings.join("\n"), warning);
  });
}

test("R6 a pool that shares addresses with another is let in with a warning", () => {
  const other = { ...ippool({ ...SPEC, subnet: "10.0.0.0/16" }), metadata: { name: "other", uid: "u2" } };
  const verdict = judge({ operation: "CREATE", object: ippool(SPEC) }, viewOf(other));
  assert.equal(verdict, { allowed: true, warnings: ["shares addresses with IPPool/other"] });
});

test("R2 the deletion of a pool warns with the number of its blocks", () => {
  const review = { operation: "DELETE", oldObject: ippool(SPEC, { status: DEALT }) };
  const verdict = judge(review, viewOf());
  assert.is(verdict.allowed, true);
  assert.match(verdict.warnings.join(), /^1 node has a block/);
  assert.equal(judge({ operation: "DELETE", oldObject: ippool(SPEC) }, viewOf()).warnings, []);
});

test("a pool of a namespace that nobody looks at is let in with a warning, and not compared with those of ours", () => {
  const verdict = judge({ operation: "CREATE", object: ippool(SPEC) }, viewOf(ippool(SPEC)), "default");
  assert.equal(verdict, {
    allowed: true,
    warnings: ["pools of namespace default are not looked at: those of pools are"],
  });
  assert.is(judge({ operation: "CREATE", object: ippool({}) }, viewOf(), "default").allowed, false);
  const deletion = { operation: "DELETE", oldObject: ippool(SPEC, { status: DEALT }) };
  assert.equal(judge(deletion, viewOf(), "default").warnings, []);
});

test("the rules are those of validatePool, message for message", () => {
  const spec = { ...SPEC, gateway: "10.1.0.1", routes: [{ dst: "nowhere" }] };
  const object = ippool(spec);
  const { errors } = validatePool(object as never);
  const { message = "" } = judge({ operation: "CREATE", object }, viewOf());
  assert.ok(errors.length > 0 && errors.every((error) => message.includes(error.message)));
});

test("warnings are short and few enough for the API server to hand on", () => {
  const routes = Array.from({ length: 40 }, (_, index) => ({ dst: `10.${index}.0.1/16` }));
  const object = ippool({ ...SPEC, gateway: "10.0.0.1", routes });
  const { warnings } = judge({ operation: "CREATE", object }, viewOf());
  assert.ok(warnings.length > 0 && warnings.length <= 16);
  assert.ok(warnings.every((warning) => warning.length <= 256));
});

test("a selector that would take long to match against many nodes is refused unmatched", () => {
  const view = viewOf();
  for (let i = 0; i < 5000; i++) view.setNode({ name: `node-${i}`, labels: { a: "b" } });
  const terms = Array.from({ length: 100_000 }, (_, i) => ({
    matchExpressions: [{ key: "a", operator: "In", values: [`v${i}`] }],
  }));
  const object = ippool({ ...SPEC, nodeSelector: { nodeSelectorTerms: terms } });
  const began = process.cpuUsage();
  const verdict = judge({ operation: "CREATE", object }, view);
  const { user, system } = process.cpuUsage(began);
  assert.not.ok(verdict.allowed);
  assert.match(verdict.message ?? "", /nodeSelectorTerms.*100000 requirements in all; at most 5000/);
  assert.ok(user + system < 5_000_000, `${user + system} µs of CPU`);
});

test.run();
