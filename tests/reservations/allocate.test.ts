import { test } from "uvu";
import * as assert from "uvu/assert";
import type { IPPoolSpec } from "../../src/lib/api/types.ts";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { type AllocateRequest, Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import type { RefusalStatus } from "../../src/lib/reservations/refusal.ts";
import {
  add,
  attachment,
  cidr1,
  cidrPool,
  contents,
  granted,
  ipPool,
  outcome,
  pod,
  pool1,
  pool2,
  pool6,
  ready,
  refused,
  tiny,
} from "./_pools.ts";

const del = (ledger: Ledger, container: string, pool: NodePool): number =>
  ledger.deallocate({ pools: [pool.id], attachment: attachment(container), network: "net-a" });

test("addresses are given in order, the gateway left out", () => {
  const ledger = new Ledger();
  const given = ["c1", "c2", "c3"].map((container) => outcome(add(ledger, container, [pool1])));
  assert.equal(given, [["192.168.0.2"], ["192.168.0.3"], ["192.168.0.4"]]);
});

test("a reservation holds what the request said and when it was made", () => {
  const ledger = new Ledger();
  const [allocation] = granted(add(ledger, "c1", [pool1], { deviceID: "0000:3b:00.2" }));
  assert.equal(allocation?.reservation, {
    containerID: "c1",
    ifname: "net1",
    pool: pool1.id,
    addresses: [{ family: 4, value: 0xc0a80002n }],
    owner: pod("c1"),
    network: "net-a",
    deviceID: "0000:3b:00.2",
    how: "dynamic",
    createdAt: "2026-01-02T03:04:05.006Z",
  });
  assert.equal([allocation?.withGateway, allocation?.isNew], [true, true]);
});

test("R1 no address is given twice until it was given back", () => {
  const ledger = new Ledger();
  const given = ["c1", "c2", "c3", "c4"].flatMap((container) => outcome(add(ledger, container, [pool2])));
  assert.is(new Set(given).size, 4);
  refused(add(ledger, "c5", [pool2]), "ResourceExhausted", 'IPPool "pool2"', "10.10.0.9-10.10.0.12", "all 4 usable");
  del(ledger, "c2", pool2);
  assert.equal(outcome(add(ledger, "c5", [pool2])), ["10.10.0.10"]);
});

test("R1 a freed address is given again only when the block has been gone round", () => {
  const ledger = new Ledger();
  const given = ["c1", "c2", "c3", "c4", "c5"].map((container) => {
    const [text] = outcome(add(ledger, container, [pool2]));
    del(ledger, container, pool2);
    return text;
  });
  assert.equal(given, ["10.10.0.9", "10.10.0.10", "10.10.0.11", "10.10.0.12", "10.10.0.9"]);
});

test("R1 what was held under a former uid of the pool is not given under the new one", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool2]);
  const again = ready(
    ipPool("pool2", { subnet: "10.10.0.0/24", perNodeBlockSize: 4 }, "10.10.0.9-10.10.0.12", {}, "new-uid"),
  );
  const given = ["c2", "c3", "c4"].flatMap((container) => outcome(add(ledger, container, [again])));
  assert.equal(given, ["10.10.0.10", "10.10.0.11", "10.10.0.12"]);
  refused(add(ledger, "c5", [again]), "ResourceExhausted");
});

test("a block that moved is begun at its start, and the marks in the old one stay", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  const spec = { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.1" };
  const moved = ready(ipPool("pool1", spec, "192.168.0.25-192.168.0.48"));
  assert.equal(outcome(add(ledger, "c2", [moved])), ["192.168.0.25"]);
  assert.equal(outcome(add(ledger, "c3", [pool1])), ["192.168.0.3"]);
});

test("a pool that changed its family is begun at its start", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  const changed = ready(ipPool("pool1", { subnet: "::c0a8:0/112", perNodeBlockSize: 24 }, "::c0a8:1-::c0a8:18"));
  assert.equal(outcome(add(ledger, "c2", [changed])), ["::c0a8:1"]);
});

test("R8 a block without a usable address gives none and says so", () => {
  const spec: IPPoolSpec = {
    subnet: "10.10.0.0/24",
    perNodeBlockSize: 4,
    exclusions: [{ startIP: "10.10.0.9", endIP: "10.10.0.12" }],
  };
  const excluded = ready(ipPool("p", spec, "10.10.0.9-10.10.0.12"));
  refused(add(new Ledger(), "c1", [excluded]), "ResourceExhausted", "no usable address", "10.10.0.9-10.10.0.12");
});

