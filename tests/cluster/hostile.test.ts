/** Whatever the API server can hold, the controller does not crash, does not loop and wipes no status; the node daemon serves. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Random, seededRandom } from "../random.ts";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { schemaless, withoutRules } from "./_other_crds.ts";
import {
  installCrd,
  installCrds,
  type Json,
  type Kind,
  must,
  type PoolJson,
  Pools,
  startWith,
  until,
} from "./_pools.ts";

const KINDS = ["IPPool", "CIDRPool"] as const;

const { server, client } = await startWith(installCrds);
const test = suite("hostile objects");
test.after(() => server.remove());

const NODES = ["node-a", "node-b", "node-c"] as const;
for (const name of NODES) await new Pools(client, "default").addNode(name, { use: "yes" });

const SPECS: Readonly<Record<Kind, Json>> = {
  IPPool: { subnet: "10.0.0.0/24", perNodeBlockSize: 4 },
  CIDRPool: { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 },
};
const BLOCKS: Readonly<Record<Kind, readonly Json[]>> = {
  IPPool: [{ nodeName: "node-b", startIP: "10.0.0.9", endIP: "10.0.0.12" }],
  CIDRPool: [{ nodeName: "node-b", prefix: "10.0.9.0/24" }],
};

/** Broken specs: whatever else becomes of them, the blocks that nodes have stay. */
const BROKEN: readonly unknown[] = [
  "a text",
  7,
  [],
  {},
  { subnet: 7, cidr: 7 },
  { subnet: "nowhere", perNodeBlockSize: 4, cidr: "nowhere", perNodeNetworkPrefix: 24 },
  { subnet: "10.0.0.0/24", perNodeBlockSize: 1e300, cidr: "10.0.0.0/16", perNodeNetworkPrefix: -1 },
  { subnet: "10.0.0.0/24", perNodeBlockSize: "4", cidr: "10.0.0.0/16", perNodeNetworkPrefix: "24" },
  { subnet: "10.0.0.0/24", perNodeBlockSize: 4, cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, exclusions: "all" },
  { subnet: "10.0.0.0/24", perNodeBlockSize: 4, cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, nodeSelector: [7] },
];

/** Statuses that nobody has written by the rules. */
const STATUSES: readonly unknown[] = [
  "a text",
  [],
  { allocations: "all", released: {}, conditions: 7, blocks: [], appliedSpec: "x", observedGeneration: "3" },
  { allocations: [7, "x", null, {}, { nodeName: "node-a" }, { nodeName: 7, startIP: "10.0.0.1", endIP: "10.0.0.4" }] },
  { allocations: [{ nodeName: "node-a", startIP: "10.0.0.9", endIP: "10.0.0.1", prefix: "10.0.0.7/24" }] },
  { released: [{}, { nodeName: "node-a" }, { nodeName: "node-z", startIP: "10.0.0.1", endIP: "10.0.0.4" }] },
  { released: [{ nodeName: "node-z", prefix: "10.0.0.0/24", releasedAt: "yesterday", reason: 7 }] },
  { conditions: [{}, { type: "Ready" }, { type: "Ready", status: "True" }, { type: "x", status: "False" }] },
  { conditions: [{ type: "Ready", status: "True", reason: 7, message: [], lastTransitionTime: "2026" }] },
  { appliedSpec: {}, blocks: { total: -1, allocated: 1e300 }, observedGeneration: -5 },
  { appliedSpec: { subnet: "fd00::/64", perNodeBlockSize: 1, cidr: "fd00::/48", perNodeNetworkPrefix: 64 } },
];

/** What no Node can be called, and what would be another request if it stood in a path or a selector. */
const NO_NODES = ["", ".", "..", "a/b", "node-a?x=y", "node-a,spec.nodeName=node-b", "../pods", "%2e", "NODE-A"];

