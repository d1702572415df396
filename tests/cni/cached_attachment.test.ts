import { test } from "uvu";
import * as assert from "uvu/assert";
import { readCachedAttachment } from "../../src/lib/cni/cached_attachment.ts";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { CONFIG, cacheFile, cacheText } from "../libcni_cache.ts";

const read = (text: string | Uint8Array) => readCachedAttachment(Buffer.from(text));

/** What a file has that must be readable. */
function entries(file: Parameters<typeof cacheFile>[0]) {
  const found = read(cacheFile(file));
  if (!found.ok) throw new Error(found.error);
  return found.value;
}

/** The only entry. */
function entry(file: Parameters<typeof cacheFile>[0]) {
  const [only, ...further] = entries(file);
  assert.equal(further, []);
  if (only === undefined) throw new Error("there is no entry");
  return only;
}

test("a file tells who has which addresses, under which network and of which pools", () => {
  const { addresses, ...rest } = entry({
    container: "c1",
    network: "net-a",
    config: { ...CONFIG, deviceID: "0000:3b:00.2" },
    addresses: ["10.0.0.2/24", "fd00::2/64"],
    pod: { namespace: "default", name: "db-0", uid: "uid-1" },
  });
  assert.equal(addresses.map(formatAddress), ["10.0.0.2", "fd00::2"]);
  assert.equal(rest, {
    attachment: { containerID: "c1", ifname: "net1" },
    owner: { type: "pod", namespace: "default", name: "db-0", uid: "uid-1" },
    network: "net-a",
    deviceID: "0000:3b:00.2",
    request: {
      pools: ["pool1"],
      poolsNamed: true,
      poolKind: "IPPool",
      addresses: [],
      allocateDefaultGateway: false,
    },
  });
});

const results: readonly [name: string, result: unknown, addresses: readonly string[]][] = [
  ["version 0.3.x", { ips: [{ version: "4", address: "10.0.0.2/24", interface: 0 }] }, ["10.0.0.2"]],
  ["version 1.1.0", { ips: [{ address: "10.0.0.2/24" }, { address: "10.0.0.3/24" }] }, ["10.0.0.2", "10.0.0.3"]],
  ["version 0.2.0", { ip4: { ip: "10.0.0.2/24" }, ip6: { ip: "fd00::2/64" } }, ["10.0.0.2", "fd00::2"]],
  ["an address without prefix length", { ips: [{ address: "10.0.0.2" }] }, ["10.0.0.2"]],
  ["no ips", { dns: {} }, []],
  ["empty ips", { ips: [] }, []],
  ["ips of null", { ips: null, ip4: null }, []],
  ["an empty result", {}, []],
  ["no result", undefined, []],
  ["a result of null", null, []],
];

for (const [name, result, addresses] of results) {
  test(`the result's addresses are read: ${name}`, () => {
    assert.equal(entry({ result }).addresses.map(formatAddress), addresses);
  });
}

const requests: readonly [
  name: string,
  file: Parameters<typeof cacheFile>[0],
  request: Partial<ReturnType<typeof entry>["request"]>,
][] = [
  ["two pools", { config: { type: "macvlan", ipam: { type: "nv-ipam", poolName: "a, b" } } }, { pools: ["a", "b"] }],
  [
    "the network's name where none is given",
    { network: "net-x", config: { type: "macvlan", ipam: { type: "nv-ipam" } } },
    { pools: ["net-x"], poolsNamed: false },
  ],
  [
    "args.cni before ipam",
    { config: { ...CONFIG, args: { cni: { poolNames: ["c"], poolType: "CIDRPool" } } } },
    { pools: ["c"], poolKind: "CIDRPool" },
  ],
  ["a pool type", { config: { ipam: { ...CONFIG.ipam, poolType: "cidrpool" } } }, { poolKind: "CIDRPool" }],
  ["a pool type that is none", { config: { ipam: { ...CONFIG.ipam, poolType: "x" } } }, { poolKind: "IPPool" }],
  ["static addresses", { config: { ...CONFIG, args: { cni: { ips: ["10.0.0.7"] } } } }, { addresses: ["10.0.0.7"] }],
  ["a static address in CNI_ARGS", { args: [["IP", "10.0.0.7/24"]] }, { addresses: ["10.0.0.7"] }],
  [
    "static addresses by capability",
    { config: { ...CONFIG, capabilities: { ips: true } }, capabilityArgs: { ips: ["10.0.0.8/24"] } },
    { addresses: ["10.0.0.8"] },
  ],
  ["addresses without the capability", { capabilityArgs: { ips: ["10.0.0.8/24"] } }, { addresses: [] }],
  [
    "the gateway",
    { config: { ...CONFIG, args: { cni: { allocateDefaultGateway: true } } } },
    { allocateDefaultGateway: true },
  ],
  ["an index", { config: { ...CONFIG, args: { cni: { allocateIPWithIndex: 3 } } } }, { allocateIPWithIndex: 3 }],
];

