import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CIDRPoolSpec, IPPool, IPPoolSpec } from "../../src/lib/api/types.ts";
import { formatAddress, formatCidr } from "../../src/lib/ip/address.ts";
import { type NodePool, type PoolOnNode, poolOnNode } from "../../src/lib/reservations/pool.ts";
import { address, cidrPool, ipPool, NODE, ready } from "./_pools.ts";

const usable = ({ usable: { intervals }, network: { family } }: NodePool): string[] =>
  intervals.map(({ first, last }) => [first, last].map((value) => formatAddress({ family, value })).join("-"));

const slash16: IPPoolSpec = { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.1" };

test("an IPPool gives its addresses with the subnet's length and its gateway, and skips the gateway", () => {
  const pool = ready(ipPool("p", slash16, "192.168.0.1-192.168.0.24"));
  assert.equal(pool.id, { kind: "IPPool", name: "p", uid: "uid-of-p" });
  assert.is(formatCidr(pool.network), "192.168.0.0/16");
  assert.equal(pool.gateway, address("192.168.0.1"));
  assert.equal(usable(pool), ["192.168.0.2-192.168.0.24"]);
  assert.is(pool.usableCount, 23n);
});

test("a CIDRPool gives its addresses with the node's own prefix and gateway", () => {
  const spec: CIDRPoolSpec = { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 };
  const pool = ready(cidrPool("c", spec, "10.20.3.0/24", "10.20.3.7"));
  assert.is(formatCidr(pool.network), "10.20.3.0/24");
  assert.equal(pool.gateway, address("10.20.3.7"));
  assert.equal(usable(pool), ["10.20.3.1-10.20.3.6", "10.20.3.8-10.20.3.254"]);
  assert.is(pool.others.size, 0);
});

const cidrRows: readonly [name: string, prefix: string, length: number, cidr: string, expected: string[]][] = [
  ["a /31 has two usable addresses", "192.168.100.4/31", 31, "192.168.100.0/24", ["192.168.100.4-192.168.100.5"]],
  ["a /32 has one usable address", "192.168.100.7/32", 32, "192.168.100.0/24", ["192.168.100.7-192.168.100.7"]],
  ["a /127 has two usable addresses", "fd00::4/127", 127, "fd00::/120", ["fd00::4-fd00::5"]],
  ["a /128 has one usable address", "fd00::7/128", 128, "fd00::/120", ["fd00::7-fd00::7"]],
  ["an IPv6 prefix keeps only its first address back", "fd00::100/120", 120, "fd00::/112", ["fd00::101-fd00::1ff"]],
  ["a prefix need not have the division's length", "10.20.4.0/23", 24, "10.20.0.0/16", ["10.20.4.1-10.20.5.254"]],
];

for (const [name, prefix, perNodeNetworkPrefix, cidr, expected] of cidrRows) {
  test(`R8 ${name}`, () =>
    assert.equal(usable(ready(cidrPool("c", { cidr, perNodeNetworkPrefix }, prefix))), expected));
}

test("R8 a block that is not aligned to the division is taken as it is, its indexes counting from its own start", () => {
  const spec = { ...slash16, perNodeExclusions: [{ startIndex: 0, endIndex: 2 }] };
  assert.equal(usable(ready(ipPool("p", spec, "192.168.0.7-192.168.0.12"))), ["192.168.0.10-192.168.0.12"]);
});

test("R8 a block at either end of the subnet leaves out the network and the broadcast address", () => {
  const spec: IPPoolSpec = { subnet: "10.0.0.0/29", perNodeBlockSize: 6 };
  assert.equal(usable(ready(ipPool("p", spec, "10.0.0.0-10.0.0.7"))), ["10.0.0.1-10.0.0.6"]);
});

test("R8 exclusions and perNodeExclusions that overlap are legal: their union is left out", () => {
  const spec: IPPoolSpec = {
    subnet: "192.168.0.0/16",
    perNodeBlockSize: 100,
    gateway: "192.168.0.1",
    exclusions: [
      { startIP: "192.168.0.10", endIP: "192.168.0.20" },
      { startIP: "192.168.0.15", endIP: "192.168.0.30" },
    ],
    perNodeExclusions: [{ startIndex: 0, endIndex: 10 }],
  };
  assert.equal(usable(ready(ipPool("p", spec, "192.168.0.1-192.168.0.100"))), ["192.168.0.31-192.168.0.100"]);
});

test("R9 a /8 block with an exclusion of millions of addresses is a handful of intervals", () => {
  const spec: IPPoolSpec = {
    subnet: "10.0.0.0/8",
    perNodeBlockSize: 16_777_214,
    exclusions: [{ startIP: "10.0.0.10", endIP: "10.127.255.255" }],
  };
  const pool = ready(ipPool("p", spec, "10.0.0.1-10.255.255.254"));
  assert.equal(usable(pool), ["10.0.0.1-10.0.0.9", "10.128.0.0-10.255.255.254"]);
  assert.is(pool.usableCount, 2n ** 23n - 1n + 9n);
});

const routes = (spec: Partial<IPPoolSpec>): readonly string[] =>
  ready(ipPool("p", { ...slash16, ...spec }, "192.168.0.1-192.168.0.24")).routes;

test("routes are canonical, each there once, in the order of their addresses and then of their lengths", () => {
  const written = ["50.5.0.0/24", "5.5.0.0/24", "5.5.0.0/16", "5.5.0.7/24", "4.4.4.4/32"];
  assert.equal(routes({ routes: written.map((dst) => ({ dst })) }), [
    "4.4.4.4/32",
    "5.5.0.0/16",
    "5.5.0.0/24",
    "50.5.0.0/24",
  ]);
});

test("the default route comes first, also where the field has the old README's spelling", () => {
  const other = [{ dst: "1.0.0.0/8" }];
  assert.equal(routes({ defaultGateway: true, routes: other }), ["0.0.0.0/0", "1.0.0.0/8"]);
  assert.equal(routes({ defautGateway: true, routes: other }), ["0.0.0.0/0", "1.0.0.0/8"]);
  assert.equal(routes({ defaultGateway: false, defautGateway: true, routes: other }), ["1.0.0.0/8"]);
});

test("an IPv6 pool's default route is IPv6's", () => {
  const spec = { subnet: "fd00::/48", perNodeBlockSize: 500, gateway: "fd00::1", defaultGateway: true };
  const pool = ready(ipPool("p", { ...spec, routes: [{ dst: "fd00:9::/64" }] }, "fd00::1-fd00::1f4"));
  assert.equal(pool.routes, ["::/0", "fd00:9::/64"]);
});

test("routes are only given where the node has a gateway", () => {
  const spec: CIDRPoolSpec = { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1, defaultGateway: true };
  assert.equal(ready(cidrPool("c", spec, "10.20.3.0/24", "10.20.3.1")).routes, ["0.0.0.0/0"]);
  assert.equal(ready(cidrPool("c", spec, "10.20.3.0/24")).routes, []);
});

const configs: readonly [name: string, pool: NodePool, expected: string][] = [
  [
    "an IPPool",
    ready(ipPool("pool1", { ...slash16, routes: [{ dst: "5.5.0.0/24" }] }, "192.168.0.1-192.168.0.24")),
    '{"subnet":"192.168.0.0/16","startIP":"192.168.0.1","endIP":"192.168.0.24","gateway":"192.168.0.1","exclusions":[],"routes":[{"dst":"5.5.0.0/24"}],"defaultGateway":false}',
  ],
  [
    "an IPv6 pool with a default route",
    ready(
      ipPool(
        "pool6",
        { subnet: "fd52:2eb5:44::/48", perNodeBlockSize: 500, gateway: "fd52:2eb5:44::1", defaultGateway: true },
        "fd52:2eb5:44::1-fd52:2eb5:44::1f4",
      ),
    ),
    '{"subnet":"fd52:2eb5:44::/48","startIP":"fd52:2eb5:44::1","endIP":"fd52:2eb5:44::1f4","gateway":"fd52:2eb5:44::1","exclusions":[],"routes":[],"defaultGateway":true}',
  ],
  [
    "a pool without gateway",
    ready(ipPool("tiny", { subnet: "10.9.0.0/24", perNodeBlockSize: 1 }, "10.9.0.5-10.9.0.5")),
    '{"subnet":"10.9.0.0/24","startIP":"10.9.0.5","endIP":"10.9.0.5","gateway":"","exclusions":[],"routes":[],"defaultGateway":false}',
  ],
  [
    "a CIDRPool",
    ready(
      cidrPool(
        "cidr1",
        { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 },
        "10.20.3.0/24",
        "10.20.3.1",
      ),
    ),
    '{"subnet":"10.20.3.0/24","startIP":"10.20.3.1","endIP":"10.20.3.254","gateway":"10.20.3.1","exclusions":[],"routes":[],"defaultGateway":false}',
  ],
];

for (const [name, pool, expected] of configs) {
  test(`the stored configuration of ${name} is the text that the original writes`, () =>
    assert.is(pool.config, expected));
}

test("the stored configuration lists what is excluded by address and by index", () => {
  const spec: IPPoolSpec = {
    subnet: "10.10.0.0/24",
    perNodeBlockSize: 4,
    exclusions: [{ startIP: "10.10.0.1", endIP: "10.10.0.3" }],
    perNodeExclusions: [{ startIndex: 2, endIndex: 3 }],
  };
  assert.equal(JSON.parse(ready(ipPool("p", spec, "10.10.0.9-10.10.0.12")).config).exclusions, [
    { startIP: "10.10.0.1", endIP: "10.10.0.3" },
    { startIP: "10.10.0.11", endIP: "10.10.0.12" },
  ]);
});

const unserved: readonly [name: string, object: IPPool, state: PoolOnNode["state"], named: string][] = [
  [
    "without an entry for the node",
    ipPool("p", slash16, undefined, { "node-2": "192.168.0.1-192.168.0.24" }),
    "no-block",
    NODE,
  ],
  [
    "with an invalid spec",
    ipPool("p", { ...slash16, gateway: "10.0.0.1" }, "192.168.0.1-192.168.0.24"),
    "invalid",
    "spec.gateway",
  ],
  ["whose block lies outside its subnet", ipPool("p", slash16, "10.0.0.1-10.0.0.24"), "invalid", "10.0.0.1-10.0.0.24"],
  ["whose block is of another family", ipPool("p", slash16, "fd00::1-fd00::24"), "invalid", "fd00::1"],
  ["whose block ends before it begins", ipPool("p", slash16, "192.168.0.24-192.168.0.1"), "invalid", "192.168.0.24"],
  ["whose block is no range", ipPool("p", slash16, "192.168.0.1"), "invalid", "192.168.0.1"],
];

for (const [name, object, state, named] of unserved) {
  test(`a pool ${name} is ${state} and says why`, () => {
    const made = poolOnNode(object, NODE);
    assert.is(made.state, state);
    assert.ok(made.state !== "ready" && made.reason.includes(named), made.state === "ready" ? "" : made.reason);
  });
}

test("a CIDRPool whose entry has an unreadable gateway is invalid", () => {
  const made = poolOnNode(
    cidrPool("c", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24 }, "10.20.3.0/24", "fd00::1"),
    NODE,
  );
  assert.is(made.state, "invalid");
});

