/** What pods get on their secondary interfaces, on one node: addresses, masks, gateways and routes that work. */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must } from "../cluster/_pools.ts";
import { until } from "../cluster/_wait.ts";
import { attachment, isInBlock } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import { BRIDGED, defineNetwork, IPVLAN, interfaceNames, MACVLAN } from "./_networks.ts";
import { IPVLAN_MASTER } from "./_switch.ts";

const NODE = "n1";
const COUNTS = [1, 8] as const;

const cluster = await Cluster.start({ nodes: [NODE] });
const { pods } = cluster;
const { ipam, machine } = cluster.node(NODE);
const hasIpvlan = await canHave(IPVLAN.type, IPVLAN_MASTER);
const PLUGINS = hasIpvlan ? [MACVLAN, BRIDGED, IPVLAN] : [MACVLAN, BRIDGED];
const test = suite("interfaces");
test.after(() => cluster.remove());

// Gateways, and what is beyond them.
for (const address of ["10.10.0.1/16", "10.20.0.1/24", "10.30.0.1/24", "10.99.0.1/32", "10.98.0.1/32"]) {
  await cluster.switch.answer(address);
}
for (const address of ["10.40.0.1/16", "fd40::1/64", "fd99::1/128"]) await cluster.switch.answer(address);
const flat = { subnet: "10.10.0.0/16", perNodeBlockSize: 100, gateway: "10.10.0.1" };
const divided = { perNodeNetworkPrefix: 24, gatewayIndex: 1 };
const four = { subnet: "10.40.0.0/16", perNodeBlockSize: 10, gateway: "10.40.0.1" };
const six = { subnet: "fd40::/64", perNodeBlockSize: 10, gateway: "fd40::1", routes: [{ dst: "fd99::/64" }] };
await Promise.all([
  cluster.definePool("IPPool", "flat", flat),
  cluster.definePool("CIDRPool", "routed", { cidr: "10.20.0.0/16", ...divided, routes: [{ dst: "10.99.0.0/16" }] }),
  cluster.definePool("CIDRPool", "edge", { cidr: "10.30.0.0/16", ...divided, defaultGateway: true }),
  cluster.definePool("IPPool", "four", four),
  cluster.definePool("IPPool", "six", six),
  ...PLUGINS.map((plugin) => defineNetwork(cluster, plugin.type, plugin, { poolName: "flat" })),
  defineNetwork(cluster, "routed", MACVLAN, { poolName: "routed", poolType: "cidrpool" }),
  // Without a pool's name it is that of the network.
  defineNetwork(cluster, "edge", BRIDGED, { poolType: "CIDRPool" }),
  defineNetwork(cluster, "dual", MACVLAN, { poolName: "four,six" }),
]);
const many = PLUGINS.flatMap(({ type }) =>
  COUNTS.map((count) => ({ name: `${type}-${count}`, node: NODE, networks: interfaceNames(count).map(() => type) })),
);
const one = ["routed", "edge", "dual"].map((name) => ({ name, node: NODE, networks: [name] }));
await pods.run(...many, ...one);

/** Whether the kernel has this type of link. */
async function canHave(type: string, master: string): Promise<boolean> {
  const made = await machine.try("ip", "link", "add", "probe0", "link", master, "type", type);
  if (made.exit === 0) await machine.run("ip", "link", "delete", "probe0");
  return made.exit === 0;
}

/** What the main plugin of the only pod with a network answered to Multus. */
function resultOf(network: string): { readonly ips: readonly unknown[] } {
  const [file = "", ...others] = globSync(machine.path(`/var/lib/cni/multus/results/${network}-*`));
  assert.equal(others, []);
  return JSON.parse(readFileSync(file, "utf8")).result;
}

for (const { type } of PLUGINS) {
  for (const count of COUNTS) {
    test(`a pod has ${count} ${type} interface${count > 1 ? "s" : ""} with addresses of its node's block`, async () => {
      const name = `${type}-${count}`;
      const inside = cluster.inside(name);
      assert.equal(await inside.interfaces(), ["eth0", ...interfaceNames(count)]);
      assert.equal(await inside.gatewayRoutes(), []);
      await inside.separateInterfaces();
      for (const ifname of interfaceNames(count)) {
        const { addresses, gateways } = await attachment(cluster, name, ifname);
        assert.is(addresses.length, 1);
        assert.match(addresses[0] ?? "", /^10\.10\.0\.\d+\/16$/);
        assert.equal(gateways, []);
        await inside.ping("10.10.0.1", ifname);
      }
    });
  }
}

if (!hasIpvlan) {
  console.log("left out: this kernel has no ipvlan, so pods with it do not start");
  test("a pod whose main plugin fails holds nothing between two attempts, nor when it is gone", async () => {
    await defineNetwork(cluster, "impossible", IPVLAN, { poolName: "flat" });
    await pods.create({ name: "impossible", node: NODE, networks: ["macvlan", "impossible"] });
    await pods.untilEvent("impossible", /ipvlan/);
    let held: readonly unknown[] = [];
    const holdsNothing = async (): Promise<boolean> => {
      held = (await ipam.reservations()).filter(({ pod }) => pod?.name === "impossible");
      return held.length === 0;
    };
    await until(holdsNothing, "the pod holds nothing", () => JSON.stringify(held));
    await pods.remove("impossible");
    assert.ok(await holdsNothing(), JSON.stringify(held));
  });
}

