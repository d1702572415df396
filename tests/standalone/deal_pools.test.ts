import { test } from "uvu";
import * as assert from "uvu/assert";
import type { NodeInfo } from "../../src/lib/api/selector.ts";
import type { Allocation, IPPoolSpec, Pool } from "../../src/lib/api/types.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { type DealtPools, dealPools } from "../../src/lib/standalone/deal_pools.ts";

const DELAY = 600_000;

/** A directory whose pools are dealt again and again. */
class Host {
  nodes: readonly NodeInfo[];
  dealt: readonly Pool[] = [];
  last: DealtPools | undefined;
  #now = 0;
  #uids = 0;
  readonly #clock = new RestClock(() => this.#now);

  constructor(...nodes: readonly string[]) {
    this.nodes = nodes.map((name) => ({ name, labels: {} }));
  }

  names(...nodes: readonly string[]): void {
    this.nodes = nodes.map((name) => ({ name, labels: {} }));
  }

  wait(milliseconds: number): void {
    this.#now += milliseconds;
  }

  deal(...wanted: readonly Pool[]): readonly string[] {
    this.last = dealPools({
      wanted,
      before: this.dealt,
      nodes: this.nodes,
      now: new Date(this.#now),
      clock: this.#clock,
      releaseDelayMs: DELAY,
      newUID: () => `uid-${++this.#uids}`,
    });
    this.dealt = this.last.pools;
    return this.dealt.flatMap(blocks);
  }
}

function blocks({ status }: Pool): readonly string[] {
  const entries: readonly Allocation[] = status?.allocations ?? [];
  return entries.map((entry) => `${entry.nodeName} ${"prefix" in entry ? entry.prefix : entry.startIP}`).sort();
}

function pool(spec: Partial<IPPoolSpec> = {}, more: Partial<Pool["metadata"]> = {}): Pool {
  return {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "IPPool",
    metadata: { name: "pool1", ...more },
    spec: { subnet: "10.0.0.0/24", perNodeBlockSize: 16, ...spec },
  };
}

test("a pool gets a uid and its nodes their blocks, and dealing again changes nothing", () => {
  const host = new Host("a", "b");
  assert.equal(host.deal(pool()), ["a 10.0.0.1", "b 10.0.0.17"]);
  assert.ok(host.last?.changed);
  assert.is(host.dealt[0]?.metadata.uid, "uid-1");
  const before = host.dealt;
  host.deal(pool());
  assert.is(host.last?.changed, false);
  assert.equal(host.last?.events, []);
  assert.is(host.dealt[0], before[0]);
});

test("a node that is added gets the next block", () => {
  const host = new Host("b");
  host.deal(pool());
  host.names("b", "a", "c");
  assert.equal(host.deal(pool()), ["a 10.0.0.17", "b 10.0.0.1", "c 10.0.0.33"]);
});

test("hosts that read the same list deal the same blocks, however it grew before they began", () => {
  const list = ["m", "z", "c", "x", "a", "q", "b"];
  const fresh = new Host(...list);
  const expected = fresh.deal(pool());
  assert.equal(expected.slice(0, 2), ["a 10.0.0.65", "b 10.0.0.97"]);
  for (let begin = 1; begin < list.length; begin++) {
    for (const step of [1, 2, 5]) {
      const host = new Host();
      for (let length = begin; length < list.length; length += step) {
        host.names(...list.slice(0, length));
        host.deal(pool());
      }
      host.names(...list);
      assert.equal(host.deal(pool()), expected);
    }
  }
});

test("when blocks run out the first in the list have them, and one event tells of all that wait", () => {
  const host = new Host("d", "c", "b", "a");
  assert.equal(host.deal(pool({ perNodeBlockSize: 126 })), ["c 10.0.0.127", "d 10.0.0.1"]);
  assert.equal(
    host.last?.events.map(({ pool: key, reason, message }) => [key, reason, message]),
    [
      [
        "IPPool/pool1",
        "NoFreeRanges",
        "no free block in 10.0.0.0/24 for a, b; widen subnet, or let nodeSelector choose fewer nodes",
      ],
    ],
  );
  host.deal(pool({ perNodeBlockSize: 126 }));
  assert.is(host.last?.changed, false);
});

test("only nodes that the selector chooses get blocks", () => {
  const host = new Host();
  host.nodes = [
    { name: "a", labels: { rack: "1" } },
    { name: "b", labels: { rack: "2" } },
    { name: "c", labels: { rack: "1" } },
  ];
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "rack", operator: "In", values: ["1"] }] }] };
  assert.equal(host.deal(pool({ nodeSelector })), ["a 10.0.0.1", "c 10.0.0.17"]);
  assert.is(host.dealt[0]?.status?.conditions?.[0]?.status, "True");
});

test("R7 the block of a node that is gone rests, comes back with it, and is free after the delay", () => {
  const host = new Host("a", "b");
  host.deal(pool());
  host.names("b", "c");
  assert.equal(host.deal(pool()), ["b 10.0.0.17", "c 10.0.0.33"]);
  assert.is(host.last?.wakeAfterMs, DELAY);
  host.wait(DELAY - 1);
  host.names("a", "b", "c", "d");
  assert.equal(host.deal(pool()), ["a 10.0.0.1", "b 10.0.0.17", "c 10.0.0.33", "d 10.0.0.49"]);
  host.names("b", "c", "d");
  host.deal(pool());
  host.wait(DELAY + 1);
  host.deal(...host.dealt);
  assert.is(host.last?.wakeAfterMs, undefined);
  host.names("b", "c", "d", "e");
  assert.equal(host.deal(pool()), ["b 10.0.0.17", "c 10.0.0.33", "d 10.0.0.49", "e 10.0.0.1"]);
});

