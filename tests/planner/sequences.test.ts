/** Random lives of pools: nodes come and go, specs are edited well and badly, controllers restart. The rules hold after each step. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { specInForce } from "../../src/lib/api/in_force.ts";
import type { Allocation, AnyPoolStatus, AppliedSpec, PoolKind, StaticAllocation } from "../../src/lib/api/types.ts";
import { PlanMemory } from "../../src/lib/planner/memory.ts";
import { type Plan, type PlanInput, plan } from "../../src/lib/planner/plan.ts";
import { RestClock } from "../../src/lib/planner/rest.ts";
import { announceSeed, type Random, randomFrom } from "../ip/_seed.ts";
import { Cluster, type Json, type StoredPool } from "./_cluster.ts";
import { addressesOf, blocksOf, isBlockOf, isUsable } from "./_naive.ts";

const DELAY = 10;
const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"] as const;
const ALLOW = "nv-ipam.nvidia.com/allow-reallocation";
const POOL_NODES = { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "Exists" }] }] };

/** One pool's life, with what the rules look back at. */
class Life {
  readonly random: Random;
  readonly cluster = new Cluster();
  readonly stored: StoredPool;
  clock = new RestClock(() => this.cluster.time);
  memory = new PlanMemory();
  /** When an address was last seen with a node, and which one; times of the present clock. */
  readonly lastHeld = new Map<number, { readonly node: string; readonly at: number }>();

  constructor(random: Random, kind: PoolKind) {
    this.random = random;
    this.cluster.delayMs = random.below(4) === 0 ? 0 : DELAY;
    this.stored = this.cluster.addPool(kind, "pool1", randomSpec(random, kind));
  }

  get key(): string {
    return `${this.stored.kind}/pool1`;
  }

  /** One thing happens; then the controller looks. */
  step(): void {
    const { random, cluster } = this;
    const name = random.pick(NAMES);
    switch (random.below(13)) {
      case 0:
      case 1:
      case 2:
      case 3:
        cluster.addNode(name, { pool: "yes" });
        break;
      case 4:
      case 5:
        cluster.nodes.delete(name);
        break;
      case 6:
        if (cluster.nodes.has(name)) cluster.addNode(name, {});
        break;
      case 7:
      case 8:
        cluster.edit(this.key, randomSpec(random, this.stored.kind));
        break;
      case 9:
        this.stored.metadata.annotations = random.below(3) === 0 ? { [ALLOW]: "true" } : {};
        break;
      case 10:
        // A controller of the original in between: what is ours in the status is gone, rests too.
        if (this.stored.status !== undefined && random.below(2) === 0) {
          this.stored.status = { allocations: this.stored.status.allocations ?? [] };
          this.lastHeld.clear();
        }
        break;
      case 11:
        this.clock = new RestClock(() => cluster.time);
        this.memory = new PlanMemory();
        break;
      default:
        cluster.time += random.below(DELAY + 2);
    }
    this.#look();
  }

  #look(): void {
    const before = this.stored.status ?? {};
    this.clock.observe("uid", before.released ?? []);
    const input = this.#input();
    const result = plan(input, this.memory);
    assert.equal(plan(input), result, "a plan is the same with and without memory");
    const mixed = { ...input, nodes: shuffled(input.nodes, this.random) };
    assert.equal(plan(mixed), result, "the order of nodes does not matter");
    assert.is(result.changed, JSON.stringify(plainStatus(before)) !== JSON.stringify(plainStatus(result.status)));

    this.#checkReady(result);
    this.#checkR2(result);
    this.#checkR5(before, result);
    this.#checkR7(before, result);
    this.#checkDealing(before, result);

    if (result.changed) this.stored.status = JSON.parse(JSON.stringify(result.status));
    this.clock.observe("uid", result.status.released ?? []);
    for (const entry of result.status.allocations) {
      for (const address of addressesOf(entry))
        this.lastHeld.set(address, { node: entry.nodeName, at: this.cluster.time });
    }
    assert.not.ok(plan(this.#input()).changed, "a second plan has nothing to do");
  }

  #input(): PlanInput {
    return {
      pool: this.cluster.read(this.key),
      nodes: [...this.cluster.nodes.values()],
      now: new Date(this.cluster.time * 1000),
      rest: this.clock.rules("uid", this.cluster.delayMs),
    };
  }

