/** What a pod can ask for in Multus' annotation, on one node: given, or refused in words that its events have. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { attachment } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import { BRIDGED, defineNetwork, MACVLAN } from "./_networks.ts";
import type { NetworkChoice } from "./_pods.ts";

for (const plugin of ["bridge", "host-device", "macvlan"] as const) need(plugin);

const NODE = "n1";
const cluster = await Cluster.start({ nodes: [NODE] });
const { pods } = cluster;
const { ipam } = cluster.node(NODE);
const test = suite("requests");
test.after(() => cluster.remove());

const DEVICE = "0000:03:00.1";
/** A link of the node that is given to one pod as it is. */
const LINK = "hostlink";

/**
 * Pods whose requests are granted: what they ask for, the addresses that they get, and how the daemon calls that. Where an
 * address has a star, any of the node's block will do: a pod that is set up again gets the next one.
 */
const GRANTED: Readonly<Record<string, readonly [choice: NetworkChoice, addresses: readonly string[], how: string]>> = {
  "ips-capability": [{ name: "capable", ips: ["10.10.200.1/24"] }, ["10.10.200.1/16"], "static"],
  "cni-args": [{ name: "flat", "cni-args": { ips: ["10.10.200.2"] } }, ["10.10.200.2/16"], "static"],
  "ip-in-cni-args": [{ name: "flat", ips: ["10.10.200.3"] }, ["10.10.200.3/16"], "static"],
  "excluded-address": [{ name: "flat", "cni-args": { ips: ["10.10.0.9"] } }, ["10.10.0.9/16"], "static"],
  "two-static": [{ name: "dual", ips: ["fd40::99", "10.40.0.99"] }, ["10.40.0.99/16", "fd40::99/64"], "static"],
  index: [{ name: "flat", "cni-args": { allocateIPWithIndex: 20 } }, ["10.10.0.21/16"], "index"],
  "index-of-prefix": [{ name: "routed", "cni-args": { allocateIPWithIndex: 4 } }, ["10.20.0.5/24"], "index"],
  gateway: [{ name: "flat", "cni-args": { allocateDefaultGateway: true } }, ["10.10.0.1/16"], "gateway"],
  "gateway-of-prefix": [{ name: "routed", "cni-args": { allocateDefaultGateway: true } }, ["10.20.0.1/24"], "gateway"],
  device: [{ name: "device" }, ["10.40.0.*/16"], "dynamic"],
  "host-device": [{ name: "host-device" }, ["10.70.0.*/24"], "dynamic"],
  "other-pool": [{ name: "flat", "cni-args": { poolNames: ["other"] } }, ["10.80.0.*/24"], "dynamic"],
  "other-kind": [
    { name: "flat", "cni-args": { poolNames: ["routed"], poolType: "cidrpool" } },
    ["10.20.0.*/24"],
    "dynamic",
  ],
};

/** Pods whose requests are refused, and with which words. */
const REFUSED: Readonly<Record<string, readonly [choice: NetworkChoice, words: RegExp]>> = {
  taken: [{ name: "flat", "cni-args": { ips: ["10.10.200.2"] } }, /10\.10\.200\.2 is already reserved on this node/],
  elsewhere: [
    { name: "flat", "cni-args": { ips: ["10.11.0.1"] } },
    /10\.11\.0\.1 can be given on this node by none of the pools of the request/,
  ],
  "index-too-high": [
    { name: "flat", "cni-args": { allocateIPWithIndex: 100 } },
    /index 100 is outside this node's block 10\.10\.0\.1/,
  ],
  "no-gateway": [
    { name: "flat", "cni-args": { poolNames: ["four"], allocateDefaultGateway: true } },
    /has no gateway on this node/,
  ],
  "misspelt-kind": [{ name: "flat", "cni-args": { poolType: "pool" } }, /poolType must be ippool or cidrpool/],
};

