import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PoolObject } from "../../src/lib/api/types.ts";
import { check } from "../../src/lib/inspect/check.ts";
import type { ClusterContent } from "../../src/lib/inspect/content.ts";
import { migration, readServerVersion } from "../../src/lib/inspect/migration.ts";
import { parseAddress } from "../../src/lib/ip/address.ts";
import { clusterContent, dealt, NODES, POOL, PREFIXES, pod, poolObject, RELEASED } from "./_cluster.ts";
import { schemaErrors } from "./_schema.ts";

const NOW = new Date(0);
const asked = (text: string) => ({ asked: [parseAddress(text)].filter((address) => address !== undefined) });
const withStatus = (pool: PoolObject, status: object): PoolObject =>
  ({ ...pool, status: { ...pool.status, ...status } }) as PoolObject;
const entries = (pool: PoolObject): readonly object[] => pool.status?.allocations ?? [];

const WIDE = dealt(poolObject("IPPool", "wide", { subnet: "10.0.0.0/16", perNodeBlockSize: 8 }));
const SPEC = { subnet: "10.9.0.0/24", perNodeBlockSize: 8 };
const six = (node: string, first: number) =>
  Array.from({ length: 6 }, (_, index) => pod(`${node}-${index}`, node, [`10.0.0.${first + index}`]));