  /** A pool that says it is ready has a block for each node that matches. */
  #checkReady(result: Plan): void {
    if (result.status.conditions?.find(({ type }) => type === "Ready")?.status !== "True") return;
    const served = new Set(result.status.allocations.map(({ nodeName }) => nodeName));
    for (const { name, labels } of this.cluster.nodes.values()) {
      if (labels.pool !== undefined) assert.ok(served.has(name), `the pool is ready and ${name} has no block`);
    }
  }

  /** No address belongs to two nodes, no node to two blocks; every block is one of the spec's that gave it. */
  #checkR2(result: Plan): void {
    const owners = new Map<number, string>();
    const nodes = new Set<string>();
    for (const entry of result.status.allocations) {
      assert.not.ok(nodes.has(entry.nodeName), `R2 ${entry.nodeName} has two blocks`);
      nodes.add(entry.nodeName);
      for (const address of addressesOf(entry)) {
        assert.not.ok(owners.has(address), `R2 ${entry.nodeName} and ${owners.get(address)} share an address`);
        owners.set(address, entry.nodeName);
      }
    }
    for (const entry of result.status.released ?? []) {
      for (const address of addressesOf(entry)) {
        assert.not.ok(owners.has(address), `R2 a block of ${entry.nodeName} rests and ${owners.get(address)} has it`);
      }
    }
    const force = result.status.appliedSpec;
    if (force === undefined) return;
    for (const entry of result.status.allocations)
      assert.ok(isBlockOf(force, entry), `R5 ${JSON.stringify(entry)} is none of the blocks in force`);
  }

  /** Who had a block and is still there has it still. */
  #checkR5(before: AnyPoolStatus, result: Plan): void {
    if (this.stored.metadata.annotations[ALLOW] === "true") return;
    const now = new Map(result.status.allocations.map((entry) => [entry.nodeName, addressesOf(entry).join()]));
    for (const entry of before.allocations ?? []) {
      const node = this.cluster.nodes.get(entry.nodeName);
      if (node === undefined || node.labels.pool === undefined) continue;
      assert.is(now.get(entry.nodeName), addressesOf(entry).join(), `R5 the block of ${entry.nodeName} moved`);
    }
  }

  /** Nobody gets an address that another node had less than the delay ago. */
  #checkR7(before: AnyPoolStatus, result: Plan): void {
    const had = new Map((before.allocations ?? []).map((entry) => [entry.nodeName, addressesOf(entry).join()]));
    for (const entry of result.status.allocations) {
      if (had.get(entry.nodeName) === addressesOf(entry).join()) continue;
      for (const address of addressesOf(entry)) {
        const last = this.lastHeld.get(address);
        if (last === undefined || last.node === entry.nodeName) continue;
        assert.ok(
          this.cluster.time - last.at >= this.cluster.delayMs,
          `R7 ${entry.nodeName} got what ${last.node} had a moment ago`,
        );
      }
    }
  }

  /** New nodes have the lowest free blocks, in name order; who waits could not have been served. */
  #checkDealing(before: AnyPoolStatus, result: Plan): void {
    const spec = result.status.appliedSpec;
    if (spec === undefined) return;
    assert.equal(
      spec,
      specInForce({ ...this.cluster.read(this.key), status: result.status } as Parameters<typeof specInForce>[0]),
    );
    const statics = "cidr" in spec ? (spec.staticAllocations ?? []) : [];
    const taken = new Set<number>();
    for (const entry of [...(result.status.released ?? []), ...statics.map(asEntry)]) {
      for (const address of addressesOf(entry)) taken.add(address);
    }
    const had = new Map((before.allocations ?? []).map((entry) => [entry.nodeName, addressesOf(entry).join()]));
    const back = new Set((before.released ?? []).map((entry) => `${entry.nodeName} ${addressesOf(entry).join()}`));
    const isNew = (entry: Allocation) => {
      const addresses = addressesOf(entry).join();
      const isStatic = statics.some((item) => addressesOf(asEntry(item)).join() === addresses);
      return had.get(entry.nodeName) !== addresses && !back.has(`${entry.nodeName} ${addresses}`) && !isStatic;
    };
    for (const entry of result.status.allocations) {
      if (!isNew(entry)) for (const address of addressesOf(entry)) taken.add(address);
    }
    const free = blocksOf(spec).filter(
      (block) => isUsable(spec, block) && !block.some((address) => taken.has(address)),
    );
    const fresh = result.status.allocations.filter(isNew);
    assert.equal(
      fresh.map((entry) => addressesOf(entry).join()),
      free.slice(0, fresh.length).map((block) => block.join()),
    );
    assert.is(result.blocks.free, free.length - fresh.length);
    const waits = result.status.conditions?.find(({ type }) => type === "Ready")?.message.includes("no free") ?? false;
    if (waits) assert.is(free.length, fresh.length, "a node waits though a block is free");
  }
}

function asEntry({ prefix, nodeName = "" }: StaticAllocation): Allocation {
  return { nodeName, prefix };
}

