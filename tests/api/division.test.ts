/** Where blocks begin and end, at every size of network; which of them are worth dealing. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockAt, divisionOf, gatewayOf, indexOf } from "../../src/lib/api/division.ts";
import type { AppliedSpec } from "../../src/lib/api/types.ts";
import { Usability } from "../../src/lib/api/usability.ts";
import { formatAddress, parseAddress, type Range } from "../../src/lib/ip/address.ts";
import { announceSeed, type Random, randomFrom } from "../ip/_seed.ts";

function division(spec: AppliedSpec) {
  const found = divisionOf(spec);
  if (found === undefined) throw new Error(`no division of ${JSON.stringify(spec)}`);
  return found;
}

function text({ family, first, last }: Range): string {
  return `${formatAddress({ family, value: first })} ${formatAddress({ family, value: last })}`;
}

/** The spec, how many blocks it makes, the first and the last of them. */
const DIVISIONS: readonly (readonly [AppliedSpec, bigint, string, string])[] = [
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 8 }, 31n, "10.10.0.1 10.10.0.8", "10.10.0.241 10.10.0.248"],
  [{ subnet: "10.10.0.77/24", perNodeBlockSize: 8 }, 31n, "10.10.0.1 10.10.0.8", "10.10.0.241 10.10.0.248"],
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 254 }, 1n, "10.10.0.1 10.10.0.254", "10.10.0.1 10.10.0.254"],
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 127 }, 2n, "10.10.0.1 10.10.0.127", "10.10.0.128 10.10.0.254"],
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 1 }, 254n, "10.10.0.1 10.10.0.1", "10.10.0.254 10.10.0.254"],
  [{ subnet: "10.10.0.0/29", perNodeBlockSize: 3 }, 2n, "10.10.0.1 10.10.0.3", "10.10.0.4 10.10.0.6"],
  [{ subnet: "10.10.0.0/30", perNodeBlockSize: 1 }, 2n, "10.10.0.1 10.10.0.1", "10.10.0.2 10.10.0.2"],
  [{ subnet: "10.10.0.0/31", perNodeBlockSize: 1 }, 2n, "10.10.0.0 10.10.0.0", "10.10.0.1 10.10.0.1"],
  [{ subnet: "10.10.0.0/31", perNodeBlockSize: 2 }, 1n, "10.10.0.0 10.10.0.1", "10.10.0.0 10.10.0.1"],
  [{ subnet: "10.10.0.1/32", perNodeBlockSize: 1 }, 1n, "10.10.0.1 10.10.0.1", "10.10.0.1 10.10.0.1"],
  [{ subnet: "0.0.0.0/0", perNodeBlockSize: 2 ** 31 }, 1n, "0.0.0.1 128.0.0.0", "0.0.0.1 128.0.0.0"],
  [{ subnet: "fd00::/120", perNodeBlockSize: 5 }, 51n, "fd00::1 fd00::5", "fd00::fb fd00::ff"],
  [{ subnet: "fd00::/127", perNodeBlockSize: 1 }, 2n, "fd00:: fd00::", "fd00::1 fd00::1"],
  [{ subnet: "fd00::/128", perNodeBlockSize: 1 }, 1n, "fd00:: fd00::", "fd00:: fd00::"],
  [
    { subnet: "fd00::/64", perNodeBlockSize: 2 ** 32 },
    2n ** 32n - 1n,
    "fd00::1 fd00::1:0:0",
    "fd00::ffff:fffe:0:1 fd00::ffff:ffff:0:0",
  ],
  [
    { subnet: "::/0", perNodeBlockSize: 2 ** 53 - 1 },
    (2n ** 128n - 1n) / (2n ** 53n - 1n),
    "::1 ::1f:ffff:ffff:ffff",
    "ffff:ffff:ffff:ffff:ffdf:ffff:ffc0:2 ffff:ffff:ffff:ffff:ffff:ffff:ffc0:0",
  ],
  [{ cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 }, 256n, "10.10.0.0 10.10.0.255", "10.10.255.0 10.10.255.255"],
  [{ cidr: "10.10.0.0/24", perNodeNetworkPrefix: 24 }, 1n, "10.10.0.0 10.10.0.255", "10.10.0.0 10.10.0.255"],
  [
    { cidr: "192.168.100.0/24", perNodeNetworkPrefix: 31 },
    128n,
    "192.168.100.0 192.168.100.1",
    "192.168.100.254 192.168.100.255",
  ],
  [{ cidr: "10.0.0.0/8", perNodeNetworkPrefix: 32 }, 2n ** 24n, "10.0.0.0 10.0.0.0", "10.255.255.255 10.255.255.255"],
  [
    { cidr: "255.255.255.254/31", perNodeNetworkPrefix: 32 },
    2n,
    "255.255.255.254 255.255.255.254",
    "255.255.255.255 255.255.255.255",
  ],
  [
    { cidr: "fd00::/48", perNodeNetworkPrefix: 64 },
    2n ** 16n,
    "fd00:: fd00::ffff:ffff:ffff:ffff",
    "fd00:0:0:ffff:: fd00::ffff:ffff:ffff:ffff:ffff",
  ],
  [
    { cidr: "fd00::/48", perNodeNetworkPrefix: 128 },
    2n ** 80n,
    "fd00:: fd00::",
    "fd00::ffff:ffff:ffff:ffff:ffff fd00::ffff:ffff:ffff:ffff:ffff",
  ],
  [
    { cidr: "ffff:ffff:ffff:ffff::/64", perNodeNetworkPrefix: 65 },
    2n,
    "ffff:ffff:ffff:ffff:: ffff:ffff:ffff:ffff:7fff:ffff:ffff:ffff",
    "ffff:ffff:ffff:ffff:8000:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  ],
  [
    { cidr: "::ffff:10.10.0.0/112", perNodeNetworkPrefix: 120 },
    256n,
    "10.10.0.0 10.10.0.255",
    "10.10.255.0 10.10.255.255",
  ],
];

