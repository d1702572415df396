/** `nv-ipam inspect` against a real API server with pools, nodes and pods; kubectl.test.ts has it as a plugin of kubectl. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Resource } from "../../src/lib/kube/object.ts";
import { schemaErrors } from "../inspect/_schema.ts";
import { EXECUTABLE } from "../plugin.ts";
import { runProgram } from "../program.ts";
import { NodeDaemon } from "./_node.ts";
import { installOriginalCrds, type Json, must, Pools, until } from "./_pools.ts";
import { PODS, Shop } from "./_shop.ts";

const EVENTS: Resource = { group: "", version: "v1", plural: "events" };

const shop = await Shop.open();
const test = suite("inspect in a cluster");
test.after(() => shop.remove());
const { server, client, pools } = shop;

test("pools are shown with their blocks, and what pods use of them", async () => {
  const { items } = await shop.document("pools");
  assert.equal(
    items.map(({ pool, poolKind, blocks, addresses, problem }) => ({ pool, poolKind, blocks, addresses, problem })),
    [
      {
        pool: "pool1",
        poolKind: "IPPool",
        blocks: { total: "31", allocated: "2", free: "29", resting: "0" },
        addresses: { total: "16", excluded: "3", used: "1", free: "12" },
        problem: "",
      },
      {
        pool: "routed",
        poolKind: "CIDRPool",
        blocks: { total: "256", allocated: "3", free: "253", resting: "0" },
        addresses: { total: "768", excluded: "9", used: "0", free: "759" },
        problem: "",
      },
    ],
  );
  const { stdout, stderr } = await shop.inspect("pools");
  assert.is(stderr, `nv-ipam inspect: read from the API server ${server.url}\n`);
  assert.match(stdout, /\nIPPool +pool1 +10\.0\.0\.0\/24 +10\.0\.0\.1 +2\/31 +1 +12 +-\n/);
});

test("a node is shown with its block of each pool, or why it has none", async () => {
  const blocks = async (node: string) => {
    const { pools: items } = (await shop.document("node", node)) as unknown as { pools: readonly Json[] };
    return items.map(({ pool, block, problem }) => [pool, (block as Json | null)?.startIP, problem]);
  };
  assert.equal(await blocks("a"), [
    ["pool1", "10.0.0.1", ""],
    ["routed", "10.20.0.0", ""],
  ]);
  assert.equal(await blocks("c"), [
    ["pool1", undefined, "its nodeSelector does not choose c"],
    ["routed", "10.20.2.0", ""],
  ]);
  const none = await shop.inspect("node", "z");
  assert.equal([none.exit, none.stdout, none.stderr], [1, "", "nv-ipam inspect: there is no node z\n"]);
});

const addresses: readonly [address: string, summary: RegExp][] = [
  [
    "10.0.0.1",
    /^10\.0\.0\.1: in the block 10\.0\.0\.1-10\.0\.0\.8 of a in IPPool\/pool1, the gateway, .*; nobody has it$/,
  ],
  ["10.0.0.2", /; shown by pod shop\/web interface net1 on a$/],
  ["10.0.0.3", /of a in IPPool\/pool1, excluded, /],
  ["10.0.0.99", /in IPPool\/pool1, in no node's block; nobody has it$/],
  ["10.20.1.255", /of b in CIDRPool\/routed, the broadcast address/],
  ["192.0.2.1", /^192\.0\.2\.1: in no pool; nobody has it$/],
];
for (const [address, summary] of addresses) {
  test(`${address} is told`, async () => assert.match(String((await shop.document("ip", address)).summary), summary));
}

interface Interface extends Json {
  readonly pools: readonly Json[];
}

async function interfacesOf(name: string): Promise<readonly Interface[]> {
  return (await shop.document("pod", `shop/${name}`)).interfaces as unknown as readonly Interface[];
}

test("a pod that runs is shown with its pool, address and block", async () => {
  const [net1] = await interfacesOf("web");
  const { pool, addresses: held, block, problem } = net1?.pools[0] ?? {};
  assert.equal([net1?.ifname, net1?.network, net1?.ipam], ["net1", "shop/net-a", "nv-ipam"]);
  assert.equal([pool, held, block, problem], ["pool1", ["10.0.0.2"], { startIP: "10.0.0.1", endIP: "10.0.0.8" }, ""]);
});

test("a pod that does not start is shown with the reason for each interface", async () => {
  const networks = [
    { name: "net-a" },
    { name: "net-b" },
    { name: "net-c" },
    { name: "net-d" },
    { name: "net-a", "cni-args": { poolNames: ["routed"] } },
    { name: "net-a", "cni-args": { poolNames: ["pool1", "routed"], poolType: "cidrpool" } },
  ];
  const uid = await shop.addPod("waits", "c", [], JSON.stringify(networks));
  const involvedObject = { kind: "Pod", namespace: "shop", name: "waits", uid };
  const event = { metadata: { name: "waits.1" }, involvedObject, type: "Warning", reason: "FailedCreatePodSandBox" };
  const said = { message: "plugin type=nv-ipam failed", count: 7, lastTimestamp: "2026-11-22T08:00:00Z" };
  must(await client.create(EVENTS, "shop", { apiVersion: "v1", kind: "Event", ...event, ...said }));

  const reasons = (await interfacesOf("waits")).map(({ problem, pools: of }) =>
    [problem, ...of.map((each) => each.problem)].filter((text) => text !== ""),
  );
  assert.equal(reasons, [
    ["its nodeSelector does not choose c"],
    ["its addresses come from host-local, not from nv-ipam"],
    ["there is no IPPool pool2; did you mean pool1?"],
    ["there is no NetworkAttachmentDefinition shop/net-d"],
    ["there is no IPPool routed, but CIDRPool/routed: set poolType"],
    ["there is no CIDRPool pool1, but IPPool/pool1: set poolType", "no address yet"],
  ]);
  const { events, problems } = await shop.document("pod", "waits", "-n", "shop");
  const { lastTimestamp: lastSeen, ...rest } = said;
  assert.equal([events, problems], [[{ reason: event.reason, ...rest, lastSeen }], []]);
  const table = await shop.inspect("pod", "shop/waits");
  assert.match(table.stdout, /^Pod shop\/waits on c: Pending\n/);
  assert.match(
    table.stdout,
    /\nEvent: 2026-11-22T08:00:00Z FailedCreatePodSandBox \(7x\): plugin type=nv-ipam failed\n$/,
  );
});

test("a pod on a node whose block is full, or whose daemon is not ready, is told why it waits", async () => {
  for (const last of [9, 10, 11, 12, 13, 14, 15, 16])
    await shop.addPod(`full-${last}`, "b", [`10.0.0.${last}`], "net-a");
  await shop.addPod("too-many", "b", [], "net-a");
  const [net1] = await interfacesOf("too-many");
  assert.is(net1?.pools[0]?.problem, "no free address in b's block: all usable ones are shown by pods");
  const labels = { app: "nvidia-k8s-ipam", name: "nv-ipam-node" };
  const spec = { nodeName: "a", containers: [{ name: "c", image: "x" }] };
  const metadata = { name: "nv-ipam-node-ds-1", labels };
  must(await client.create(PODS, "kube-system", { apiVersion: "v1", kind: "Pod", metadata, spec }));
  const { problems } = await shop.document("pod", "shop/too-many");
  assert.equal(problems, ["no node daemon is ready on b: no address is given there until it is" as unknown as Json]);
  const unscheduled = await shop.addPod("unscheduled", "", [], "net-a");
  assert.not.equal(unscheduled, "");
  const waits = await shop.document("pod", "shop/unscheduled");
  assert.equal(waits.problems, ["it is on no node yet: the scheduler has not placed it" as unknown as Json]);
  const nobody = await shop.inspect("pod", "shop/nobody");
  assert.equal([nobody.exit, nobody.stderr], [1, "nv-ipam inspect: there is no pod shop/nobody\n"]);
});

test("a check finds a full block, R1 doubles, and blocks that the controller has not dealt, and exits with 1", async () => {
  await shop.addPod("double", "a", ["10.0.0.9"], "net-a");
  await shop.addPod("others", "a", ["10.0.0.12"], "net-b", "shop/net-b");
  await pools.addNode("d");
  const { items } = await shop.document("check");
  assert.equal(
    items.map(({ severity, reason, pool, node }) => [severity, reason, pool, node].join(" ")),
    [
      "error AddressHeldTwice pool1 b",
      "error NodeWithoutBlock pool1 ",
      "error NodeWithoutBlock routed ",
      "error OutsideBlock pool1 a",
      "warning Exhausted pool1 b",
      "warning UnknownPool pool2 ",
    ],
  );
  assert.is((await shop.inspect("check")).exit, 1);
  const ignored = "--ignore=AddressHeldTwice,NodeWithoutBlock,OutsideBlock";
  assert.is((await shop.inspect("check", ignored)).exit, 1);
  assert.is((await shop.inspect("check", ignored, "--fail-on=error")).exit, 0);
});

test("R2 R3 on a node the daemon tells its pods: what is not reserved is found", async () => {
  const daemon = new NodeDaemon({ kubeconfig: server.kubeconfig, namespace: "kube-system", nodeName: "a" });
  try {
    await daemon.start();
    const place = `--daemon-socket=unix://${daemon.socket}`;
    const found = async () => {
      const { stdout } = await runProgram(EXECUTABLE, ["inspect", "check", place, "-o", "json"]);
      const report = JSON.parse(stdout);
      assert.is(schemaErrors(report), "");
      return report.items.map(({ reason, pod, node }: Json) => [reason, pod, node].join(" "));
    };
    // The daemon has taken over what pods show in its blocks, as after the loss of a store.
    assert.ok((await found()).includes("NotAdopted shop/web a"));
    must(await client.patch(PODS, { namespace: "shop", name: "web" }, statusPatch("10.0.0.7"), { type: "merge" }));
    await until(async () => (await found()).includes("UnreservedAddress shop/web a"), "the address is missed");
    const pod = await runProgram(EXECUTABLE, ["inspect", "pod", "shop/web", place, "-o", "json"]);
    const { interfaces } = JSON.parse(pod.stdout);
    assert.equal(
      interfaces.flatMap(({ pools: of }: Interface) =>
        of.map((each) => [each.addresses, each.reserved].flat().join(" ")),
      ),
      ["10.0.0.2 yes", "10.0.0.7 no"],
    );
  } finally {
    await daemon.remove();
  }
});

function statusPatch(address: string): Json {
  const status = JSON.stringify([{ name: "shop/net-a", interface: "net1", ips: [address] }]);
  return { metadata: { annotations: { "k8s.v1.cni.cncf.io/network-status": status } } };
}

test("a pool in a namespace that no controller looks at hides no other, and is told", async () => {
  await new Pools(client, "shop").create("IPPool", "other", { subnet: "10.5.0.0/24", perNodeBlockSize: 8 });
  const { exit, stdout, stderr } = await shop.inspect("pools");
  assert.is(exit, 0, stderr);
  assert.not.match(stdout, "other");
  assert.match(stderr, /IPPool other of namespace shop is not served: .*; make it in kube-system\n/);
  const { items } = await shop.document("pools", "--ippools-namespace=shop");
  assert.equal(
    items.map(({ pool }) => pool),
    ["other"],
  );
  must(await new Pools(client, "shop").delete("IPPool", "other"));
});

test("before a migration: what the original left is looked at under its own CRDs, and nothing is written", async () => {
  await installOriginalCrds(client);
  const at = { metadata: { namespace: "kube-system" } };
  const manifest = (name: string, spec: Json): string =>
    JSON.stringify({ apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind: "IPPool", metadata: { name }, spec });
  const typo = { subnet: "10.7.0.0/24", perNodeBlockSize: 8, gateway: "10.7.0.1", defautGateway: true };
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": manifest("typo", typo) };
  must(await pools.create("IPPool", "typo", typo, { metadata: { ...at.metadata, annotations } }));
  must(await pools.create("IPPool", "bad", { subnet: "10.8.0.0/24", perNodeBlockSize: 8, gateway: "10.9.0.1" }));
  must(await pools.create("IPPool", "wide", { subnet: "10.0.0.0/16", perNodeBlockSize: 8 }));
  const versions = async () => [...(await pools.all())].map(([key, { metadata }]) => [key, metadata.resourceVersion]);
  const before = await versions();
  const { items } = await shop.document("migration");
  const found = items.map(({ severity, reason, pool }) => [severity, reason, pool].join(" "));
  for (const expected of ["error InvalidSpec bad", "error OverlappingPools pool1", "warning WrittenOtherwise typo"]) {
    assert.ok(found.includes(expected), `${expected} is among ${found.join(", ")}`);
  }
  assert.is((await shop.inspect("migration")).exit, 1);
  assert.equal(await versions(), before);
});

test.run();