test("R1 no address is held twice", async () => {
  const held = (await ipam.reservations()).flatMap(({ addresses }) => addresses);
  assert.is(held.length, PLUGINS.length * (1 + 8) + 2 + 2);
  assert.is(new Set(held).size, held.length);
});

test("each reservation has the name of its network, so that CNI GC finds it", async () => {
  const networks = new Set((await ipam.reservations()).map(({ network }) => network));
  assert.equal([...networks].sort(), [...PLUGINS.map(({ type }) => type), "dual", "edge", "routed"].sort());
});

test("pods whose addresses are of one network reach each other, whatever their main plugins are", async () => {
  for (const { type } of PLUGINS) {
    const [address = ""] = (await attachment(cluster, `${type}-1`, "net1")).addresses;
    for (const other of PLUGINS) {
      const inside = cluster.inside(`${other.type}-8`);
      for (const ifname of interfaceNames(8)) await inside.ping(address.split("/")[0] ?? "", ifname);
    }
  }
});

test("a prefix of a CIDRPool has its own gateway, through which its routes lead", async () => {
  const { addresses } = await attachment(cluster, "routed", "net1");
  assert.match(addresses.join(), /^10\.20\.0\.\d+\/24$/);
  const inside = cluster.inside("routed");
  assert.equal(await inside.gatewayRoutes(), [{ dst: "10.99.0.0/16", gateway: "10.20.0.1", dev: "net1" }]);
  await inside.ping("10.20.0.1");
  await inside.ping("10.99.0.1");
});

test("a CIDRPool's gateway is the default one where the pool says so", async () => {
  const { addresses, gateways } = await attachment(cluster, "edge", "net1");
  assert.match(addresses.join(), /^10\.30\.0\.\d+\/24$/);
  assert.equal(gateways, ["10.30.0.1"]);
  const inside = cluster.inside("edge");
  assert.equal(await inside.gatewayRoutes(), [{ dst: "default", gateway: "10.30.0.1", dev: "net1" }]);
  await inside.ping("10.98.0.1");
});

test("an interface has an IPv4 and an IPv6 address of two pools, each with its gateway", async () => {
  const { addresses, gateways } = await attachment(cluster, "dual", "net1");
  assert.match(addresses.join(), /^10\.40\.0\.\d+\/16,fd40::[0-9a-f]+\/64$/);
  const inside = cluster.inside("dual");
  assert.equal(resultOf("dual").ips, [
    { address: addresses[0], gateway: "10.40.0.1", interface: 0 },
    { address: addresses[1], gateway: "fd40::1", interface: 0 },
  ]);
  // Multus tells of default gateways alone.
  assert.equal(gateways, []);
  assert.equal(await inside.gatewayRoutes(), []);
  assert.equal(await inside.gatewayRoutes(6), [{ dst: "fd99::/64", gateway: "fd40::1", dev: "net1" }]);
  for (const address of ["10.40.0.1", "fd40::1", "fd99::1"]) await inside.ping(address);
});

test("when the pods are gone, so are their reservations", async () => {
  await pods.remove(...pods.all.map(({ metadata }) => metadata.name));
  assert.equal(await ipam.reservations(), []);
  assert.equal(
    (await ipam.pools()).map(({ pool, addresses: { used } }) => `${pool} ${used}`).sort(),
    ["edge", "flat", "four", "routed", "six"].map((name) => `${name} 0`),
  );
});

test("as the network that containerd itself knows it gives pods their first address, and the node says why it is not ready", async () => {
  const plugin = { ...BRIDGED, ipam: { type: "nv-ipam", poolName: "flat" } };
  // Only from this version on runtimes ask for STATUS.
  const list = { cniVersion: "1.1.0", name: "first", plugins: [plugin] };
  writeFileSync(machine.path("/etc/cni/net.d/00-multus.conflist"), JSON.stringify(list));
  await ipam.process.end("SIGTERM");
  await cluster.untilCondition(NODE, "Ready", "False", /nv-ipam node daemon cannot be reached/);
  await ipam.start();
  await cluster.untilCondition(NODE, "Ready", "True");
  await pods.run({ name: "plain", node: NODE });
  assert.equal(await cluster.inside("plain").interfaces(), ["eth0"]);
  const addresses = await cluster.inside("plain").addresses("eth0");
  const held = (await ipam.reservations()).flatMap((item) => item.addresses);
  assert.equal(
    addresses,
    held.map((address) => `${address}/16`),
  );
  assert.equal(
    pods.get("plain")?.status?.podIPs?.map(({ ip }) => ip),
    held,
  );
  assert.ok(isInBlock(must(await cluster.pools.get("IPPool", "flat")), NODE, held[0] ?? ""));
  await cluster.inside("plain").ping("10.10.0.1");
  await pods.remove("plain");
  assert.equal(await ipam.reservations(), []);
});

test.run();