for (const [spec, count, first, last] of DIVISIONS) {
  test(`R9 ${JSON.stringify(spec)} makes ${count} blocks`, () => {
    const found = division(spec);
    assert.is(found.count, count);
    assert.is(text(blockAt(found, 0n)), first);
    assert.is(text(blockAt(found, count - 1n)), last);
    assert.is(indexOf(found, blockAt(found, count - 1n)), count - 1n);
    assert.is(indexOf(found, blockAt(found, count)), undefined);
  });
}

test("a block of another size, between two blocks, or of another family is none of the division", () => {
  const found = division({ subnet: "10.10.0.0/24", perNodeBlockSize: 8 });
  const block = blockAt(found, 3n);
  assert.is(indexOf(found, block), 3n);
  assert.is(indexOf(found, { ...block, last: block.last + 1n }), undefined);
  assert.is(indexOf(found, { ...block, first: block.first + 1n, last: block.last + 1n }), undefined);
  assert.is(indexOf(found, { ...block, family: 6 }), undefined);
  assert.is(indexOf(found, blockAt(found, -1n)), undefined);
});

/** A spec, the block's index, and the gateway of its node. */
const GATEWAYS: readonly (readonly [AppliedSpec, bigint, string | undefined])[] = [
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 8 }, 0n, undefined],
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 8, gateway: "" }, 0n, undefined],
  [{ subnet: "10.10.0.0/24", perNodeBlockSize: 8, gateway: "10.10.0.200" }, 0n, "10.10.0.200"],
  [{ cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 }, 7n, undefined],
  [{ cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 254 }, 7n, "10.10.7.254"],
  [{ cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 255 }, 7n, undefined],
  [{ cidr: "10.10.0.0/16", perNodeNetworkPrefix: 31, gatewayIndex: 0 }, 7n, "10.10.0.14"],
  [{ cidr: "fd00::/48", perNodeNetworkPrefix: 64, gatewayIndex: 1 }, 65535n, "fd00:0:0:ffff::1"],
];

for (const [spec, index, expected] of GATEWAYS) {
  test(`the gateway of block ${index} of ${JSON.stringify(spec)} is ${expected ?? "none"}`, () => {
    const gateway = gatewayOf(spec, blockAt(division(spec), index));
    assert.is(gateway && formatAddress(gateway), expected);
  });
}

test("R8 the blocks that are not dealt are those that looking at every address finds", () => {
  const random = randomFrom(announceSeed("usability"));
  for (let round = 0; round < 3000; round++) {
    const spec = randomSpec(random);
    const found = division(spec);
    const usability = new Usability(spec, found);
    const expected = Array.from({ length: Number(found.count) }, (_, index) => index).filter(
      (index) => !naivelyDealable(spec, index),
    );
    const observed = Array.from({ length: Number(found.count) }, (_, index) => index).filter((index) =>
      usability.undealable.contains(BigInt(index)),
    );
    assert.equal(observed, expected, JSON.stringify(spec));
    for (let index = 0n; index < found.count; index++) {
      const block = blockAt(found, index);
      assert.is(
        usability.hasUsableAddress(block),
        usableAddresses(spec, Number(index)).length > 0,
        `${JSON.stringify(spec)} ${index}`,
      );
    }
  }
});