test("R5 the spec in force is status.appliedSpec, also when the spec itself is invalid", () => {
  const object = ipPool("p", { ...slash16, gateway: "10.99.0.1" }, "192.168.0.1-192.168.0.24");
  const made = poolOnNode({ ...object, status: { ...object.status, appliedSpec: slash16 } }, NODE);
  assert.ok(made.state === "ready");
  assert.equal(made.state === "ready" && made.pool.gateway, address("192.168.0.1"));
  assert.is(made.cidr, "192.168.0.0/16");
});

test("R5 a spec that cannot even be read serves nothing unless there is an appliedSpec", () => {
  const { kind, metadata, status } = ipPool("p", slash16, "192.168.0.1-192.168.0.24");
  const unreadable = [{ path: "spec.subnet", value: 7, message: "must be a string" }];
  const without = poolOnNode({ kind, metadata, unreadable, ...(status && { status }) }, NODE);
  assert.is(without.state, "invalid");
  assert.is(
    poolOnNode({ kind, metadata, unreadable, status: { ...status, appliedSpec: slash16 } }, NODE).state,
    "ready",
  );
});

test("R10 of other nodes only their blocks are kept, entries that cannot be read left out", () => {
  const pool = ready(
    ipPool("p", slash16, "192.168.0.1-192.168.0.24", {
      "node-2": "192.168.0.25-192.168.0.48",
      "node-3": "not-an-address",
      "node-4": "fd00::1-fd00::2",
    }),
  );
  assert.is(pool.others.size, 1);
  assert.is(pool.others.firstOfBlockWith(address("192.168.0.48").value), address("192.168.0.25").value);
  assert.is(pool.others.firstOfBlockWith(address("192.168.0.24").value), undefined);
});