test("R5 an edit of the division is not accepted and said, others are", () => {
  const host = new Host("a", "b");
  host.deal(pool());
  assert.equal(host.deal(pool({ perNodeBlockSize: 32 })), ["a 10.0.0.1", "b 10.0.0.17"]);
  assert.equal(
    host.last?.events.map(({ reason }) => reason),
    ["WouldMoveBlocks"],
  );
  host.deal(pool({ exclusions: [{ startIP: "10.0.0.3", endIP: "10.0.0.4" }] }));
  assert.is(host.dealt[0]?.status?.conditions?.[0]?.status, "True");
  assert.is(host.dealt[0]?.status?.appliedSpec?.exclusions?.length, 1);
});

test("R5 with the annotation blocks move", () => {
  const host = new Host("a", "b");
  host.deal(pool());
  const annotations = { "nv-ipam.nvidia.com/allow-reallocation": "true" };
  assert.equal(host.deal(pool({ subnet: "10.1.0.0/24" }, { annotations })), ["a 10.1.0.1", "b 10.1.0.17"]);
});

test("an edit keeps the uid and counts the generation on; an annotation alone does not", () => {
  const host = new Host("a");
  host.deal(pool());
  host.deal(pool({ gateway: "10.0.0.1" }));
  assert.equal([host.dealt[0]?.metadata.uid, host.dealt[0]?.metadata.generation], ["uid-1", 2]);
  host.deal(pool({ gateway: "10.0.0.1" }, { annotations: { x: "y" } }));
  assert.equal([host.dealt[0]?.metadata.annotations, host.dealt[0]?.metadata.generation], [{ x: "y" }, 2]);
});

test("R2 a pool that is deleted gives up its blocks, and one of the same name is another pool", () => {
  const host = new Host("b");
  host.deal(pool());
  host.names("a", "b");
  host.deal(pool());
  host.deal();
  assert.equal(host.last?.forgotten, [{ pool: "IPPool/pool1", blocks: 2 }]);
  assert.ok(host.last?.changed);
  assert.equal(host.deal(pool()), ["a 10.0.0.1", "b 10.0.0.17"]);
  assert.is(host.dealt[0]?.metadata.uid, "uid-2");
});

test("pools of both kinds may have one name", () => {
  const host = new Host("a");
  const prefixes: Pool = {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "CIDRPool",
    metadata: { name: "pool1" },
    spec: { cidr: "10.9.0.0/16", perNodeNetworkPrefix: 24 },
  };
  assert.equal(host.deal(pool(), prefixes), ["a 10.0.0.1", "a 10.9.0.0/24"]);
});

test("R2 a pool that is deleted and made again from a manifest with a uid is another pool", () => {
  const host = new Host("a");
  const copied = pool({}, { uid: "from-the-cluster" });
  host.deal(copied);
  assert.is(host.dealt[0]?.metadata.uid, "uid-1");
  host.deal(pool({ gateway: "10.0.0.1" }, { uid: "edited" }));
  assert.is(host.dealt[0]?.metadata.uid, "uid-1");
  host.deal();
  host.deal(copied);
  assert.is(host.dealt[0]?.metadata.uid, "uid-2");
});

test("a manifest with a status keeps the blocks that were dealt elsewhere", () => {
  const host = new Host("a", "b", "c");
  const allocations = [
    { nodeName: "b", startIP: "10.0.0.33", endIP: "10.0.0.48" },
    { nodeName: "a", startIP: "10.0.0.17", endIP: "10.0.0.32" },
  ];
  const copied = { ...pool(), status: { allocations } } as Pool;
  assert.equal(host.deal(copied), ["a 10.0.0.17", "b 10.0.0.33", "c 10.0.0.1"]);
});

test("what the state says goes before what the manifest's status says later", () => {
  const host = new Host("a");
  host.deal(pool());
  const allocations = [{ nodeName: "a", startIP: "10.0.0.33", endIP: "10.0.0.48" }];
  assert.equal(host.deal({ ...pool(), status: { allocations } } as Pool), ["a 10.0.0.1"]);
});

test("R6 pools that overlap are both served, and said", () => {
  const host = new Host("a");
  const other = { ...pool(), metadata: { name: "pool2" } };
  assert.equal(host.deal(pool(), other), ["a 10.0.0.1", "a 10.0.0.1"]);
  assert.equal(host.last?.events.map(({ pool: key, reason }) => `${key} ${reason}`).sort(), [
    "IPPool/pool1 OverlapsPool",
    "IPPool/pool2 OverlapsPool",
  ]);
});

test("a thousand nodes are dealt in one go", () => {
  const host = new Host(...Array.from({ length: 1000 }, (_, index) => `node-${index}`));
  const dealt = host.deal(pool({ subnet: "10.0.0.0/8", perNodeBlockSize: 100 }));
  assert.is(new Set(dealt.map((text) => text.split(" ")[1])).size, 1000);
});

test.run();