/** Of the right types, which is all that a CRD without rules looks at. */
const TYPED: readonly Json[] = [
  {
    allocations: NO_NODES.map((nodeName, i) => ({
      nodeName,
      startIP: `10.0.0.${i * 4 + 1}`,
      endIP: `10.0.0.${i * 4 + 4}`,
    })),
  },
  { allocations: NO_NODES.map((nodeName, i) => ({ nodeName, prefix: `10.0.${i}.0/24` })) },
  { allocations: [{}, { nodeName: "node-a" }, { nodeName: "node-a", startIP: "x", endIP: "", prefix: "x" }] },
  { released: [{}, { nodeName: "node-z", startIP: "10.0.0.1", endIP: "10.0.0.4", prefix: "10.0.0.0/24" }] },
  { conditions: [{}, { type: "Ready" }, { type: "Ready" }] },
  {
    conditions: [
      { type: "Foreign", status: "Maybe" },
      { type: "Other", status: "True" },
    ],
  },
  { conditions: [{ type: "Ready", status: "True", reason: "", message: "", lastTransitionTime: "2026" }] },
  { blocks: {}, observedGeneration: -5 },
  { blocks: { total: -1, allocated: -1, free: -1, resting: -1 } },
  { appliedSpec: {} },
  { appliedSpec: { subnet: "x", perNodeBlockSize: -4, cidr: "x", perNodeNetworkPrefix: 900, routes: [{}] } },
];

/** Anything that JSON can say, with the words of pools in it more often than others. */
function randomValue(random: Random, depth = 0): unknown {
  const words = ["", "10.0.0.0/24", "10.0.0.1", "10.0.0.9", "fd00::/64", "::ffff:10.0.0.1", "node-a", "node-b", "True"];
  const members = [
    ...["spec", "status", "subnet", "cidr", "perNodeBlockSize", "perNodeNetworkPrefix", "gateway", "gatewayIndex"],
    ...["exclusions", "startIP", "endIP", "perNodeExclusions", "startIndex", "endIndex", "nodeSelector", "routes"],
    ...[
      "nodeSelectorTerms",
      "matchExpressions",
      "key",
      "operator",
      "values",
      "staticAllocations",
      "prefix",
      "nodeName",
    ],
    ...["allocations", "released", "appliedSpec", "conditions", "type", "reason", "blocks", "observedGeneration"],
  ];
  const kind = depth > 4 ? random.below(4) : random.below(8);
  if (kind === 0) return random.pick([0, 1, 4, 24, -1, 2 ** 31, 2 ** 53, 1.5]);
  if (kind === 1) return random.pick([true, false]);
  if (kind < 4) return words[random.below(words.length)];
  if (kind < 5) return Array.from({ length: random.below(4) }, () => randomValue(random, depth + 1));
  const names = Array.from({ length: 1 + random.below(8) }, () => members[random.below(members.length)] ?? "");
  return Object.fromEntries(names.map((name) => [name, randomValue(random, depth + 1)]));
}

interface Held {
  readonly kind: Kind;
  readonly name: string;
  /** What the nodes have, and must keep. */
  readonly keeps?: readonly Json[];
}

/** Fills a namespace with objects that no rule has looked at. */
async function fill(pools: Pools): Promise<readonly Held[]> {
  const held: Held[] = [];
  const put = async (kind: Kind, spec: unknown, status: unknown, keeps?: readonly Json[]): Promise<void> => {
    const name = `pool-${held.length}`;
    must(await pools.create(kind, name, spec));
    must(await pools.patchStatus(kind, name, status as Json));
    held.push({ kind, name, ...(keeps && { keeps }) });
  };
  const random = seededRandom("hostile objects");
  for (const kind of KINDS) {
    for (const spec of BROKEN) await put(kind, spec, { allocations: BLOCKS[kind] }, BLOCKS[kind]);
    for (const status of STATUSES) await put(kind, SPECS[kind], status);
    for (let index = 0; index < 30; index++) await put(kind, randomValue(random), randomValue(random));
  }
  return held;
}