test("a change of other nodes' blocks makes only their table anew", () => {
  const before = poolOnNode(ipPool("p", slash16, "192.168.0.1-192.168.0.24"), NODE);
  const after = poolOnNode(
    ipPool("p", slash16, "192.168.0.1-192.168.0.24", { "node-2": "192.168.0.25-192.168.0.48" }),
    NODE,
    before,
  );
  assert.ok(before.state === "ready" && after.state === "ready");
  if (before.state !== "ready" || after.state !== "ready") return;
  assert.is(after.share, before.share);
  assert.is(after.pool.usable, before.pool.usable);
  assert.is(after.pool.config, before.pool.config);
  assert.equal([before.pool.others.size, after.pool.others.size], [0, 1]);
});

test("a change of another node's prefix leaves a CIDRPool exactly as it was", () => {
  const object = cidrPool("c", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24 }, "10.20.3.0/24");
  const before = poolOnNode(object, NODE);
  const more = [...(object.status?.allocations ?? []), { nodeName: "node-2", prefix: "10.20.4.0/24" }];
  assert.is(poolOnNode({ ...object, status: { allocations: more } }, NODE, before), before);
});

const changes: readonly [name: string, object: IPPool][] = [
  ["the block", ipPool("p", slash16, "192.168.0.25-192.168.0.48")],
  ["the gateway", ipPool("p", { ...slash16, gateway: "192.168.0.9" }, "192.168.0.1-192.168.0.24")],
  [
    "an exclusion",
    ipPool(
      "p",
      { ...slash16, exclusions: [{ startIP: "192.168.0.9", endIP: "192.168.0.9" }] },
      "192.168.0.1-192.168.0.24",
    ),
  ],
  ["the pool object", ipPool("p", slash16, "192.168.0.1-192.168.0.24", {}, "another-uid")],
];

for (const [name, object] of changes) {
  test(`a change of ${name} makes the pool ready anew`, () => {
    const before = poolOnNode(ipPool("p", slash16, "192.168.0.1-192.168.0.24"), NODE);
    const after = poolOnNode(object, NODE, before);
    assert.is.not(after.share, before.share);
    assert.equal(after, poolOnNode(object, NODE));
  });
}

test("a change of the nodeSelector alone is no change for a node that keeps its block", () => {
  const before = poolOnNode(ipPool("p", slash16, "192.168.0.1-192.168.0.24"), NODE);
  const selector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Exists" }] }] };
  assert.is(
    poolOnNode(ipPool("p", { ...slash16, nodeSelector: selector }, "192.168.0.1-192.168.0.24"), NODE, before).share,
    before.share,
  );
});

test.run();