test("R8 a million-address exclusion in a network of 2^80 blocks is passed over at once", () => {
  const spec = {
    cidr: "fd00::/48",
    perNodeNetworkPrefix: 128,
    exclusions: [{ startIP: "fd00::", endIP: "fd00::ff:ffff:ffff:ffff" }],
  };
  const { undealable } = new Usability(spec, division(spec));
  assert.equal(undealable.intervals, [{ first: 0n, last: 2n ** 56n - 1n }]);
});

function randomSpec(random: Random): AppliedSpec {
  const length = 26 + random.below(5);
  const size = 2 ** (32 - length);
  const isIPv6 = random.below(3) === 0;
  const address = (offset: number) => (isIPv6 ? `fd00::${offset.toString(16)}` : `10.0.0.${offset}`);
  const network = isIPv6 ? `fd00::/${length + 96}` : `10.0.0.0/${length}`;
  const exclusions = Array.from({ length: random.below(4) }, () => {
    const start = random.below(size);
    return { startIP: address(start), endIP: address(start + random.below(size - start)) };
  });
  const indexes = (blockSize: number) =>
    Array.from({ length: random.below(3) }, () => {
      const startIndex = random.below(blockSize);
      return { startIndex, endIndex: startIndex + random.below(blockSize - startIndex) };
    });
  if (random.below(2) === 0) {
    const perNodeBlockSize = 1 + random.below(Math.min(9, size - 2));
    const gateway = random.below(2) === 0 ? { gateway: address(random.below(size)) } : {};
    return { subnet: network, perNodeBlockSize, exclusions, perNodeExclusions: indexes(perNodeBlockSize), ...gateway };
  }
  const hostBits = random.below(Math.min(5, 33 - length));
  const count = 2 ** hostBits;
  const least = hostBits <= 1 ? 0 : 1;
  const most = hostBits <= 1 || isIPv6 ? count - 1 : count - 2;
  const gateway = random.below(2) === 0 ? { gatewayIndex: least + random.below(most - least + 1) } : {};
  const perNodeNetworkPrefix = (isIPv6 ? 128 : 32) - hostBits;
  return { cidr: network, perNodeNetworkPrefix, exclusions, perNodeExclusions: indexes(count), ...gateway };
}

/** Offsets, from the block's first address, that a pod can get without asking for a certain one. */
function usableAddresses(spec: AppliedSpec, index: number, exclusions = spec.exclusions ?? []): readonly number[] {
  const found = division(spec);
  const block = blockAt(found, BigInt(index));
  const blockSize = Number(found.blockSize);
  const gateway =
    "cidr" in spec
      ? spec.gatewayIndex
      : spec.gateway
        ? Number((parseAddress(spec.gateway)?.value ?? 0n) - block.first)
        : undefined;
  return Array.from({ length: blockSize }, (_, offset) => offset).filter((offset) => {
    const isPrefix = "cidr" in spec && blockSize > 2;
    const isNetwork = isPrefix && offset === 0;
    const isBroadcast = isPrefix && found.family === 4 && offset === blockSize - 1;
    return !isNetwork && !isBroadcast && offset !== gateway && !isExcluded(spec, block.first, offset, exclusions);
  });
}

function isExcluded(
  spec: AppliedSpec,
  first: bigint,
  offset: number,
  exclusions: AppliedSpec["exclusions"] = [],
): boolean {
  const value = first + BigInt(offset);
  const inRange = exclusions.some(
    ({ startIP, endIP }) =>
      value >= (parseAddress(startIP)?.value ?? 0n) && value <= (parseAddress(endIP)?.value ?? 0n),
  );
  return (
    inRange ||
    (spec.perNodeExclusions ?? []).some(({ startIndex, endIndex }) => offset >= startIndex && offset <= endIndex)
  );
}

/** R8 by looking at each address of each block. */
function naivelyDealable(spec: AppliedSpec, index: number): boolean {
  const found = division(spec);
  const blockSize = Number(found.blockSize);
  const offsets = Array.from({ length: blockSize }, (_, offset) => offset);
  const withoutBroadcast = "cidr" in spec && found.family === 4 && blockSize > 2 ? offsets.slice(0, -1) : offsets;
  if (withoutBroadcast.every((offset) => isExcluded(spec, 0n, offset))) return false;
  const count = Number(found.count);
  const geometryIsUsable = Array.from({ length: Math.min(count, 3) }, (_, i) => i).some(
    (i) => usableAddresses(spec, i, []).length > 0,
  );
  if (geometryIsUsable || (!("cidr" in spec) && blockSize === 1)) return usableAddresses(spec, index).length > 0;
  return !withoutBroadcast.every((offset) =>
    isExcluded(spec, blockAt(found, BigInt(index)).first, offset, spec.exclusions),
  );
}

test.run();