function plainStatus(status: AnyPoolStatus): unknown {
  const { allocations, released, appliedSpec, observedGeneration, blocks, conditions } = status;
  return [allocations, released ?? [], appliedSpec, observedGeneration, blocks, conditions];
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const rest = [...items];
  return items.map(() => rest.splice(random.below(rest.length), 1)[0]).filter((item) => item !== undefined);
}

/** A spec of a network of at most 64 addresses; every fifth one is invalid. */
function randomSpec(random: Random, kind: PoolKind): Json {
  const length = 26 + random.below(3);
  const address = (offset: number) => `10.0.0.${offset}`;
  const exclusions =
    random.below(2) === 0 ? [] : [{ startIP: address(random.below(8)), endIP: address(8 + random.below(8)) }];
  const isBroken = random.below(5) === 0;
  if (kind === "IPPool") {
    const perNodeBlockSize = isBroken ? 0 : random.pick([2, 3, 4, 4, 4] as const);
    const gateway = random.below(2) === 0 ? { gateway: address(1 + random.below(14)) } : {};
    return { subnet: `10.0.0.0/${length}`, perNodeBlockSize, exclusions, ...gateway, nodeSelector: POOL_NODES };
  }
  const perNodeNetworkPrefix = isBroken ? 12 : random.pick([29, 30, 30, 30] as const);
  const step = 2 ** (32 - perNodeNetworkPrefix);
  const staticAllocations =
    random.below(3) > 0 || isBroken
      ? []
      : [
          { nodeName: random.pick(NAMES), prefix: `10.0.0.${step * random.below(2)}/${perNodeNetworkPrefix}` },
          { prefix: `10.0.0.${step * (2 + random.below(2))}/${perNodeNetworkPrefix}` },
        ];
  const gateway = random.below(2) === 0 ? { gatewayIndex: 1 } : {};
  return {
    cidr: `10.0.0.0/${length}`,
    perNodeNetworkPrefix,
    exclusions,
    staticAllocations,
    ...gateway,
    nodeSelector: POOL_NODES,
  };
}

for (const kind of ["IPPool", "CIDRPool"] as const) {
  test(`R2 R5 R7 hold in random lives of a ${kind}`, () => {
    const seed = announceSeed(`lives of a ${kind}`);
    for (let life = 0; life < 200; life++) {
      const one = new Life(randomFrom(seed + life), kind);
      for (let step = 0; step < 25; step++) one.step();
    }
  });
}

test("whatever a status holds, planning comes to rest and keeps R2", () => {
  const random = randomFrom(announceSeed("damaged statuses"));
  for (let round = 0; round < 1500; round++) {
    const kind = random.pick(["IPPool", "CIDRPool"] as const);
    const cluster = new Cluster();
    cluster.delayMs = random.below(2) === 0 ? 0 : DELAY;
    for (const name of NAMES.slice(0, 5)) cluster.addNode(name, { pool: "yes" });
    const pool = cluster.addPool(kind, "pool1", randomSpec(random, kind));
    pool.status = damagedStatus(random, kind);
    const before = JSON.stringify(pool);
    for (let look = 0; look < 3; look++) {
      const { status } = cluster.reconcile(`${kind}/pool1`);
      const addresses = status.allocations.flatMap(addressesOf);
      assert.is(new Set(addresses).size, addresses.length, before);
    }
    assert.not.ok(cluster.look(`${kind}/pool1`).changed, before);
  }
});

function damagedStatus(random: Random, kind: PoolKind): AnyPoolStatus {
  const entry = (): Allocation => {
    const nodeName = random.pick(NAMES);
    const first = random.below(60);
    if (kind === "CIDRPool") return { nodeName, prefix: `10.0.0.${first & ~3}/${29 + random.below(3)}` };
    return { nodeName, startIP: `10.0.0.${first}`, endIP: `10.0.0.${first + random.below(6) - 1}` };
  };
  const list = <T>(make: () => T) => Array.from({ length: random.below(6) }, make);
  const applied: AppliedSpec =
    kind === "IPPool"
      ? { subnet: "10.0.0.0/26", perNodeBlockSize: 1 + random.below(5) }
      : { cidr: "10.0.0.0/26", perNodeNetworkPrefix: 28 + random.below(4) };
  return {
    allocations: list(entry),
    released: list(() => ({ ...entry(), releasedAt: "", reason: "" })),
    ...(random.below(2) === 0 && { appliedSpec: applied }),
    ...(random.below(2) === 0 && {
      conditions: list(() => ({
        type: random.pick(["Ready", "OverlapsPool", "Other"] as const),
        status: "True" as const,
        reason: "",
        message: "",
        lastTransitionTime: "",
      })),
    }),
  };
}

test.run();