/** Waits until no pool has changed for a while. */
async function settled(pools: Pools, controller: ControllerProcess): Promise<ReadonlyMap<string, PoolJson>> {
  let seen = "";
  let since = performance.now();
  let all = await pools.all();
  await until(
    async () => {
      all = await pools.all();
      const versions = [...all.values()].map(({ metadata }) => metadata.resourceVersion).join();
      if (versions !== seen) since = performance.now();
      seen = versions;
      return performance.now() - since > 2000;
    },
    "nothing changes any more",
    () => controller.output,
    60_000,
  );
  return all;
}

async function withController(pools: Pools, tell: (controller: ControllerProcess) => Promise<void>): Promise<void> {
  const { kubeconfig } = server;
  const flags = ["--block-release-delay=1h"];
  const controller = await ControllerProcess.start({ kubeconfig, namespace: pools.namespace, flags });
  try {
    await tell(controller);
    assert.is((await controller.probe("/healthz")).status, 200, controller.output);
    assert.not.match(controller.output, /could not be (looked at|brought up to date)/);
  } finally {
    await controller.kill();
  }
}

/** Each pool says what it is, nobody has lost a block to it, and no block is one of a node that there cannot be. */
function check(held: readonly Held[], pools: ReadonlyMap<string, PoolJson>): void {
  for (const { kind, name, keeps } of held) {
    const pool = pools.get(`${kind}/${name}`);
    const what = JSON.stringify(pool);
    const { conditions = [], allocations = [], observedGeneration } = pool?.status ?? {};
    assert.is(conditions.filter(({ type }) => type === "Ready").length, 1, what);
    assert.is(observedGeneration, pool?.metadata.generation, what);
    for (const { nodeName } of allocations)
      assert.ok(
        NODES.some((node) => node === nodeName),
        what,
      );
    for (const entry of keeps ?? [])
      assert.ok(
        allocations.some((each) => sameBlock(each, entry)),
        what,
      );
  }
}

function sameBlock(a: Json, b: Json): boolean {
  return Object.entries(b).every(([key, value]) => a[key] === value);
}

test("where the CRDs have no schema at all every object gets a status, once, and blocks stay; a node daemon serves", async () => {
  for (const kind of KINDS) await installCrd(client, schemaless(kind));
  try {
    const pools = await Pools.inNewNamespace(client, "schemaless");
    const held = await fill(pools);
    await withController(pools, async (controller) => {
      check(held, await settled(pools, controller));
      must(await pools.create("IPPool", "good", { subnet: "10.77.0.0/24", perNodeBlockSize: 4 }));
      await pools.untilBlocks("IPPool", "good", [
        "node-a 10.77.0.1-10.77.0.4",
        "node-b 10.77.0.5-10.77.0.8",
        "node-c 10.77.0.9-10.77.0.12",
      ]);
    });
    const daemon = new NodeDaemon({ kubeconfig: server.kubeconfig, namespace: pools.namespace, nodeName: "node-a" });
    try {
      await daemon.start();
      assert.equal(await daemon.add("c1", { poolName: "good" }), ["10.77.0.1/24"]);
    } finally {
      await daemon.remove();
    }
  } finally {
    await installCrds(client);
  }
});

test("what was stored when the CRDs had no rules gets a status under ours, once, and blocks stay", async () => {
  const pools = await Pools.inNewNamespace(client, "without-rules");
  for (const kind of KINDS) await installCrd(client, withoutRules(kind));
  const held: Held[] = [];
  for (const kind of KINDS) {
    for (const status of TYPED) {
      for (const spec of [SPECS[kind], { gateway: "nowhere", routes: [{}], exclusions: [{}], gatewayIndex: -1 }]) {
        const name = `pool-${held.length}`;
        must(await pools.create(kind, name, spec));
        must(await pools.patchStatus(kind, name, { allocations: BLOCKS[kind], ...status }));
        held.push({ kind, name, ...(!("allocations" in status) && { keeps: BLOCKS[kind] }) });
      }
    }
  }
  await installCrds(client);
  await withController(pools, async (controller) => check(held, await settled(pools, controller)));
});

test.run();
