/** Addresses that requests ask for: by name, by index, the gateway's. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { type AllocateRequest, Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import type { RefusalStatus } from "../../src/lib/reservations/refusal.ts";
import { add, cidr1, cidrPool, del, granted, ipPool, outcome, pool1, pool2, pool6, ready, refused } from "./_pools.ts";

const excluding = ready(
  ipPool(
    "pool1",
    {
      subnet: "192.168.0.0/16",
      perNodeBlockSize: 24,
      gateway: "192.168.0.1",
      exclusions: [
        { startIP: "192.168.0.10", endIP: "192.168.0.20" },
        { startIP: "192.168.0.30", endIP: "192.168.0.31" },
      ],
      perNodeExclusions: [{ startIndex: 21, endIndex: 22 }],
    },
    "192.168.0.1-192.168.0.24",
    { "node-2": "192.168.0.25-192.168.0.48" },
  ),
);

const overlapping = ready(
  ipPool("narrow", { subnet: "192.168.7.0/24", perNodeBlockSize: 8 }, "192.168.7.1-192.168.7.8"),
);
const gatewayElsewhere = ready(
  ipPool(
    "pool1",
    { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.30" },
    "192.168.0.1-192.168.0.24",
    {
      "node-2": "192.168.0.25-192.168.0.48",
    },
  ),
);

interface StaticRow {
  readonly name: string;
  readonly pools: readonly NodePool[];
  readonly ask: readonly string[];
  readonly expected: readonly string[] | RefusalStatus;
}

const statics: readonly StaticRow[] = [
  { name: "an address of the block", pools: [pool1], ask: ["192.168.0.20"], expected: ["192.168.0.20"] },
  {
    name: "an address of the subnet outside all blocks",
    pools: [pool1],
    ask: ["192.168.77.7"],
    expected: ["192.168.77.7"],
  },
  { name: "the gateway", pools: [pool1], ask: ["192.168.0.1"], expected: ["192.168.0.1"] },
  {
    name: "the gateway in another node's block",
    pools: [gatewayElsewhere],
    ask: ["192.168.0.30"],
    expected: ["192.168.0.30"],
  },
  { name: "an excluded address", pools: [excluding], ask: ["192.168.0.15"], expected: ["192.168.0.15"] },
  { name: "an address excluded by index", pools: [excluding], ask: ["192.168.0.22"], expected: ["192.168.0.22"] },
  {
    name: "another node's address that is excluded",
    pools: [excluding],
    ask: ["192.168.0.30"],
    expected: ["192.168.0.30"],
  },
  {
    name: "another node's address that is excluded by index there",
    pools: [excluding],
    ask: ["192.168.0.46"],
    expected: ["192.168.0.46"],
  },
  { name: "another node's address", pools: [pool1], ask: ["192.168.0.25"], expected: "InvalidArgument" },
  {
    name: "another node's address whose index is excluded here only",
    pools: [excluding],
    ask: ["192.168.0.45"],
    expected: "InvalidArgument",
  },
  { name: "the network address", pools: [pool1], ask: ["192.168.0.0"], expected: "InvalidArgument" },
  { name: "the broadcast address", pools: [pool1], ask: ["192.168.255.255"], expected: "InvalidArgument" },
  { name: "the first address of an IPv6 subnet", pools: [pool6], ask: ["fd52:2eb5:44::"], expected: "InvalidArgument" },
  {
    name: "the last address of an IPv6 subnet",
    pools: [pool6],
    ask: ["fd52:2eb5:44:ffff:ffff:ffff:ffff:ffff"],
    expected: ["fd52:2eb5:44:ffff:ffff:ffff:ffff:ffff"],
  },
  { name: "an address outside the subnet", pools: [pool1], ask: ["10.0.0.5"], expected: "InvalidArgument" },
  { name: "an IPv4 address of an IPv6 pool", pools: [pool6], ask: ["192.168.0.20"], expected: "InvalidArgument" },
  { name: "an address of the node's own prefix", pools: [cidr1], ask: ["10.20.3.5"], expected: ["10.20.3.5"] },
  { name: "an address of another node's prefix", pools: [cidr1], ask: ["10.20.4.5"], expected: "InvalidArgument" },
  {
    name: "the broadcast address of the node's prefix",
    pools: [cidr1],
    ask: ["10.20.3.255"],
    expected: "InvalidArgument",
  },
  {
    name: "one address of each of two pools, in any order",
    pools: [pool1, pool6],
    ask: ["fd52:2eb5:44::9", "192.168.0.20"],
    expected: ["192.168.0.20", "fd52:2eb5:44::9"],
  },
  {
    name: "an address of the second of two pools only",
    pools: [pool1, pool6],
    ask: ["fd52:2eb5:44::9"],
    expected: ["192.168.0.2", "fd52:2eb5:44::9"],
  },
  {
    name: "two addresses of one pool",
    pools: [pool1, pool6],
    ask: ["192.168.0.20", "192.168.0.21"],
    expected: "InvalidArgument",
  },
  {
    name: "an address of one pool and one of none",
    pools: [pool1, pool6],
    ask: ["192.168.0.20", "10.0.0.1"],
    expected: "InvalidArgument",
  },
  { name: "the same address twice", pools: [pool1], ask: ["192.168.0.20", "192.168.0.20"], expected: ["192.168.0.20"] },
  {
    name: "two addresses of overlapping pools, where only one order fits",
    pools: [pool1, overlapping],
    ask: ["192.168.7.5", "192.168.0.20"],
    expected: ["192.168.0.20", "192.168.7.5"],
  },
];

for (const { name, pools, ask, expected } of statics) {
  test(`R10 asking by name for ${name} gives ${typeof expected === "string" ? expected : expected.join(" and ")}`, () => {
    const ledger = new Ledger();
    const result = add(ledger, "c1", pools, { requested: ask });
    assert.equal(outcome(result), expected);
    if (!result.ok) assert.is(ledger.size, 0);
    else assert.ok(result.value.every(({ withGateway }) => withGateway));
  });
}

test("R10 with the flag of the original's freedom another node's address may be asked for", () => {
  const result = add(new Ledger(), "c1", [pool1], { requested: ["192.168.0.25"], allowStaticInOtherBlocks: true });
  assert.equal(outcome(result), ["192.168.0.25"]);
});

test("R10 the refusal names the address, the pool and the way out", () => {
  const result = add(new Ledger(), "c1", [pool1], { requested: ["192.168.0.30"] });
  refused(
    result,
    "InvalidArgument",
    'IPPool "pool1"',
    "192.168.0.30",
    "192.168.0.25",
    "--allow-static-ip-in-other-blocks",
  );
});

test("an address asked for by name that is taken is refused until it comes back", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1], { requested: ["192.168.0.20"] });
  refused(add(ledger, "c2", [pool1], { requested: ["192.168.0.20"] }), "ResourceExhausted", "192.168.0.20", '"pool1"');
  del(ledger, "c1", pool1);
  assert.equal(outcome(add(ledger, "c2", [pool1], { requested: ["192.168.0.20"] })), ["192.168.0.20"]);
});

test("an address asked for by name does not move the turn, and is skipped when its turn comes", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  add(ledger, "c2", [pool1], { requested: ["192.168.0.4"] });
  add(ledger, "c3", [pool1], { choice: { type: "gateway" } });
  add(ledger, "c4", [pool1], { choice: { type: "index", index: 5 } });
  assert.equal(
    ["c5", "c6", "c7"].flatMap((container) => outcome(add(ledger, container, [pool1]))),
    ["192.168.0.3", "192.168.0.5", "192.168.0.7"],
  );
});

const index = (value: number): Pick<AllocateRequest, "choice"> => ({ choice: { type: "index", index: value } });
const pointToPoint = ready(cidrPool("p2p", { cidr: "10.0.0.0/24", perNodeNetworkPrefix: 31 }, "10.0.0.4/31"));
const single = ready(cidrPool("one", { cidr: "fd00::/120", perNodeNetworkPrefix: 128 }, "fd00::7/128"));
const toTheEdge = ready(ipPool("edge", { subnet: "10.0.0.0/29", perNodeBlockSize: 6 }, "10.0.0.0-10.0.0.7"));

const indexes: readonly [pool: NodePool, index: number, expected: string | undefined][] = [
  [pool1, 5, "192.168.0.6"],
  [pool1, 23, "192.168.0.24"],
  [pool1, 24, undefined],
  [pool1, -1, undefined],
  [pool1, 0, undefined],
  [pool2, 0, "10.10.0.9"],
  [pool2, -1, undefined],
  [pool1, 2 ** 31 - 1, undefined],
  [excluding, 9, "192.168.0.10"],
  [excluding, 21, "192.168.0.22"],
  [cidr1, 0, undefined],
  [cidr1, 1, "10.20.3.2"],
  [cidr1, 253, "10.20.3.254"],
  [cidr1, 254, undefined],
  [pointToPoint, 0, "10.0.0.4"],
  [pointToPoint, 1, "10.0.0.5"],
  [pointToPoint, 2, undefined],
  [single, 0, "fd00::7"],
  [single, 1, undefined],
  [toTheEdge, 0, undefined],
  [toTheEdge, 6, "10.0.0.6"],
  [toTheEdge, 7, undefined],
];

for (const [pool, value, expected] of indexes) {
  test(`index ${value} of ${pool.id.name} is ${expected ?? "refused"}`, () => {
    const ledger = new Ledger();
    const result = add(ledger, "c1", [pool], index(value));
    if (expected !== undefined) assert.equal(outcome(result), [expected]);
    else refused(result, "InvalidArgument", `"${pool.id.name}"`);
    assert.is(ledger.size, expected === undefined ? 0 : 1);
  });
}

test("the index of the gateway is refused with the way to get it", () => {
  refused(add(new Ledger(), "c1", [pool1], index(0)), "InvalidArgument", "192.168.0.1", "allocateDefaultGateway");
});

test("an index whose address is taken is refused", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1], index(5));
  refused(add(ledger, "c2", [pool1], index(5)), "ResourceExhausted", "192.168.0.6");
});

test("the gateway's own address is given once, without gateway and routes in the answer", () => {
  const ledger = new Ledger();
  const [allocation] = granted(add(ledger, "c1", [pool1], { choice: { type: "gateway" } }));
  assert.ok(allocation);
  assert.is(allocation && formatAddress(allocation.address), "192.168.0.1");
  assert.is(allocation?.withGateway, false);
  refused(add(ledger, "c2", [pool1], { choice: { type: "gateway" } }), "ResourceExhausted", "192.168.0.1");
});

test("a pool without gateway has no gateway to give", () => {
  refused(add(new Ledger(), "c1", [pool2], { choice: { type: "gateway" } }), "InvalidArgument", '"pool2"', "gateway");
});

for (const choice of [{ type: "gateway" }, { type: "index", index: 3 }] as const) {
  test(`an address by name and one by ${choice.type} exclude each other`, () => {
    refused(add(new Ledger(), "c1", [pool1], { choice, requested: ["192.168.0.9"] }), "InvalidArgument", "static");
  });
}

test.run();
