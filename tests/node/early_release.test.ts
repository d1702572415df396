/** What happens to an address that a main plugin releases before the interface that has it is gone, as macvlan and ipvlan do. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ReservationItem } from "../../src/lib/inspect/report.ts";
import { need, PEERS_BIN } from "../_need.ts";
import { until } from "../cluster/_pools.ts";
import { EXECUTABLE } from "../plugin.ts";
import { ipPool } from "../standalone_daemon.ts";
import { addressHistory, KernelAddresses } from "./_kernel_addresses.ts";
import { Machine } from "./_machine.ts";
import { Reaper } from "./_reaper.ts";

need("macvlan");

const IPAM = "/nv-ipam";
const PODS = ["a", "b", "c", "d"] as const;
type Pod = (typeof PODS)[number];

const ours = new BlockList();
ours.addSubnet("10.10.0.0", 16);

const test = suite("early release");
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-early-"));
const reaper = new Reaper();
reaper.directory(directory);
const root = join(directory, "machine");
const machine = await Machine.start(
  { name: "early", root, binds: { "/opt/peers": PEERS_BIN, [IPAM]: EXECUTABLE } },
  reaper,
);
const kernel = await KernelAddresses.watch(machine);
test.after(async () => {
  await machine.end();
  await reaper.finish();
});

const ip = (command: string): Promise<string> => machine.run("ip", ...command.split(" "));
/** While this file is there, the main plugin is kept from going on when nv-ipam has released. */
const hold = join(root, "hold");

test.before(async () => {
  await ip("link add m0 type veth peer name m1");
  for (const link of ["m0", "m1"]) await ip(`link set ${link} up`);
  for (const pod of PODS) {
    await ip(`netns add ${pod}`);
    // The kernel tells of namespaces that the machine has a link into.
    await ip(`link add to-${pod} type veth peer name eth0 netns ${pod}`);
  }
  // Where the runtime waits long for the rest of the main plugin, the moment in between can be looked at.
  for (const name of ["pools", "plugins"]) mkdirSync(join(root, name));
  writeFileSync(
    join(root, "plugins/slow"),
    `#!/bin/sh
${IPAM} || exit
[ $CNI_COMMAND = DEL ] || exit 0
for i in $(seq 300); do [ -e /hold ] || exit 0; sleep 0.1; done
`,
  );
  chmodSync(join(root, "plugins/slow"), 0o755);
  const pools = [
    ipPool("wide", { subnet: "10.10.0.0/17", perNodeBlockSize: 4 }),
    ipPool("full", { subnet: "10.10.128.0/17", perNodeBlockSize: 2 }),
  ];
  writeFileSync(join(root, "pools/pools.json"), pools.map((pool) => JSON.stringify(pool)).join("\n---\n"));
  const daemon = await machine.spawn("daemon", IPAM, ["standalone", "--pools=/pools", "--node-name=n1"]);
  const served = (): Promise<boolean> =>
    machine.try(IPAM, "inspect", "pools").then(({ stdout }) => /wide.*full|full.*wide/s.test(stdout));
  // It serves before it has installed the plugin, whose configuration says that a call need not name a pod.
  const installed = (): boolean => daemon.log.includes("The plugin is in place");
  await until(
    async () => installed() && (await served()),
    "the daemon serves both pools",
    () => daemon.log,
    60_000,
  );
});

/** Calls the main plugin as a runtime does. */
async function call(command: "ADD" | "DEL", pod: Pod, pool: string): Promise<void> {
  const ipam = { type: "slow", poolName: pool };
  const config = { cniVersion: "1.0.0", name: pool, type: "macvlan", master: "m0", ipam };
  const variables = [
    `CNI_COMMAND=${command}`,
    `CNI_CONTAINERID=${pod}`,
    `CNI_NETNS=/run/netns/${pod}`,
    "CNI_IFNAME=net1",
    "CNI_PATH=/plugins",
  ];
  await machine.run("sh", "-c", `echo '${JSON.stringify(config)}' | ${variables.join(" ")} /opt/peers/macvlan`);
}

/** The containers that hold an address. */
async function holders(): Promise<readonly string[]> {
  const { items } = JSON.parse(await machine.run(IPAM, "inspect", "reservations", "-o", "json")) as {
    readonly items: readonly ReservationItem[];
  };
  return items.map(({ containerID }) => containerID);
}

/** One pod goes and another comes while the interface of the first is still there. @returns the moments of double use. */
async function replace(gone: Pod, next: Pod, pool: string): Promise<readonly string[]> {
  const before = (await doubles()).length;
  writeFileSync(hold, "");
  const deletion = call("DEL", gone, pool);
  try {
    const isReleased = async (): Promise<boolean> => !(await holders()).includes(gone);
    await until(isReleased, `the address of ${gone} is released`);
    assert.match(await ip(`-n ${gone} address show dev net1`), / 10\.10\./, "its interface has it still");
    await call("ADD", next, pool);
  } finally {
    rmSync(hold);
    await deletion;
  }
  return (await doubles()).slice(before);
}

/** The moments at which two interfaces had one address, from the beginning. */
async function doubles(): Promise<readonly string[]> {
  return addressHistory(new Map([["early", await kernel.read()]]), ours).doubles;
}

test("R1 its address is not given as long as others are free, although its turn has come", async () => {
  for (const pod of PODS) await call("ADD", pod, "wide");
  await call("DEL", "d", "wide");
  assert.equal(await replace("a", "d", "wide"), []);
  assert.equal([...(await holders())].sort(), ["b", "c", "d"]);
  for (const pod of ["b", "c", "d"] as const) await call("DEL", pod, "wide");
});

test("where no other is free it is given, and two interfaces have it until the first is gone", async () => {
  for (const pod of ["a", "b"] as const) await call("ADD", pod, "full");
  const seen = await replace("a", "c", "full");
  assert.is(seen.length, 1, seen.join("\n"));
});

test.run();