/** What is found, as "severity reason node"; the message of the first one. */
const rows: readonly [what: string, more: Partial<ClusterContent>, expected: readonly string[], message?: RegExp][] = [
  ["nothing is found where all is well", {}, []],
  [
    "R6 pools that overlap are an error",
    { pools: [POOL, WIDE], pods: [] },
    ["error OverlappingPools "],
    /IPPool\/pool1 and IPPool\/wide share addresses/,
  ],
  [
    "R1 one address of two pools is right where their networks do not meet",
    {
      pools: [POOL, WIDE],
      pods: [pod("web", "a", ["10.0.0.2"]), pod("other", "a", ["10.0.0.2"], { by: "shop/net-w" })],
      networks: new Map([
        ["shop/net-a", { type: "nv-ipam", poolKind: "IPPool", pools: ["pool1"] }],
        ["shop/net-w", { type: "nv-ipam", poolKind: "IPPool", pools: ["wide"] }],
      ]),
    },
    ["error OverlappingPools ", "warning AddressHeldTwice a"],
  ],
  [
    "R2 a block that two nodes have is an error",
    {
      pools: [
        withStatus(POOL, {
          allocations: [...entries(POOL).slice(0, 2), { nodeName: "c", startIP: "10.0.0.15", endIP: "10.0.0.22" }],
        }),
      ],
    },
    ["error OverlappingBlocks c", "error WouldMoveBlocks "],
    /the block of c shares addresses with that of b/,
  ],
  [
    "R1 an address that two nodes' pods show is an error",
    { pods: [pod("web", "a", ["10.0.0.2"]), pod("dup", "b", ["10.0.0.2"])] },
    ["error AddressHeldTwice b", "error OutsideBlock b"],
    /10\.0\.0\.2 is shown by pod shop\/web interface net1 on a and by pod shop\/dup interface net1 on b/,
  ],
  [
    "R1 a static address that two pods show is an error, though it lies in no block",
    { pods: [pod("one", "a", ["10.0.0.99"], asked("10.0.0.99")), pod("two", "b", ["10.0.0.99"], asked("10.0.0.99"))] },
    ["error AddressHeldTwice b"],
  ],
  [
    "a pod that is being deleted may show what the next one has",
    { pods: [pod("old", "a", ["10.0.0.2"], { isTerminating: true }), pod("new", "a", ["10.0.0.2"])] },
    [],
  ],
  [
    "an address in another node's block is an error",
    { pods: [pod("lost", "a", ["10.0.0.12"])] },
    ["error OutsideBlock a"],
    /10\.0\.0\.12 is shown by pod shop\/lost interface net1 on a but lies in the block of b/,
  ],
  [
    "R10 an address in another node's block that was asked for by name is a warning",
    { pods: [pod("static", "a", ["10.0.0.12"], asked("10.0.0.12"))] },
    ["warning StaticInOtherBlock a"],
    /in the block of b and is not excluded there/,
  ],
  [
    "an excluded address in another node's block is what exclusions are for",
    { pods: [pod("static", "a", ["10.0.0.10"])] },
    [],
  ],
  ["the gateway may be given by any node", { pods: [pod("router", "b", ["10.0.0.1"])] }, []],
  [
    "an address in nobody's block is an error",
    { pods: [pod("lost", "a", ["10.0.0.200"])] },
    ["error OutsideBlock a"],
    /lies in no node's block/,
  ],
  [
    "R7 a pod on a block that rests is no news beside the rest",
    {
      pools: [withStatus(POOL, { released: [RELEASED] })],
      nodes: [...NODES, { name: "d", labels: {} }].slice(0, 3),
      pods: [pod("late", "gone", ["10.0.0.26"])],
    },
    ["info Resting "],
    /10\.0\.0\.25-10\.0\.0\.32 of gone since 2026-11-22T08:00:00Z/,
  ],
  [
    "a network of another plugin may have the same addresses",
    {
      pods: [pod("other", "a", ["10.0.0.12"], { by: "shop/net-b" })],
      networks: new Map([["shop/net-b", { type: "host-local", poolKind: "IPPool", pools: [] }]]),
    },
    [],
  ],
  [
    "a network of a pool that does not exist is told, with the pools that do",
    {
      networks: new Map([
        ["shop/net-a", { type: "nv-ipam", poolKind: "IPPool", pools: ["pool1"] }],
        ["shop/net-b", { type: "nv-ipam", poolKind: "IPPool", pools: ["pool1", "pol2"] }],
        ["shop/net-c", { type: "nv-ipam", poolKind: "CIDRPool", pools: ["pool1"] }],
        ["shop/net-d", { type: "host-local", poolKind: "IPPool", pools: [] }],
      ]),
    },
    ["warning UnknownPool ", "warning UnknownPool "],
    /shop\/net-b asks for IPPool pol2, which does not exist \(IPPools are pool1\)/,
  ],
  [
    "where networks are not known an address is that of the pool whose range has it",
    { pods: [pod("lost", "a", ["10.0.0.12"], { by: "shop/net-b" })], networks: undefined },
    ["error OutsideBlock a"],
  ],
  [
    "a block that is full is told",
    { pods: [...six("a", 2), pod("a-6", "a", ["10.0.0.8"])] },
    ["warning Exhausted a"],
    /10\.0\.0\.1-10\.0\.0\.8 of a has no address left/,
  ],
  [
    "a node that matches and has no block is an error when there are free ones",
    { nodes: [...NODES, { name: "d", labels: {} }] },
    ["error NodeWithoutBlock ", "error NodeWithoutBlock "],
    /these nodes have no block although there are free ones: d; does the controller run/,
  ],
  [
    "a block of a node that is gone is an error",
    { nodes: NODES.slice(0, 2) },
    ["error BlockOfUnknownNode ", "error BlockOfUnknownNode "],
    /10\.0\.0\.17-10\.0\.0\.24 of c/,
  ],
  [
    "a pool without a block for each node is an error",
    { pools: [dealt(poolObject("IPPool", "tight", { subnet: "10.9.0.0/28", perNodeBlockSize: 7 }))] },
    ["error PoolNotReady "],
    /no free block in 10\.9\.0\.0\/28 for c/,
  ],
  [
    "R5 an invalid spec is an error",
    { pools: [poolObject("IPPool", "bad", { ...SPEC, gateway: "10.1.1.1" })] },
    ["error InvalidSpec "],
    /it serves nothing: spec\.gateway/,
  ],
  [
    "R5 an invalid edit leaves the last spec in force, and is an error",
    {
      pools: [
        withStatus(
          poolObject("IPPool", "bad", { ...SPEC, gateway: "10.1.1.1" }),
          dealt(poolObject("IPPool", "bad", SPEC)).status ?? {},
        ),
      ],
    },
    ["error InvalidSpec "],
    /the last spec that was accepted stays in force/,
  ],
  [
    "R5 an edit that would move blocks is an error",
    {
      pools: [
        withStatus(
          poolObject("IPPool", "moved", { ...SPEC, perNodeBlockSize: 16 }),
          dealt(poolObject("IPPool", "moved", SPEC)).status ?? {},
        ),
      ],
    },
    ["error PoolNotReady "],
    /it would move blocks that nodes have/,
  ],
  [
    "a legal spec that is hardly meant is a warning",
    { pools: [dealt(poolObject("IPPool", "typo", { ...SPEC, gateway: "10.9.0.1", defautGateway: true }))] },
    ["warning SpecWarning "],
    /spec\.defautGateway: is deprecated/,
  ],
  [
    "R8 blocks without a usable address are told",
    {
      pools: [
        dealt(
          withStatus(
            poolObject("IPPool", "shut", { ...SPEC, exclusions: [{ startIP: "10.9.0.1", endIP: "10.9.0.8" }] }),
            { allocations: entries(dealt(poolObject("IPPool", "shut", SPEC))) },
          ),
        ),
      ],
    },
    ["warning BlockWithoutAddresses "],
    /have no usable address left: a$/,
  ],
  ["without the right to see nodes and pods the rest is checked", { nodes: undefined, pods: undefined }, []],
];
for (const [what, more, expected, message] of rows) {
  test(what, () => {
    const report = check(clusterContent(more), NOW);
    assert.equal(
      report.items.map(({ severity, reason, node }) => `${severity} ${reason} ${node}`),
      expected,
    );
    if (message !== undefined) assert.match(report.items[0]?.message ?? "", message);
    assert.is(schemaErrors(JSON.parse(JSON.stringify(report))), "");
  });
}

