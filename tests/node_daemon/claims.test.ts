import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PoolRequest } from "../../src/lib/cni/pool_request.ts";
import { claimsOfAttachment, claimsOfPod } from "../../src/lib/node/_claims.ts";
import { type PoolOnNode, poolOnNode } from "../../src/lib/reservations/pool.ts";
import { address, cidrPool, ipPool, NODE } from "../reservations/_pools.ts";

const onNode = (pool: Parameters<typeof poolOnNode>[0]): PoolOnNode => poolOnNode(pool, NODE);

/** 10.0.0.1-10.0.0.8 with the gateway 10.0.0.1, and an excluded range in another node's block. */
const a = onNode(
  ipPool(
    "a",
    {
      subnet: "10.0.0.0/24",
      perNodeBlockSize: 8,
      gateway: "10.0.0.1",
      exclusions: [
        { startIP: "10.0.0.100", endIP: "10.0.0.110" },
        { startIP: "10.0.0.7", endIP: "10.0.0.7" },
      ],
    },
    "10.0.0.1-10.0.0.8",
    { "node-2": "10.0.0.9-10.0.0.16" },
  ),
);
/** Shares a's addresses and has a block of its own. */
const b = onNode(ipPool("b", { subnet: "10.0.0.0/16", perNodeBlockSize: 8 }, "10.0.0.5-10.0.0.12"));
const withoutBlock = onNode(ipPool("without", { subnet: "10.9.0.0/24", perNodeBlockSize: 8 }, undefined));
const invalid = onNode(ipPool("invalid", { subnet: "10.8.0.0/24", perNodeBlockSize: 0 }, "10.8.0.1-10.8.0.8"));
/** Has a's name, and this node's prefix is 10.20.3.0/24. */
const prefix = onNode(cidrPool("a", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24 }, "10.20.3.0/24"));
const six = onNode(ipPool("six", { subnet: "::a00:0/120", perNodeBlockSize: 8 }, "::a00:1-::a00:8"));
const all = [a, b, withoutBlock, invalid, prefix, six];

const REQUEST: PoolRequest = {
  pools: ["a"],
  poolsNamed: true,
  poolKind: "IPPool",
  addresses: [],
  allocateDefaultGateway: false,
};

const attachments: readonly [
  name: string,
  request: Partial<PoolRequest>,
  address: string,
  claims: readonly string[],
][] = [
  ["in the named pool's block", {}, "10.0.0.2", ["IPPool/a adopted"]],
  ["in the named pool's block and another's", {}, "10.0.0.6", ["IPPool/a adopted"]],
  ["of two named pools in one's block", { pools: ["b", "a"] }, "10.0.0.2", ["IPPool/a adopted"]],
  ["of two named pools in both blocks", { pools: ["b", "a"] }, "10.0.0.6", ["IPPool/b adopted"]],
  ["in another block of the named pool, that was this node's once", {}, "10.0.0.9", ["IPPool/a adopted"]],
  ["in a named pool without a block here", { pools: ["without"] }, "10.9.0.3", ["IPPool/without adopted"]],
  ["in a named pool whose spec is invalid", { pools: ["invalid"] }, "10.8.0.3", ["IPPool/invalid adopted"]],
  ["in a pool of the kind that is named", { poolKind: "CIDRPool" }, "10.20.3.7", ["CIDRPool/a adopted"]],
  ["in another prefix of the named pool", { poolKind: "CIDRPool" }, "10.20.4.7", ["CIDRPool/a adopted"]],
  ["in no named pool, but in two blocks", { pools: ["six"] }, "10.0.0.6", ["IPPool/a adopted", "IPPool/b adopted"]],
  ["in no named pool, but excluded by one", { pools: ["six"] }, "10.0.0.105", ["IPPool/a adopted"]],
  ["in a pool that is gone", { pools: ["a", "gone"] }, "10.77.0.1", ["IPPool/gone adopted"]],
  [
    "in one of two pools that are gone",
    { pools: ["gone", "lost"] },
    "10.77.0.1",
    ["IPPool/gone adopted", "IPPool/lost adopted"],
  ],
  ["of a pool that is gone, in the block of one that is there", { pools: ["gone"] }, "10.0.0.2", ["IPPool/a adopted"]],
  ["in none of the named pools, which are all there", { pools: ["a", "b"] }, "10.77.0.1", []],
  ["an equal number of the other family", { pools: ["six"] }, "::a00:2", ["IPPool/six adopted"]],
  ["asked for by name", { addresses: ["10.0.0.9"] }, "10.0.0.9", ["IPPool/a static"]],
  ["beside one that was asked for by name", { addresses: ["10.0.0.9"] }, "10.0.0.2", ["IPPool/a adopted"]],
  [
    "asked for by name in another spelling",
    { pools: ["six"], addresses: ["::A00:0002"] },
    "::a00:2",
    ["IPPool/six static"],
  ],
  ["given as the gateway", { allocateDefaultGateway: true }, "10.0.0.1", ["IPPool/a gateway"]],
  ["given by index", { allocateIPWithIndex: 3 }, "10.0.0.4", ["IPPool/a index"]],
];

for (const [name, request, text, claims] of attachments) {
  test(`R1 an attachment's address belongs to the pool that gave it: ${name}`, () => {
    const found = claimsOfAttachment({ request: { ...REQUEST, ...request } }, address(text), all);
    assert.equal(
      found.map(({ pool, how }) => `${pool.kind}/${pool.name} ${how}`),
      claims,
    );
  });
}

const pods: readonly [name: string, address: string, claims: readonly string[]][] = [
  ["in a block", "10.0.0.2", ["IPPool/a adopted"]],
  ["in two blocks", "10.0.0.6", ["IPPool/a adopted", "IPPool/b adopted"]],
  ["the gateway", "10.0.0.1", ["IPPool/a gateway"]],
  ["excluded in the block", "10.0.0.7", ["IPPool/a static", "IPPool/b adopted"]],
  ["excluded elsewhere", "10.0.0.105", ["IPPool/a static"]],
  ["in another node's block", "10.0.0.200", []],
  ["in a pool without a block here", "10.9.0.3", []],
  ["in this node's prefix", "10.20.3.7", ["CIDRPool/a adopted"]],
  ["in another node's prefix", "10.20.4.7", []],
  ["in an IPv6 block", "::a00:2", ["IPPool/six adopted"]],
  ["of no pool", "10.244.0.5", []],
];

for (const [name, text, claims] of pods) {
  test(`an address that a pod shows counts for the pools whose block or exclusions have it: ${name}`, () => {
    assert.equal(
      claimsOfPod(address(text), all).map(({ pool, how }) => `${pool.kind}/${pool.name} ${how}`),
      claims,
    );
  });
}

test.run();