for (const [name, file, request] of requests) {
  test(`the config's wishes are read as the plugin reads them: ${name}`, () => {
    const found = entry(file).request;
    assert.equal({ ...found, ...request }, found);
  });
}

test("a configuration list is read as its plugin that uses this one", () => {
  const plugins = [{ ...CONFIG, deviceID: "0000:3b:00.2" }, { type: "tuning" }, "no plugin"];
  const { deviceID, request } = entry({ config: { cniVersion: "1.0.0", name: "net-a", plugins } });
  assert.is(deviceID, "0000:3b:00.2");
  assert.equal(request.pools, ["pool1"]);
});

const owners: readonly [name: string, args: readonly unknown[], owner: unknown][] = [
  ["none without CNI_ARGS", [], { type: "none" }],
  ["none without a pod's name", [["K8S_POD_NAMESPACE", "default"]], { type: "none" }],
  [
    "a pod without UID",
    [
      ["K8S_POD_NAMESPACE", "default"],
      ["K8S_POD_NAME", "db-0"],
    ],
    { type: "pod", namespace: "default", name: "db-0", uid: "" },
  ],
  ["what is no pair left out", ["x", ["K8S_POD_NAME"], 7, ["IgnoreUnknown", "1"]], { type: "none" }],
];

for (const [name, args, owner] of owners) {
  test(`the pod is read: ${name}`, () => assert.equal(entry({ args, pod: undefined }).owner, owner));
}

const foreign: readonly [name: string, text: string][] = [
  ["another ipam plugin", cacheFile({ config: { type: "bridge", ipam: { type: "host-local" } } })],
  ["no ipam", cacheFile({ config: { type: "loopback" } })],
  ["an ipam that is no object", cacheFile({ config: { type: "macvlan", ipam: "nv-ipam" } })],
  ["a list without it", cacheFile({ config: { plugins: [{ type: "bridge", ipam: { type: "host-local" } }] } })],
  ["an empty list", cacheFile({ config: { plugins: [] } })],
  ["another kind of file", cacheText({ kind: "cniCacheV2" })],
  ["a result of before libcni 0.8", '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.0.0.2/24"}]}'],
  ["an empty object", "{}"],
];

for (const [name, text] of foreign) {
  test(`what this plugin has nothing to do with is passed over: ${name}`, () =>
    assert.equal(read(text), { ok: true, value: [] }));
}

const broken: readonly [name: string, text: string | Uint8Array, words: RegExp][] = [
  ["nothing, as after a power failure", "", /not JSON/],
  ["half a file", cacheFile({}).slice(0, 80), /not JSON/],
  ["zeros", Buffer.alloc(100), /not JSON/],
  ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
  ["a list", "[]", /not a JSON object/],
  ["no config", cacheText({ config: undefined }), /no network config/],
  ["a config that is an object", cacheText({ config: {} }), /no network config/],
  ["a config that is no base64", cacheText({ config: "§§" }), /network config in it is not JSON/],
  ["a config that is a list", cacheText({ config: Buffer.from("[]").toString("base64") }), /not a JSON object/],
  ["no container", cacheText({ containerId: undefined }), /no valid container/],
  ["a container that is none", cacheText({ containerId: "../c1" }), /no valid container/],
  ["a long container", cacheText({ containerId: "c".repeat(2000) }), /no valid container/],
  ["no interface", cacheText({ ifName: "" }), /no valid interface/],
  ["a long interface", cacheText({ ifName: "n".repeat(16) }), /no valid interface/],
  ["no network", cacheText({ networkName: 7 }), /no valid network/],
  ["a long pod", cacheFile({ pod: { namespace: "default", name: "p".repeat(2000), uid: "u" } }), /no valid pod/],
  ["a result that is a list", cacheFile({ result: [] }), /no object/],
  ["an address that is none", cacheFile({ result: { ips: [{ address: "10.0.0.300/24" }] } }), /no address/],
  ["an entry that is none", cacheFile({ result: { ips: ["10.0.0.2/24"] } }), /no address/],
  ["ips that are a text", cacheFile({ result: { ips: "10.0.0.2" } }), /no address/],
  ["an ip4 that is empty", cacheFile({ result: { ip4: {} } }), /no address/],
];

for (const [name, text, words] of broken) {
  test(`what cannot be read is said: ${name}`, () => {
    const found = read(text);
    assert.match(found.ok ? "it was read" : found.error, words);
  });
}

test.run();