test("R9 blocks of 2^24, 2^64 and 2^80 addresses are searched without walking them", () => {
  const eight: IPPoolSpec = {
    subnet: "10.0.0.0/8",
    perNodeBlockSize: 16_777_214,
    exclusions: [{ startIP: "10.0.0.1", endIP: "10.99.255.255" }],
  };
  const pools = [
    ready(ipPool("eight", eight, "10.0.0.1-10.255.255.254")),
    ready(cidrPool("sixty-four", { cidr: "fd00::/48", perNodeNetworkPrefix: 64 }, "fd00:0:0:ffff::/64")),
    ready(cidrPool("forty-eight", { cidr: "fd00::/40", perNodeNetworkPrefix: 48 }, "fd00:0:ff::/48")),
  ];
  const ledger = new Ledger();
  const given = pools.flatMap((pool) => outcome(add(ledger, pool.id.name, [pool])));
  assert.equal(given, ["10.100.0.0", "fd00:0:0:ffff::1", "fd00:0:ff::1"]);
});

const ends: readonly [name: string, pool: NodePool, all: string[]][] = [
  [
    "255.255.255.255",
    ready(cidrPool("end4", { cidr: "255.255.255.0/24", perNodeNetworkPrefix: 31 }, "255.255.255.254/31")),
    ["255.255.255.254", "255.255.255.255"],
  ],
  [
    "ffff:…:ffff",
    ready(
      cidrPool("end6", { cidr: "ffff::/16", perNodeNetworkPrefix: 126 }, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126"),
    ),
    ["d", "e", "f"].map((digit) => `ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff${digit}`),
  ],
  [
    "2^32",
    ready(ipPool("mid", { subnet: "::/64", perNodeBlockSize: 3 }, "::ffff:fffe-::1:0:0")),
    ["::ffff:fffe", "::ffff:ffff", "::1:0:0"],
  ],
  [
    "2^53",
    ready(ipPool("mid", { subnet: "::/64", perNodeBlockSize: 3 }, "::1f:ffff:ffff:ffff-::20:0:0:1")),
    ["::1f:ffff:ffff:ffff", "::20:0:0:0", "::20:0:0:1"],
  ],
];

for (const [name, pool, all] of ends) {
  test(`R9 every address round ${name} is given once, and again after it came back`, () => {
    const ledger = new Ledger();
    assert.equal(
      all.flatMap((_, i) => outcome(add(ledger, `c${i}`, [pool]))),
      all,
    );
    refused(add(ledger, "late", [pool]), "ResourceExhausted");
    for (const [i, text] of all.entries()) {
      del(ledger, `c${i}`, pool);
      assert.equal(outcome(add(ledger, `d${i}`, [pool])), [text]);
    }
  });
}

test("two pools give one address each, in the order of the request", () => {
  const ledger = new Ledger();
  assert.equal(outcome(add(ledger, "c1", [pool6, pool1])), ["fd52:2eb5:44::2", "192.168.0.2"]);
  assert.equal(outcome(add(ledger, "c2", [pool1, pool6])), ["192.168.0.3", "fd52:2eb5:44::3"]);
});

test("when the second pool has no address the first gives none either, and nothing has changed", () => {
  const ledger = new Ledger();
  add(ledger, "c0", [tiny]);
  ledger.takeChanges();
  refused(add(ledger, "c1", [pool1, tiny]), "ResourceExhausted", '"tiny"');
  assert.equal(ledger.takeChanges(), []);
  assert.equal(outcome(add(ledger, "c2", [pool1])), ["192.168.0.2"]);
});

test("a pool that is named twice in a request is an error", () => {
  refused(add(new Ledger(), "c1", [pool1, pool1]), "InvalidArgument", 'IPPool "pool1"', "twice");
});

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

test("one container may have addresses for several interfaces", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.equal(outcome(add(ledger, "c1", [pool1], { ifname: "net2" })), ["192.168.0.3"]);
  del(ledger, "c1", pool1);
  assert.equal(contents(ledger), ["IPPool/pool1 c1/net2 192.168.0.3 dynamic"]);
});

test("usage counts what is held anywhere and what is free in the block", () => {
  const ledger = new Ledger();
  assert.equal(ledger.usage(pool1), { held: 0, free: 23n, cursor: undefined });
  add(ledger, "c1", [pool1]);
  add(ledger, "c2", [pool1], { requested: ["192.168.77.7"] });
  add(ledger, "c3", [pool1], { choice: { type: "gateway" } });
  assert.equal(ledger.usage(pool1), { held: 3, free: 22n, cursor: { family: 4, value: 0xc0a80002n } });
});

test.run();