/** A pool as the original leaves it: allocations and nothing else. */
const original = (spec: object, allocations: readonly object[], metadata: object = {}): PoolObject =>
  poolObject("IPPool", "old", spec, { metadata, status: { allocations } });
const applied = (spec: object) => ({
  annotations: {
    "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify({
      apiVersion: "nv-ipam.nvidia.com/v1alpha1",
      kind: "IPPool",
      metadata: { name: "old" },
      spec,
    }),
  },
});
const THREE = entries(dealt(poolObject("IPPool", "old", SPEC)));

const takeovers: readonly [what: string, pool: PoolObject, expected: readonly string[], message?: RegExp][] = [
  ["what the original dealt is taken over as it is", original(SPEC, THREE), []],
  [
    "R5 blocks that the original dealt before an edit stay, and the edit is told",
    original({ ...SPEC, perNodeBlockSize: 16 }, THREE),
    ["error PoolNotReady"],
    /would move blocks/,
  ],
  [
    "a manifest that misspells defaultGateway takes effect with the new CRD",
    original({ ...SPEC, gateway: "10.9.0.1" }, THREE, applied({ ...SPEC, gateway: "10.9.0.1", defautGateway: true })),
    ["warning WrittenOtherwise"],
    /its manifest has defautGateway, which the cluster's CRD has cut off/,
  ],
  [
    "a manifest with a member that no pool has is told",
    original(SPEC, THREE, applied({ ...SPEC, exclusion: [] })),
    ["warning WrittenOtherwise"],
    /members that no pool has, which are left out: spec\.exclusion$/,
  ],
  ["a manifest that says what is stored is no news", original(SPEC, THREE, applied(SPEC)), []],
  [
    "an annotation that is no JSON is passed over",
    original(SPEC, THREE, { annotations: { "kubectl.kubernetes.io/last-applied-configuration": "{" } }),
    [],
  ],
];
for (const [what, pool, expected, message] of takeovers) {
  test(`before a migration: ${what}`, () => {
    const { items } = migration(clusterContent({ pools: [pool], pods: [] }), { major: 1, minor: 31 }, NOW);
    assert.equal(
      items.map(({ severity, reason }) => `${severity} ${reason}`),
      expected,
    );
    if (message !== undefined) assert.match(items[0]?.message ?? "", message);
  });
}

test("an API server that does not know CEL as the CRDs use it is told", () => {
  const found = (text: string) =>
    migration(clusterContent({ pools: [PREFIXES] }), readServerVersion(text), NOW).items.map(({ reason }) => reason);
  assert.equal(found('{"major": "1", "minor": "29+"}'), ["UnsupportedVersion"]);
  assert.equal(found('{"major": "1", "minor": "31"}'), []);
  assert.equal(found('{"major": "2", "minor": "0"}'), []);
  assert.equal(found("no version"), []);
});

test.run();
