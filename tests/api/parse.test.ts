/** Arbitrary JSON becomes a pool, or errors that say where it is no pool. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatFieldError } from "../../src/lib/api/field_error.ts";
import { parsePool, parseStatus, readPool } from "../../src/lib/api/parse.ts";
import { announceSeed, type Random, randomFrom } from "../ip/_seed.ts";
import { cidrpool, ippool, type Json, parsed } from "./_pools.ts";

function paths(object: unknown): readonly string[] {
  const result = parsePool(object);
  return result.ok ? [] : result.error.map(({ path }) => path);
}

/** What is wrong, the object, and the paths of the errors. */
const WRONG: readonly (readonly [string, unknown, readonly string[]])[] = [
  ["a string", "pool", [""]],
  ["null", null, [""]],
  ["a list", [ippool()], [""]],
  ["nothing", {}, ["apiVersion", "kind", "metadata"]],
  ["another kind", { ...ippool(), kind: "Pool" }, ["kind"]],
  ["another group", { ...ippool(), apiVersion: "v1" }, ["apiVersion"]],
  ["kind as a number", { ...ippool(), kind: 5 }, ["kind"]],
  ["no name", { ...ippool(), metadata: {} }, ["metadata.name"]],
  ["a name that is a number", { ...ippool(), metadata: { name: 123 } }, ["metadata.name"]],
  [
    "annotations that are no strings",
    { ...ippool(), metadata: { name: "a", annotations: { x: true } } },
    ["metadata.annotations.x"],
  ],
  ["no spec", { ...ippool(), spec: null }, ["spec"]],
  ["an empty spec", { ...ippool(), spec: {} }, ["spec.subnet", "spec.perNodeBlockSize"]],
  ["an empty spec of a CIDRPool", { ...cidrpool(), spec: {} }, ["spec.cidr", "spec.perNodeNetworkPrefix"]],
  ["a subnet that is a number", ippool({ subnet: 10 }), ["spec.subnet"]],
  ["a block size that is a string", ippool({ perNodeBlockSize: "8" }), ["spec.perNodeBlockSize"]],
  ["half an address", ippool({ perNodeBlockSize: 8.5 }), ["spec.perNodeBlockSize"]],
  ["a block size that no double holds", ippool({ perNodeBlockSize: 2 ** 53 }), ["spec.perNodeBlockSize"]],
  ["a gateway that is a list", ippool({ gateway: ["10.10.0.1"] }), ["spec.gateway"]],
  ["exclusions that are an object", ippool({ exclusions: {} }), ["spec.exclusions"]],
  ["an exclusion that is a string", ippool({ exclusions: ["10.10.0.1"] }), ["spec.exclusions[0]"]],
  ["an exclusion without its end", ippool({ exclusions: [{ startIP: "10.10.0.1" }] }), ["spec.exclusions[0].endIP"]],
  [
    "the third exclusion with a number",
    ippool({
      exclusions: [...Array(2).fill({ startIP: "10.10.0.1", endIP: "10.10.0.1" }), { startIP: 1, endIP: "10.10.0.1" }],
    }),
    ["spec.exclusions[2].startIP"],
  ],
  [
    "too many exclusions",
    ippool({ exclusions: Array(100_001).fill({ startIP: "10.10.0.1", endIP: "10.10.0.1" }) }),
    ["spec.exclusions"],
  ],
  [
    "an index that is a string",
    ippool({ perNodeExclusions: [{ startIndex: "0", endIndex: 1 }] }),
    ["spec.perNodeExclusions[0].startIndex"],
  ],
  [
    "an index of 33 bits",
    ippool({ perNodeExclusions: [{ startIndex: 0, endIndex: 2 ** 31 }] }),
    ["spec.perNodeExclusions[0].endIndex"],
  ],
  ["a route without dst", ippool({ routes: [{}] }), ["spec.routes[0].dst"]],
  ["defaultGateway as a string", ippool({ defaultGateway: "yes" }), ["spec.defaultGateway"]],
  ["the alias as a string", ippool({ defautGateway: "yes" }), ["spec.defautGateway"]],
  ["a selector that is a list", ippool({ nodeSelector: [] }), ["spec.nodeSelector"]],
  [
    "a term that is a string",
    ippool({ nodeSelector: { nodeSelectorTerms: ["x"] } }),
    ["spec.nodeSelector.nodeSelectorTerms[0]"],
  ],
  [
    "a requirement without key and operator",
    ippool({ nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{}] }] } }),
    [
      "spec.nodeSelector.nodeSelectorTerms[0].matchExpressions[0].key",
      "spec.nodeSelector.nodeSelectorTerms[0].matchExpressions[0].operator",
    ],
  ],
  [
    "a value that is a number",
    ippool({
      nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [1] }] }] },
    }),
    ["spec.nodeSelector.nodeSelectorTerms[0].matchFields[0].values[0]"],
  ],
  ["a prefix length that is a string", cidrpool({ perNodeNetworkPrefix: "24" }), ["spec.perNodeNetworkPrefix"]],
  ["a gatewayIndex of 33 bits", cidrpool({ gatewayIndex: 2 ** 31 }), ["spec.gatewayIndex"]],
  [
    "a static allocation without prefix",
    cidrpool({ staticAllocations: [{ nodeName: "a" }] }),
    ["spec.staticAllocations[0].prefix"],
  ],
];

for (const [what, object, expected] of WRONG) {
  test(`${what} is reported where it is`, () => assert.equal(paths(object), expected));
}

