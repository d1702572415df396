/** Two nodes on one secondary network: pods that reach each other, nodes that go and come back. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must } from "../cluster/_pools.ts";
import { until } from "../cluster/_wait.ts";
import { attachment } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import { BRIDGED, defineNetwork, MACVLAN } from "./_networks.ts";

const NODES = ["n1", "n2"] as const;
const cluster = await Cluster.start({ nodes: NODES });
const { pods, pools } = cluster;
const test = suite("two nodes");
test.after(() => cluster.remove());

for (const gateway of ["10.20.0.1/24", "10.20.1.1/24"]) await cluster.switch.answer(gateway);
const routed = { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1, routes: [{ dst: "10.20.0.0/16" }] };
await Promise.all([
  cluster.definePool("IPPool", "four", { subnet: "10.40.0.0/16", perNodeBlockSize: 10, gateway: "10.40.0.1" }),
  cluster.definePool("IPPool", "six", { subnet: "fd40::/64", perNodeBlockSize: 10 }),
  cluster.definePool("CIDRPool", "routed", routed),
  defineNetwork(cluster, "dual", MACVLAN, { poolName: "four,six" }, { capabilities: { ips: true } }),
  defineNetwork(cluster, "routed", BRIDGED, { poolName: "routed", poolType: "cidrpool" }),
]);
await pods.run(
  ...NODES.flatMap((node) =>
    ["a", "b"].map((name) => ({ name: `${name}-${node}`, node, networks: ["dual", "routed"], forced: true })),
  ),
);

const POOLS = [
  ["IPPool", "four"],
  ["IPPool", "six"],
  ["CIDRPool", "routed"],
] as const;

/** The blocks of a node, of all pools. */
async function blocksOf(node: string): Promise<readonly string[]> {
  const all = await Promise.all(POOLS.map(([kind, name]) => pools.blocks(kind, name)));
  return all.flat().filter((block) => block.startsWith(`${node} `));
}

async function untilBlocksOf(node: string, count: number): Promise<void> {
  let blocks: readonly string[] = [];
  await until(
    async () => {
      blocks = await blocksOf(node);
      return blocks.length === count;
    },
    `${node} has ${count} blocks`,
    () => blocks,
  );
}

/** Waits until so many addresses of a node are reserved. */
async function untilReserved(node: string, count: number): Promise<void> {
  let reservations: readonly unknown[] = [];
  await until(
    async () => {
      reservations = await cluster.node(node).ipam.reservations();
      return reservations.length === count;
    },
    `${count} addresses of ${node} are reserved`,
    () => JSON.stringify(reservations),
    // Kubelet looks each minute for containers that nobody wants, and once more when one could not be removed.
    200_000,
  );
}

async function bareAddresses(pod: string, ifname: string): Promise<readonly string[]> {
  return (await attachment(cluster, pod, ifname)).addresses.map((address) => address.split("/")[0] ?? "");
}

test("R1 pods of two nodes hold different addresses and reach each other by IPv4 and IPv6", async () => {
  const names = pods.all.map(({ metadata }) => metadata.name);
  const held = new Map<string, readonly string[]>();
  for (const name of names) held.set(name, await bareAddresses(name, "net1"));
  const all = [...held.values()].flat();
  assert.is(all.length, 2 * names.length);
  assert.is(new Set(all).size, all.length);
  for (const address of held.get("a-n2") ?? []) await cluster.inside("a-n1").ping(address);
  for (const address of held.get("b-n1") ?? []) await cluster.inside("b-n2").ping(address);
});

test("pods of two nodes with a prefix each reach each other through the gateways of their prefixes", async () => {
  const [one = ""] = await bareAddresses("a-n1", "net2");
  const [other = ""] = await bareAddresses("a-n2", "net2");
  assert.not.equal(one.split(".")[2], other.split(".")[2]);
  await cluster.inside("a-n1").ping(other);
  await cluster.inside("a-n2").ping(one);
});

test("R10 a static address in another node's block is refused, in words that the pod's events have", async () => {
  const [address = ""] = await bareAddresses("a-n2", "net1");
  await pods.create({ name: "greedy", node: "n1", networks: [{ name: "dual", ips: [address, "fd40::500"] }] });
  await pods.untilEvent("greedy", /block of another node/);
  await pods.remove("greedy");
});

