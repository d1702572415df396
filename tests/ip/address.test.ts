import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  addressBits,
  contains,
  formatAddress,
  formatCidr,
  overlaps,
  parseAddress,
  parseCidr,
  prefixRange,
  sameAddress,
  size,
} from "../../src/lib/ip/address.ts";
import { seededRandom } from "../random.ts";

const random = seededRandom("address");

const addresses: readonly (readonly [text: string, family: 4 | 6, value: bigint, canonical?: string])[] = [
  ["0.0.0.0", 4, 0n],
  ["127.255.255.255", 4, 2n ** 31n - 1n],
  ["128.0.0.0", 4, 2n ** 31n],
  ["255.255.255.255", 4, 2n ** 32n - 1n],
  ["::", 6, 0n],
  ["::1", 6, 1n],
  ["1::", 6, 1n << 112n],
  ["::1:0:0", 6, 2n ** 32n],
  ["::20:0:0:0", 6, 2n ** 53n],
  ["::8000:0:0:0", 6, 2n ** 63n],
  ["::1:0:0:0:0", 6, 2n ** 64n, "0:0:0:1::"],
  ["FD52:2EB5:0044::01f4", 6, 0xfd522eb50044000000000000000001f4n, "fd52:2eb5:44::1f4"],
  ["1:2:3:4:5:6:7::", 6, 0x00010002000300040005000600070000n, "1:2:3:4:5:6:7:0"],
  ["64:ff9b::10.0.0.1", 6, 0x0064ff9b00000000000000000a000001n, "64:ff9b::a00:1"],
  ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6, 2n ** 128n - 1n],
  ["::ffff:10.0.0.1", 4, 0x0a000001n, "10.0.0.1"],
  ["::ffff:a00:1", 4, 0x0a000001n, "10.0.0.1"],
];

for (const [text, family, value, canonical = text] of addresses) {
  test(`the address ${text} is read exactly and written as ${canonical}`, () => {
    assert.equal(parseAddress(text), { family, value });
    assert.is(formatAddress({ family, value }), canonical);
  });
}

const notAddresses = [
  ..."|1|1.2.3|1.2.3.4.5|1.2.3.256|1.2.3.04|01.2.3.4|1.2.3.4 | 1.2.3.4|1.2.3.-4|1..3.4|0x7f.0.0.1|1.2.3.4/24".split(
    "|",
  ),
  ..."|:|:::|1:|:1|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|1:2:3:4:5:6:7:8::|1::2:3:4:5:6:7:8|1::2::3|12345::|g::|fe80::1%eth0".split(
    "|",
  ),
  ..."|::1.2.3|::1.2.3.04|::1.2.3.256|1.2.3.4::|::1.2.3.4:5|1:2:3:4:5:6:7:1.2.3.4|::1/64|:: 1|::１".split("|"),
];

for (const text of new Set(notAddresses)) {
  test(`"${text}" is no address`, () => assert.is(parseAddress(text), undefined));
}

test("20,000 random and damaged texts are judged as inet_pton judges them and valued as ipaddr.js values them", () => {
  for (let round = 0; round < 20_000; round++) {
    const text = damaged(random.below(3), random.below(2) === 0 ? randomIPv4() : randomIPv6());
    const valid = isIPv4(text) || isIPv6(text);
    const parsed = parseAddress(text);
    assert.is(parsed !== undefined, valid, text);
    if (parsed === undefined) continue;
    assert.is(hex(parsed.value), hexOf(text), text);
    assert.equal(parseAddress(formatAddress(parsed)), parsed, text);
  }

  function randomIPv4(): string {
    return Array.from({ length: 4 }, () => random.below(random.pick([10, 256, 256, 300]))).join(".");
  }

  function randomIPv6(): string {
    const groups = Array.from({ length: 8 }, () => random.below(random.pick([2, 256, 65_536])).toString(16));
    if (random.below(4) === 0) groups.splice(6, 2, randomIPv4());
    if (random.below(3) > 0) groups.splice(random.below(7), 1 + random.below(4), "");
    return groups.join(":").replace(/^:(?!:)|(?<!:):$/, "::");
  }

  function damaged(times: number, text: string): string {
    let result = text;
    for (let i = 0; i < times; i++) {
      const at = random.below(result.length + 1);
      const inserted = random.pick(["", ":", ".", "0", "f", "25", "g", "::"]);
      result = result.slice(0, at) + inserted + result.slice(at + random.below(2));
    }
    return result;
  }
});

const cidrs: readonly (readonly [text: string, first: string, last: string, length: number, written?: string])[] = [
  ["192.168.0.0/16", "192.168.0.0", "192.168.255.255", 16],
  ["10.10.0.1/16", "10.10.0.0", "10.10.255.255", 16, "10.10.0.1"],
  ["0.0.0.0/0", "0.0.0.0", "255.255.255.255", 0],
  ["10.0.0.4/31", "10.0.0.4", "10.0.0.5", 31],
  ["255.255.255.255/32", "255.255.255.255", "255.255.255.255", 32],
  ["::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0],
  ["fd52:2eb5:44::/48", "fd52:2eb5:44::", "fd52:2eb5:44:ffff:ffff:ffff:ffff:ffff", 48],
  ["fd00::1/128", "fd00::1", "fd00::1", 128],
  ["::ffff:10.0.0.0/104", "10.0.0.0", "10.255.255.255", 8],
];

for (const [text, first, last, length, written = first] of cidrs) {
  test(`the network ${text} goes from ${first} to ${last}`, () => {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw new Error(`${text} was not read`);
    const { family } = cidr;
    assert.equal(
      [cidr.first, cidr.last, cidr.written].map((value) => formatAddress({ family, value })),
      [first, last, written],
    );
    assert.is(cidr.prefixLength, length);
    assert.is(formatCidr(cidr), `${first}/${length}`);
    assert.is(size(cidr), 2n ** BigInt(addressBits(family) - length));
    assert.equal(prefixRange({ family, value: cidr.written }, length), { family, first: cidr.first, last: cidr.last });
  });
}

for (const text of [
  "10.0.0.0",
  "10.0.0.0/",
  "/8",
  "10.0.0.0/33",
  "10.0.0.0/08",
  "10.0.0.0/-1",
  "10.0.0.0/8 ",
  "::/129",
  "::ffff:10.0.0.0/95",
]) {
  test(`"${text}" is no network`, () => assert.is(parseCidr(text), undefined));
}

test("addresses of different families are never the same, in each other's ranges or overlapping", () => {
  const four = { family: 4, value: 5n } as const;
  const six = { family: 6, value: 5n } as const;
  assert.not(sameAddress(four, six));
  assert.ok(sameAddress(four, { family: 4, value: 5n }));
  assert.not(contains({ family: 6, first: 0n, last: 9n }, four));
  assert.ok(contains({ family: 6, first: 5n, last: 5n }, six));
  assert.not(overlaps({ family: 4, first: 0n, last: 9n }, { family: 6, first: 0n, last: 9n }));
  assert.ok(overlaps({ family: 4, first: 0n, last: 9n }, { family: 4, first: 9n, last: 10n }));
});

function hex(value: bigint): string {
  return value.toString(16);
}

function hexOf(text: string): string {
  const bytes = ipaddr.process(text).toByteArray();
  return hex(bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n));
}

test.run();
