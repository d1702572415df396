/** What users do with secondary networks, on one node. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { attachment } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import type { NetworkChoice } from "./_pods.ts";
import { BRIDGE, MASTER } from "./_switch.ts";

const NODE = "n1";
const cluster = await Cluster.start({ nodes: [NODE] });
const { pods } = cluster;
const test = suite("node");
test.after(() => cluster.remove());

const MACVLAN = { type: "macvlan", master: MASTER, mode: "bridge" };
const PLUGINS = [MACVLAN, { type: "bridge", bridge: BRIDGE }] as const;
const IPVLAN = { type: "ipvlan", master: MASTER, mode: "l2" };

/** A network whose addresses come from these pools. */
async function network(name: string, plugin: object, ipam: object, more: object = {}): Promise<void> {
  const config = { cniVersion: "1.0.0", name, ...plugin, ipam: { type: "nv-ipam", ...ipam }, ...more };
  await cluster.defineNetwork(name, config);
}

async function run(name: string, ...networks: readonly NetworkChoice[]): Promise<void> {
  await pods.run({ name, node: NODE, networks });
}

/** Numbers of the interfaces that Multus adds. */
const interfaces = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `net${index + 1}`);

async function interfacesWork(plugin: { readonly type: string }, count: number): Promise<void> {
  const name = `${plugin.type}-${count}`;
  await run(name, ...interfaces(count).map(() => plugin.type));
  const inside = cluster.inside(name);
  assert.equal(await inside.interfaces(), ["eth0", ...interfaces(count)]);
  const seen = new Set<string>();
  for (const ifname of interfaces(count)) {
    const { addresses } = await attachment(cluster, name, ifname);
    assert.is(addresses.length, 1);
    assert.match(addresses[0] ?? "", /^10\.10\.0\.\d+\/16$/);
    seen.add(addresses[0] ?? "");
  }
  assert.is(seen.size, count, "no address twice");
  await inside.ping("10.10.0.1");
  await pods.remove(name);
  assert.equal(await cluster.node(NODE).ipam.reservations(), []);
}

test.before(async () => {
  await cluster.switch.answer("10.10.0.1/16");
  await cluster.definePool("IPPool", "flat", { subnet: "10.10.0.0/16", perNodeBlockSize: 100, gateway: "10.10.0.1" });
  for (const plugin of [...PLUGINS, IPVLAN]) await network(plugin.type, plugin, { poolName: "flat" });
});

for (const plugin of PLUGINS) {
  for (const count of [1, 8]) {
    test(`a pod has ${count} ${plugin.type} interfaces with addresses of its node's block`, () =>
      interfacesWork(plugin, count));
  }
}

test.run();