test("a node that lost its power brings its pods up again, and no address is lost or held twice", async () => {
  const names = ["a-n2", "b-n2"];
  const before = new Map(names.map((name) => [name, pods.get(name)?.status?.containerStatuses?.[0]?.containerID]));
  await cluster.node("n2").machine.end();
  await cluster.bootNode("n2");
  await until(
    () =>
      names.every((name) => {
        const [container] = pods.get(name)?.status?.containerStatuses ?? [];
        return container?.ready === true && container.containerID !== before.get(name);
      }),
    "the pods have new containers",
    () => names.map((name) => JSON.stringify(pods.get(name)?.status)).join("\n"),
    180_000,
  );
  // What the former containers held is freed as soon as kubelet has taken them down.
  await untilReserved("n2", 2 * 3);
  for (const name of names) for (const ifname of ["net1", "net2"]) await attachment(cluster, name, ifname);
  await cluster.inside("a-n1").ping((await bareAddresses("a-n2", "net1"))[0] ?? "");
});

test("R7 the block of a node that was removed rests, and is its own again when it comes back; its former pods hold nothing", async () => {
  const before = await blocksOf("n2");
  assert.is(before.length, 3);
  await cluster.node("n2").machine.end();
  await pools.deleteNode("n2");
  // As the cluster removes the pods of a node that is gone.
  await pods.remove("a-n2", "b-n2");
  await untilBlocksOf("n2", 0);
  for (const [kind, name] of POOLS) {
    const { status } = must(await pools.get(kind, name));
    assert.equal(
      status?.released?.map(({ nodeName }) => nodeName),
      ["n2"],
    );
  }
  // Another node gets other blocks meanwhile.
  await pools.addNode("n3");
  await untilBlocksOf("n3", 3);
  const others = (await blocksOf("n3")).map((block) => block.replace("n3 ", "n2 "));
  assert.equal(
    others.filter((block) => before.includes(block)),
    [],
  );

  await cluster.bootNode("n2");
  await untilBlocksOf("n2", 3);
  assert.equal(await blocksOf("n2"), before);
  // What pods held that are gone is free.
  await untilReserved("n2", 0);
  await pods.run({ name: "c-n2", node: "n2", networks: ["dual", "routed"] });
  for (const address of await bareAddresses("c-n2", "net1")) await cluster.inside("a-n1").ping(address);
});

/** It takes over a minute: the controller looks again each minute. scripts/node_tests asks for it. */
if (process.env.NODE_TESTS === "whole") {
  test("R7 the block of a node that does not match any more rests as long as one of its pods has an address of it", async () => {
    const delay = "--block-release-delay=1s";
    await Promise.all(cluster.controllers.map(({ process }) => process.end("SIGTERM")));
    await cluster.startController(delay);
    await pools.label("n1", { rack: "a", idle: "a" });
    for (const [name, subnet] of [
      ["rack", "10.60.0.0/24"],
      ["idle", "10.70.0.0/24"],
    ] as const) {
      const matchExpressions = [{ key: name, operator: "In", values: ["a"] }];
      const nodeSelector = { nodeSelectorTerms: [{ matchExpressions }] };
      await pools.untilCreated("IPPool", name, { subnet, perNodeBlockSize: 4, nodeSelector });
    }
    await pools.untilBlocks("IPPool", "rack", ["n1 10.60.0.1-10.60.0.4"]);
    await pools.untilBlocks("IPPool", "idle", ["n1 10.70.0.1-10.70.0.4"]);
    await defineNetwork(cluster, "rack", MACVLAN, { poolName: "rack" });
    await pods.run({ name: "stays", node: "n1", networks: ["rack"] });
    await pools.label("n1", { rack: "b" });
    let released: readonly unknown[] = [];
    const rests = async (name: string): Promise<number> => {
      released = must(await pools.get("IPPool", name)).status?.released ?? [];
      return released.length;
    };
    const untilResting = async (name: string, count: number, limitMs?: number): Promise<void> => {
      await until(
        async () => (await rests(name)) === count,
        `${count} blocks of ${name} rest`,
        () => JSON.stringify(released),
        limitMs,
      );
    };
    await untilResting("rack", 1);
    await pools.label("n2", { rack: "a" });
    await pools.untilBlocks("IPPool", "rack", ["n2 10.60.0.5-10.60.0.8"]);

    // A block that no pod has an address of is given up later, and is free after the same delay: that of the other is over.
    await pools.label("n1", { idle: "b" });
    await pools.untilBlocks("IPPool", "idle", []);
    await untilResting("idle", 0);
    assert.is(await rests("rack"), 1);
    await pods.remove("stays");
    await untilResting("rack", 0, 150_000);
    await pools.label("n1", { rack: "a" });
    await pools.untilBlocks("IPPool", "rack", ["n1 10.60.0.1-10.60.0.4", "n2 10.60.0.5-10.60.0.8"]);
  });
}

test.run();