test("members that nobody knows are ignored and left out", () => {
  const pool = parsed(ippool({ colour: "blue" }, { extra: 1, status: { allocations: [], mood: "good" } }));
  assert.equal(Object.keys(pool.spec), ["subnet", "perNodeBlockSize"]);
  assert.equal(pool.status, { allocations: [] });
});

test("null counts as absent", () => {
  const pool = parsed(cidrpool({ gatewayIndex: null, exclusions: null, nodeSelector: null, defaultGateway: null }));
  assert.equal(pool.spec, { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
});

test("an error is written as Kubernetes writes one", () => {
  const result = parsePool({
    ...ippool({ perNodeBlockSize: "8", gateway: "x".repeat(500) }),
    spec: { perNodeBlockSize: "8" },
  });
  assert.not.ok(result.ok);
  assert.equal(result.ok ? [] : result.error.map(formatFieldError), [
    "spec.subnet: Required value: the pool's network in CIDR notation, such as 192.168.0.0/16",
    'spec.perNodeBlockSize: Invalid value: "8": must be an integer of at most 9007199254740991 (2^53 - 1)',
  ]);
});

test("a long list of errors is cut short and counted", () => {
  const result = parsePool(ippool({ exclusions: Array(1000).fill({}) }));
  assert.equal(result.ok ? 0 : result.error.length, 31);
  assert.match(result.ok ? "" : (result.error.at(-1)?.message ?? ""), "1970 more");
});

test("R5 an object whose spec cannot be read keeps its status", () => {
  const status = { allocations: [{ nodeName: "node-a", startIP: "10.10.0.1", endIP: "10.10.0.8" }] };
  const result = readPool(ippool({ perNodeBlockSize: "8" }, { status }));
  assert.ok(result.ok);
  assert.equal(result.ok && result.value, {
    kind: "IPPool",
    metadata: { name: "pool1" },
    unreadable: [
      {
        path: "spec.perNodeBlockSize",
        value: "8",
        message: "must be an integer of at most 9007199254740991 (2^53 - 1)",
      },
    ],
    status,
  });
});

test("what cannot be read of a status is left out, the rest stays", () => {
  const status = parseStatus("CIDRPool", {
    allocations: [
      null,
      5,
      { nodeName: 1, prefix: "10.0.0.0/24" },
      { nodeName: "a" },
      { nodeName: "b", prefix: "10.0.0.0/24", gateway: 7 },
    ],
    released: [{ nodeName: "c", prefix: "10.0.1.0/24", releasedAt: 5 }],
    appliedSpec: { cidr: 5 },
    observedGeneration: "1",
    blocks: { total: "many", free: 3 },
    conditions: [
      { type: "Ready", status: "Perhaps" },
      { type: "Ready", status: "True" },
    ],
  });
  assert.equal(status, {
    allocations: [{ nodeName: "b", prefix: "10.0.0.0/24" }],
    released: [{ nodeName: "c", prefix: "10.0.1.0/24", releasedAt: "", reason: "" }],
    blocks: { total: 0, allocated: 0, free: 3, resting: 0 },
    conditions: [{ type: "Ready", status: "True", reason: "", message: "", lastTransitionTime: "" }],
  });
  assert.is(parseStatus("IPPool", "gone"), undefined);
});

test("an appliedSpec is kept without a nodeSelector", () => {
  const status = parseStatus("IPPool", {
    appliedSpec: { subnet: "10.0.0.0/24", perNodeBlockSize: 4, nodeSelector: { nodeSelectorTerms: [] } },
  });
  assert.equal(status?.appliedSpec, { subnet: "10.0.0.0/24", perNodeBlockSize: 4 });
});

test("a name like __proto__ is a member like any other", () => {
  const object = JSON.parse(
    '{"apiVersion":"nv-ipam.nvidia.com/v1alpha1","kind":"IPPool","metadata":{"name":"a","annotations":{"__proto__":"x"}},"__proto__":{"spec":{}}}',
  );
  assert.equal(paths(object), ["spec"]);
});

test("no JSON value makes parsing throw", () => {
  const random = randomFrom(announceSeed("parse"));
  for (let round = 0; round < 3000; round++) {
    const object = mutate(random.below(2) === 0 ? ippool(FULL) : cidrpool(FULL), random);
    const read = readPool(object);
    if (read.ok && !("unreadable" in read.value)) assert.ok(parsePool(object).ok);
  }
});

test("depth is no danger", () => {
  let deep: unknown = "x";
  for (let depth = 0; depth < 50_000; depth++) deep = [deep];
  assert.equal(paths(ippool({ subnet: deep, exclusions: deep, nodeSelector: deep })), [
    "spec.subnet",
    "spec.exclusions[0]",
    "spec.nodeSelector",
  ]);
});

const FULL: Json = {
  gateway: "10.10.0.1",
  gatewayIndex: 1,
  exclusions: [{ startIP: "10.10.0.1", endIP: "10.10.0.2" }],
  perNodeExclusions: [{ startIndex: 0, endIndex: 1 }],
  staticAllocations: [{ nodeName: "a", prefix: "10.10.1.0/24", gateway: "10.10.1.1" }],
  nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }] },
  routes: [{ dst: "5.5.0.0/16" }],
};

/** Replaces a few members anywhere by something odd. */
function mutate(value: unknown, random: Random): unknown {
  if (random.below(12) === 0)
    return random.pick<unknown>([null, true, -1, 2 ** 60, Number.NaN, "", "x", [], {}, [null], { a: 1 }]);
  if (Array.isArray(value)) return value.map((item) => mutate(item, random));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mutate(item, random)]));
  }
  return value;
}

test.run();
