/** What a node can tell of an address: what its daemon says, or without that what its store remembers. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { addressReport } from "../../src/lib/inspect/address.ts";
import { parseAddress } from "../../src/lib/ip/address.ts";
import type { AddressView } from "../../src/lib/rpc/generated/daemon.ts";
import { nodeContent, pool, reservation } from "./_node.ts";
import { schemaErrors } from "./_schema.ts";

const ROUTED = {
  ...pool,
  pool: "routed",
  poolKind: "CIDRPool",
  subnet: "10.20.0.0/16",
  gateway: "10.20.3.1",
  block: { startIP: "10.20.3.0", endIP: "10.20.3.255" },
};

/** A store does not know the node's name. */
const STORED = { ...reservation, node: "" };

function summary(text: string, views?: readonly AddressView[]): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(text);
  const ofStore = {
    source: { type: "store", place: "/s", node: "" },
    isRunning: false,
    reservations: [STORED],
  } as const;
  const content = nodeContent({ pools: [pool, ROUTED], ...(views === undefined && ofStore) });
  const report = addressReport(content, address, views);
  assert.is(schemaErrors(JSON.parse(JSON.stringify(report))), "");
  return report.summary;
}

const view = (more: Partial<AddressView>): AddressView => ({
  poolKind: "IPPool",
  pool: "pool1",
  network: "10.0.0.0/24",
  inBlock: false,
  otherBlock: "",
  roles: [],
  ...more,
});

const rows: readonly [text: string, views: readonly AddressView[] | undefined, words: RegExp][] = [
  [
    "10.0.0.3",
    [view({ inBlock: true, roles: ["excluded"] })],
    /in the block 10\.0\.0\.1-10\.0\.0\.8 of node-1 in IPPool\/pool1, excluded/,
  ],
  [
    "10.0.0.12",
    [view({ otherBlock: "10.0.0.9" })],
    /in the block of another node of IPPool\/pool1 that begins at 10\.0\.0\.9; nobody on this node has it$/,
  ],
  ["10.0.0.99", [view({})], /in IPPool\/pool1, in no node's block; nobody on this node has it$/],
  [
    "10.20.7.9",
    [view({ poolKind: "CIDRPool", pool: "routed", network: "10.20.3.0/24" })],
    /in CIDRPool\/routed, not in this node's block: give --kubeconfig/,
  ],
  ["10.0.0.1", undefined, /in this node's block 10\.0\.0\.1-10\.0\.0\.8 of IPPool\/pool1, the gateway/],
  ["10.0.0.99", undefined, /in IPPool\/pool1, not in this node's block: give --kubeconfig/],
  ["10.0.0.2", undefined, /; held \(dynamic\) by container c1 interface net1 of pod default\/web since /],
  ["192.0.2.1", [], /^192\.0\.2\.1: in no pool; nobody on this node has it$/],
];
for (const [text, views, words] of rows) {
  test(`${text} ${views === undefined ? "from a store" : "from a daemon"} is told: ${words.source}`, () =>
    assert.match(summary(text, views), words));
}

test.run();