const exclusions = [{ startIP: "10.10.0.5", endIP: "10.10.0.9" }];
const flat = { subnet: "10.10.0.0/16", perNodeBlockSize: 100, gateway: "10.10.0.1", exclusions };
await Promise.all([
  cluster.definePool("IPPool", "flat", flat),
  cluster.definePool("CIDRPool", "routed", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 }),
  cluster.definePool("IPPool", "four", { subnet: "10.40.0.0/16", perNodeBlockSize: 10 }),
  cluster.definePool("IPPool", "six", { subnet: "fd40::/64", perNodeBlockSize: 10 }),
  cluster.definePool("IPPool", "small", { subnet: "10.50.0.0/24", perNodeBlockSize: 2 }),
  defineNetwork(cluster, "flat", MACVLAN, { poolName: "flat" }),
  defineNetwork(cluster, "capable", MACVLAN, { poolName: "flat" }, { capabilities: { ips: true } }),
  defineNetwork(cluster, "routed", BRIDGED, { poolName: "routed", poolType: "cidrpool" }),
  defineNetwork(cluster, "dual", MACVLAN, { poolName: "four,six" }, { capabilities: { ips: true } }),
  cluster.definePool("IPPool", "moved", { subnet: "10.70.0.0/24", perNodeBlockSize: 2 }),
  cluster.definePool("IPPool", "other", { subnet: "10.80.0.0/24", perNodeBlockSize: 2 }),
  cluster.node(NODE).machine.run("ip", "link", "add", LINK, "type", "veth", "peer", "name", `${LINK}-peer`),
  defineNetwork(cluster, "device", MACVLAN, { poolName: "four" }, { deviceID: DEVICE }),
  defineNetwork(cluster, "host-device", { type: "host-device", device: LINK }, { poolName: "moved" }),
  defineNetwork(cluster, "small", MACVLAN, { poolName: "small" }),
  defineNetwork(cluster, "late", MACVLAN, { poolName: "late" }),
]);
const fills = ["small-1", "small-2"].map((name) => ({ name, node: NODE, networks: ["small"] }));
const granted = Object.entries(GRANTED).map(([name, [choice]]) => ({ name, node: NODE, networks: [choice] }));
await pods.run(...granted, ...fills);
const refused = Object.entries(REFUSED).map(([name, [choice]]) => ({ name, node: NODE, networks: [choice] }));
await pods.create(
  ...refused,
  { name: "waits-for-address", node: NODE, networks: ["small"] },
  { name: "waits-for-pool", node: NODE, networks: ["late"] },
);

for (const [name, [, addresses, how]] of Object.entries(GRANTED)) {
  test(`pod ${name} gets ${addresses.join(" and ")}`, async () => {
    const seen = await attachment(cluster, name, "net1", how === "static" ? "static" : "dynamic");
    const pattern = addresses.join().replaceAll(".", "\\.").replace("*", "\\d+");
    assert.match(seen.addresses.join(), new RegExp(`^${pattern}$`));
    const held = (await ipam.reservations()).filter(({ pod }) => pod?.name === name);
    assert.equal([...new Set(held.map((item) => item.how))], [how]);
  });
}

test("the device of a network config is noted beside the address", async () => {
  const held = (await ipam.reservations()).filter(({ deviceID }) => deviceID !== "");
  assert.equal(
    held.map(({ pod, deviceID }) => [pod?.name, deviceID]),
    [["device", DEVICE]],
  );
});

for (const [name, [, words]] of Object.entries(REFUSED)) {
  test(`pod ${name} is told why it gets no address`, async () => {
    await pods.untilEvent(name, words);
  });
}

test("a pod of an exhausted pool says so in its events, and starts when an address is freed", async () => {
  await pods.untilEvent(
    "waits-for-address",
    /IPPool "small": no free address in this node's block 10\.50\.0\.1-10\.50\.0\.2/,
  );
  await pods.remove("small-1");
  await pods.untilRunning("waits-for-address");
  await attachment(cluster, "waits-for-address", "net1");
});

test("a pod of an unknown pool says so in its events, and starts when the pool is there", async () => {
  await pods.untilEvent("waits-for-pool", /IPPool "late": there is no IPPool of this name; create it/);
  await cluster.definePool("IPPool", "late", { subnet: "10.60.0.0/24", perNodeBlockSize: 2 });
  await pods.untilRunning("waits-for-pool");
  await attachment(cluster, "waits-for-pool", "net1");
});

test("pods that come back under their names leave nothing reserved", async () => {
  // The block has room for these pods alone.
  await pods.remove("small-2", "waits-for-address");
  const set = ["set-0", "set-1"].map((name) => ({ name, node: NODE, networks: ["small"] }));
  const names = set.map(({ name }) => name);
  for (let round = 0; round < 4; round++) {
    await pods.run(...set);
    for (const name of names) await attachment(cluster, name, "net1");
    await pods.remove(...names);
  }
});

test("when the pods are gone, so are their reservations", async () => {
  await pods.remove(...pods.all.map(({ metadata }) => metadata.name));
  assert.equal(await ipam.reservations(), []);
  await cluster.node(NODE).machine.run("ip", "link", "show", LINK);
});

test.run();
