import { test } from "uvu";
import * as assert from "uvu/assert";
import type { IPPoolSpec } from "../../src/lib/api/types.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import {
  add,
  cidrPool,
  contents,
  del,
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

test("R1 an address that has just been released is passed over although its turn has come", () => {
  const ledger = new Ledger();
  const next = (container: string): string | undefined => outcome(add(ledger, container, [pool2]))[0];
  add(ledger, "asked", [pool2], { requested: ["10.10.0.10"] });
  assert.is(next("c1"), "10.10.0.9");
  del(ledger, "asked", pool2);
  assert.is(next("c2"), "10.10.0.11");
});

test("R1 where all free addresses have just been released, the one that was released first is given", () => {
  const ledger = new Ledger();
  const next = (container: string): string | undefined => outcome(add(ledger, container, [pool2]))[0];
  for (const container of ["c1", "c2", "c3", "c4"]) next(container);
  for (const container of ["c3", "c1", "c2"]) del(ledger, container, pool2);
  assert.equal(["c5", "c6", "c7"].map(next), ["10.10.0.11", "10.10.0.9", "10.10.0.10"]);
});

test("no more than the 64 addresses that were released last are passed over", () => {
  const ledger = new Ledger();
  const wide = ready(ipPool("wide", { subnet: "10.0.0.0/16", perNodeBlockSize: 200 }, "10.0.0.1-10.0.0.200"));
  const all = Array.from({ length: 100 }, (_, index) => `10.0.0.${index + 1}`);
  for (const [index, text] of all.entries()) add(ledger, `c${index}`, [wide], { requested: [text] });
  for (const index of all.keys()) del(ledger, `c${index}`, wide);
  const given = Array.from({ length: 37 }, (_, index) => outcome(add(ledger, `d${index}`, [wide]))[0]);
  assert.equal(given, [...all.slice(0, 36), "10.0.0.101"]);
});

test("an address that was asked for by name does not rest", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool2]);
  del(ledger, "c1", pool2);
  assert.equal(outcome(add(ledger, "c2", [pool2], { requested: ["10.10.0.9"] })), ["10.10.0.9"]);
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
