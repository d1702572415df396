/** R6: pools that share addresses are found and reported. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parsePool } from "../../src/lib/api/parse.ts";
import type { Pool } from "../../src/lib/api/types.ts";
import { formatAddress, parseCidr, overlaps as shareAddresses } from "../../src/lib/ip/address.ts";
import { overlaps, overlapsByPool, poolKey } from "../../src/lib/planner/overlaps.ts";
import { announceSeed, randomFrom } from "../ip/_seed.ts";
import { Cluster, conditionOf } from "./_cluster.ts";

function pool(name: string, network: string): Pool {
  const kind = name.startsWith("c") ? "CIDRPool" : "IPPool";
  const length = network.includes(":") ? 128 : 32;
  const spec =
    kind === "CIDRPool" ? { cidr: network, perNodeNetworkPrefix: length } : { subnet: network, perNodeBlockSize: 1 };
  const parsed = parsePool({ apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind, metadata: { name }, spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

const CASES: readonly (readonly [what: string, pools: Readonly<Record<string, string>>, pairs: readonly string[]])[] = [
  ["nothing", {}, []],
  ["neighbours", { a: "10.0.0.0/24", b: "10.0.1.0/24" }, []],
  ["the same network twice", { a: "10.0.0.0/24", b: "10.0.0.0/24" }, ["IPPool/a IPPool/b"]],
  ["one inside another, of another kind", { a: "10.0.7.0/24", c: "10.0.0.0/16" }, ["CIDRPool/c IPPool/a"]],
  [
    "one that begins where a wider one does",
    { a: "10.0.0.0/24", b: "10.0.0.0/16", d: "10.0.1.0/24" },
    ["IPPool/a IPPool/b", "IPPool/b IPPool/d"],
  ],
  ["a family of its own", { a: "0.0.0.0/0", b: "::/0" }, []],
  [
    "three in one another",
    { a: "fd00::/16", b: "fd00::/32", d: "fd00::/48" },
    ["IPPool/a IPPool/b", "IPPool/a IPPool/d", "IPPool/b IPPool/d"],
  ],
];

for (const [what, networks, expected] of CASES) {
  test(`R6 ${what} ${expected.length === 0 ? "shares nothing" : "is found"}`, () => {
    const pools = Object.entries(networks).map(([name, network]) => pool(name, network));
    assert.equal(
      overlaps(pools).map((pair) => pair.join(" ")),
      expected,
    );
    assert.equal(
      overlaps(pools.reverse()).map((pair) => pair.join(" ")),
      expected,
    );
  });
}

test("R6 the pairs are those that comparing every two pools finds", () => {
  const random = randomFrom(announceSeed("overlaps"));
  for (let round = 0; round < 500; round++) {
    const pools = Array.from({ length: 1 + random.below(12) }, (_, index) => {
      const length = 24 + random.below(7);
      const network = parseCidr(`10.0.0.${random.below(256)}/${length}`);
      const first = formatAddress({ family: 4, value: network?.first ?? 0n });
      return pool(`${random.below(2) === 0 ? "c" : "p"}${index}`, `${first}/${length}`);
    });
    const expected: string[] = [];
    for (const one of pools) {
      for (const other of pools) {
        if (poolKey(one) < poolKey(other) && shareAddresses(networkOf(one), networkOf(other)))
          expected.push(`${poolKey(one)} ${poolKey(other)}`);
      }
    }
    assert.equal(
      overlaps(pools).map((pair) => pair.join(" ")),
      expected.sort(),
    );
  }
});

function networkOf({ spec }: Pool) {
  const network = parseCidr("cidr" in spec ? spec.cidr : spec.subnet);
  if (network === undefined) throw new Error("no network");
  return network;
}

test("R6 each pool learns the names of the others, in order", () => {
  const pools = [
    pool("b", "10.0.0.0/16"),
    pool("a", "10.0.0.0/24"),
    pool("c", "10.0.1.0/24"),
    pool("z", "10.1.0.0/16"),
  ];
  assert.equal([...overlapsByPool(pools)].sort(), [
    ["CIDRPool/c", ["IPPool/b"]],
    ["IPPool/a", ["IPPool/b"]],
    ["IPPool/b", ["CIDRPool/c", "IPPool/a"]],
  ]);
});

test("R6 pools that overlap are reported and still served", () => {
  const made = new Cluster();
  made.addNode("node-a");
  made.addPool("IPPool", "one", { subnet: "10.10.0.0/24", perNodeBlockSize: 8 });
  made.addPool("CIDRPool", "two", { cidr: "10.10.0.0/16", perNodeNetworkPrefix: 24 });
  made.settle();
  assert.is(conditionOf(made, "IPPool/one", "OverlapsPool")?.message, "shares addresses with CIDRPool/two");
  assert.is(conditionOf(made, "CIDRPool/two", "OverlapsPool")?.message, "shares addresses with IPPool/one");
  assert.ok(made.events.includes("IPPool/one Warning OverlapsPool"));
  assert.is(made.pool("IPPool/one").status?.allocations?.length, 1);
  assert.is(conditionOf(made, "IPPool/one", "Ready")?.status, "True");
  made.pools.delete("CIDRPool/two");
  made.settle();
  assert.is(conditionOf(made, "IPPool/one", "OverlapsPool"), undefined);
});

test.run();
