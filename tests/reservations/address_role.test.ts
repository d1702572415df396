import { test } from "uvu";
import * as assert from "uvu/assert";
import type { IPPoolSpec } from "../../src/lib/api/types.ts";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { describeAddress } from "../../src/lib/reservations/address_role.ts";
import { address, cidrPool, ipPool, ready } from "./_pools.ts";

const spec: IPPoolSpec = {
  subnet: "10.0.0.0/24",
  perNodeBlockSize: 8,
  gateway: "10.0.0.1",
  exclusions: [{ startIP: "10.0.0.3", endIP: "10.0.0.12" }],
  perNodeExclusions: [{ startIndex: 7, endIndex: 7 }],
};
const shared = ready(ipPool("p", spec, "10.0.0.1-10.0.0.8", { other: "10.0.0.9-10.0.0.16" }));

const rows: readonly [text: string, inBlock: boolean, otherBlock: string, roles: readonly string[]][] = [
  ["10.0.0.0", false, "", ["network"]],
  ["10.0.0.1", true, "", ["gateway"]],
  ["10.0.0.2", true, "", []],
  ["10.0.0.3", true, "", ["excluded"]],
  ["10.0.0.8", true, "", ["excluded", "excludedByIndex"]],
  ["10.0.0.9", false, "10.0.0.9", ["excluded"]],
  ["10.0.0.13", false, "10.0.0.9", []],
  ["10.0.0.16", false, "10.0.0.9", ["excludedByIndex"]],
  ["10.0.0.17", false, "", []],
  ["10.0.0.255", false, "", ["broadcast"]],
];
for (const [text, inBlock, otherBlock, roles] of rows) {
  test(`${text} is ${roles.join(" and ") || "plain"} ${inBlock ? "in" : "outside"} the block`, () => {
    const place = describeAddress(shared, address(text));
    const found = place.otherBlock === undefined ? "" : formatAddress(place.otherBlock);
    assert.equal([place.inBlock, found, place.roles], [inBlock, otherBlock, roles]);
  });
}

test("in a CIDRPool network, broadcast and gateway are those of the node's own prefix", () => {
  const own = ready(cidrPool("c", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24 }, "10.20.3.0/24", "10.20.3.7"));
  const roles = (text: string) => describeAddress(own, address(text)).roles;
  assert.equal(["10.20.3.0", "10.20.3.7", "10.20.3.255", "10.20.0.0"].map(roles), [
    ["network"],
    ["gateway"],
    ["broadcast"],
    [],
  ]);
});

test.run();
