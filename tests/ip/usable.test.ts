import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatAddress, parseAddress, parseCidr } from "../../src/lib/ip/address.ts";
import { IntervalSet } from "../../src/lib/ip/intervals.ts";
import { type BlockGeometry, unassignable, usableAddresses, usableCount } from "../../src/lib/ip/usable.ts";

const address = (text: string) => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
};

const cidr = (text: string) => {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no CIDR`);
  return parsed;
};

interface Row {
  readonly network: string;
  readonly block?: readonly [string, string];
  readonly gateway?: string;
  readonly exclusions?: readonly (readonly [string, string])[];
  readonly indexes?: readonly (readonly [bigint, bigint])[];
  readonly usable: readonly (readonly [string, string])[];
  readonly count: bigint;
  readonly name: string;
}

const rows: readonly Row[] = [
  {
    name: "the network and broadcast addresses of an IPv4 network are not usable",
    network: "10.20.3.0/24",
    usable: [["10.20.3.1", "10.20.3.254"]],
    count: 254n,
  },
  {
    name: "a block inside a larger network has neither",
    network: "192.168.0.0/16",
    block: ["192.168.0.1", "192.168.0.24"],
    usable: [["192.168.0.1", "192.168.0.24"]],
    count: 24n,
  },
  {
    name: "a gateway in the block is not usable, one outside costs nothing",
    network: "10.10.0.0/24",
    block: ["10.10.0.9", "10.10.0.12"],
    gateway: "10.10.0.10",
    usable: [
      ["10.10.0.9", "10.10.0.9"],
      ["10.10.0.11", "10.10.0.12"],
    ],
    count: 3n,
  },
  { name: "both addresses of a /31 are usable", network: "10.0.0.4/31", usable: [["10.0.0.4", "10.0.0.5"]], count: 2n },
  { name: "the address of a /32 is usable", network: "10.0.0.4/32", usable: [["10.0.0.4", "10.0.0.4"]], count: 1n },
  {
    name: "a /32 that is its own gateway has nothing usable",
    network: "10.0.0.4/32",
    gateway: "10.0.0.4",
    usable: [],
    count: 0n,
  },
  { name: "both addresses of a /127 are usable", network: "fd00::4/127", usable: [["fd00::4", "fd00::5"]], count: 2n },
  { name: "the address of a /128 is usable", network: "fd00::4/128", usable: [["fd00::4", "fd00::4"]], count: 1n },
  {
    name: "an IPv6 network has no broadcast address, so its last address is usable",
    network: "fd00::/120",
    usable: [["fd00::1", "fd00::ff"]],
    count: 255n,
  },
  {
    name: "exclusions may overlap and reach beyond the block on either side",
    network: "10.20.3.8/29",
    exclusions: [
      ["10.20.3.0", "10.20.3.10"],
      ["10.20.3.13", "10.20.3.20"],
      ["10.20.3.14", "10.20.3.14"],
    ],
    usable: [["10.20.3.11", "10.20.3.12"]],
    count: 2n,
  },
  {
    name: "indexes count from the block's first address and may reach beyond its end",
    network: "10.10.0.0/24",
    block: ["10.10.0.9", "10.10.0.12"],
    indexes: [
      [0n, 0n],
      [2n, 2n ** 31n - 1n],
    ],
    usable: [["10.10.0.10", "10.10.0.10"]],
    count: 1n,
  },
  {
    name: "the end of the IPv4 space is exact",
    network: "255.255.255.0/24",
    gateway: "255.255.255.254",
    usable: [["255.255.255.1", "255.255.255.253"]],
    count: 253n,
  },
  {
    name: "the end of the IPv6 space is exact",
    network: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00/120",
    usable: [["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff01", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]],
    count: 255n,
  },
  {
    name: "a /8 with an exclusion of ten million addresses is counted, not walked",
    network: "10.0.0.0/8",
    exclusions: [["10.0.0.0", "10.152.150.127"]],
    usable: [["10.152.150.128", "10.255.255.254"]],
    count: 2n ** 24n - 10_000_000n - 1n,
  },
  {
    name: "a /48 of 2^80 addresses is counted exactly",
    network: "fd00::/48",
    usable: [["fd00::1", "fd00::ffff:ffff:ffff:ffff:ffff"]],
    count: 2n ** 80n - 1n,
  },
];

for (const row of rows) {
  test(`R8 R9 ${row.name}`, () => {
    const geometry = geometryOf(row);
    const shown = usableAddresses(geometry).intervals.map(({ first, last }) => [
      formatAddress({ family: geometry.network.family, value: first }),
      formatAddress({ family: geometry.network.family, value: last }),
    ]);
    assert.equal(shown, row.usable);
    assert.is(usableCount(geometry), row.count);
  });
}

test("a gateway of the other family takes no address out of the block", () => {
  const geometry = geometryOf({ ...rowOf("fd00::/120"), gateway: "0.0.0.5" });
  assert.is(usableCount({ ...geometry, network: cidr("::/120"), block: cidr("::/120") }), 255n);
});

test("networks of one or two addresses have no address that no host may have", () => {
  for (const text of ["10.0.0.0/31", "10.0.0.0/32", "fd00::/127", "fd00::/128"])
    assert.equal(unassignable(cidr(text)), [], text);
  assert.is(unassignable(cidr("10.0.0.0/30")).length, 2);
  assert.is(unassignable(cidr("fd00::/126")).length, 1);
});

function rowOf(network: string): Row {
  return { name: network, network, usable: [], count: 0n };
}

function geometryOf(row: Row): BlockGeometry {
  const network = cidr(row.network);
  const [first, last] = row.block ?? [];
  return {
    network,
    block:
      first === undefined || last === undefined ? network : { first: address(first).value, last: address(last).value },
    gateway: row.gateway === undefined ? undefined : address(row.gateway),
    exclusions: IntervalSet.of(
      (row.exclusions ?? []).map(([from, to]) => ({ first: address(from).value, last: address(to).value })),
    ),
    indexExclusions: IntervalSet.of((row.indexes ?? []).map(([from, to]) => ({ first: from, last: to }))),
  };
}

test.run();
