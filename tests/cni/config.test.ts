/** What the plugin makes of network configs, of nv-ipam.conf and of their faults, seen from outside. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CONFIG, type Story, tell } from "./_plugin.ts";

const CONF = "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf";

interface Sent {
  readonly parameters: {
    readonly pools: readonly string[];
    readonly poolType: number;
    readonly requestedIps: readonly string[];
    readonly features: object;
    readonly metadata: { readonly deviceId: string };
  };
}

/** The Allocate that the story leads to, and the call that carried it. */
async function allocate(story: Story) {
  const told = await tell({ ...story, command: "ADD" });
  assert.is(told.asked[0]?.method, "Allocate", told.stdout);
  const [asked] = told.asked;
  const { parameters } = (asked?.request ?? {}) as Sent;
  return { parameters, call: asked?.call, log: told.log };
}

/** The error that ADD answers without asking the daemon. */
async function refusal(story: Story): Promise<{ code: number; msg: string }> {
  const told = await tell(story);
  assert.is(told.exitCode, 1, told.stdout);
  assert.equal(told.asked, []);
  const { code = 0, msg = "" } = told.answer;
  return { code, msg };
}

function withIpam(ipam: object, more: object = {}): object {
  return { ...CONFIG, ipam: { type: "nv-ipam", ...ipam }, ...more };
}

function withCni(cni: object, ipam: object = { poolName: "pool1" }): object {
  return withIpam(ipam, { args: { cni } });
}

test("the network config wins over nv-ipam.conf, which wins over the defaults", async () => {
  const file = {
    daemonSocket: "unix:///file.sock",
    daemonCallTimeoutSeconds: 7,
    logFile: "/file.log",
    poolName: "from-file",
    poolType: "cidrpool",
  };
  const ipam = {
    daemonSocket: "unix:///net.sock",
    daemonCallTimeoutSeconds: 9,
    logFile: "/net.log",
    poolName: "from-net",
    poolType: "ippool",
  };
  const cases = [
    {
      ipam: {},
      file: undefined,
      expect: ["unix:///var/lib/cni/nv-ipam/daemon.sock", 5000, "/var/log/nv-ipam-cni.log", "net-a", 1],
    },
    { ipam: {}, file, expect: ["unix:///file.sock", 7000, "/file.log", "from-file", 2] },
    { ipam, file, expect: ["unix:///net.sock", 9000, "/net.log", "from-net", 1] },
    { ipam, file: undefined, expect: ["unix:///net.sock", 9000, "/net.log", "from-net", 1] },
  ];
  for (const { ipam: given, file: content, expect } of cases) {
    const { parameters, call, log } = await allocate({ config: withIpam(given), files: { [CONF]: content } });
    const [line = ""] = log;
    assert.equal(
      [call?.target, call?.timeoutMs, line.slice(0, line.indexOf(": ")), parameters.pools[0], parameters.poolType],
      expect,
    );
  }
});

test("empty texts, zero and null count as absent, as in Go", async () => {
  const config = withIpam({ poolName: "", poolType: "", daemonSocket: null, daemonCallTimeoutSeconds: 0, confDir: "" });
  const { parameters, call } = await allocate({ config, files: { [CONF]: { daemonCallTimeoutSeconds: 8 } } });
  assert.equal(parameters.pools, ["net-a"]);
  assert.is(call?.timeoutMs, 8000);
});

test("members are found in any case, as in Go, the exact one first", async () => {
  assert.equal((await allocate({ config: withIpam({ PoolName: "a", POOLTYPE: "cidrpool" }) })).parameters.pools, ["a"]);
  assert.equal((await allocate({ config: withIpam({ PoolName: "a", poolName: "b" }) })).parameters.pools, ["b"]);
});

test("confDir says where nv-ipam.conf is", async () => {
  const { call } = await allocate({
    config: withIpam({ confDir: "/other" }),
    files: { "/other/nv-ipam.conf": { daemonSocket: "/x" }, [CONF]: { daemonSocket: "/y" } },
  });
  assert.is(call?.target, "/x");
});

test("nv-ipam.conf that cannot be read, is no JSON or has a wrong type is an error that names the file", async () => {
  assert.equal(await refusal({ files: { [CONF]: new Error("EISDIR") } }), {
    code: 5,
    msg: `cannot read ${CONF}: EISDIR`,
  });
  const broken = await refusal({ files: { [CONF]: "{" } });
  assert.is(broken.code, 6);
  assert.match(broken.msg, `${CONF} is not JSON`);
  assert.equal(await refusal({ files: { [CONF]: "[]" } }), { code: 6, msg: `${CONF} is not a JSON object` });
  assert.equal(await refusal({ files: { [CONF]: { podOptional: "yes" } } }), {
    code: 7,
    msg: `${CONF}: podOptional must be true or false, not a string`,
  });
});

test("the call's limit is bounded", async () => {
  for (const seconds of [1, 3600]) {
    const { call } = await allocate({ config: withIpam({ daemonCallTimeoutSeconds: seconds }) });
    assert.is(call?.timeoutMs, seconds * 1000);
  }
  for (const seconds of [-1, 3601, 1.5, 1e99, "5", true]) {
    const { code, msg } = await refusal({ config: withIpam({ daemonCallTimeoutSeconds: seconds }) });
    assert.is(code, 7);
    assert.match(msg, "ipam.daemonCallTimeoutSeconds must be ");
  }
});

const POOLS: readonly (readonly [
  what: string,
  config: object,
  file: object,
  pools: readonly string[],
  poolType: number,
])[] = [
  ["poolName", withIpam({ poolName: "a" }), {}, ["a"], 1],
  ["two names", withIpam({ poolName: "a,b" }), {}, ["a", "b"], 1],
  ["blanks beside the comma", withIpam({ poolName: "a, b" }), {}, ["a", "b"], 1],
  ["the network's name", withIpam({}), {}, ["net-a"], 1],
  [
    "the network's name, forced in the file but not here",
    withIpam({ forcePoolName: false }),
    { forcePoolName: true },
    ["net-a"],
    1,
  ],
  ["a forced name that is there", withIpam({ poolName: "a", forcePoolName: true }), {}, ["a"], 1],
  ["args.cni.poolNames", withCni({ poolNames: ["a", "b"] }), {}, ["a", "b"], 1],
  ["args.cni.poolNames, forced", withCni({ poolNames: ["a"] }, { forcePoolName: true }), {}, ["a"], 1],
  ["an empty args.cni.poolNames", withCni({ poolNames: [] }), {}, ["pool1"], 1],
  ["args without cni", withIpam({ poolName: "a" }, { args: { other: { a: 1 } } }), {}, ["a"], 1],
  ["args null", withIpam({ poolName: "a" }, { args: null }), {}, ["a"], 1],
  ["poolType in any case", withIpam({ poolName: "a", poolType: "CIDRPool" }), {}, ["a"], 2],
  ["args.cni.poolType", withCni({ poolType: "ippool" }, { poolName: "a", poolType: "cidrpool" }), {}, ["a"], 1],
];

for (const [what, config, file, pools, poolType] of POOLS) {
  test(`pools: ${what}`, async () => {
    const { parameters } = await allocate({ config, files: { [CONF]: file } });
    assert.equal([parameters.pools, parameters.poolType], [pools, poolType]);
  });
}

const STATIC: readonly (readonly [what: string, config: object, args: string, addresses: readonly string[]])[] = [
  ["none", CONFIG, "", []],
  [
    "runtimeConfig before all",
    { ...withCni({ ips: ["10.0.0.2"] }), runtimeConfig: { ips: ["10.0.0.1/24", "fd00::1/64"] } },
    "IP=10.0.0.3",
    ["10.0.0.1", "fd00::1"],
  ],
  [
    "args.cni before CNI_ARGS",
    { ...withCni({ ips: ["10.0.0.2"] }), runtimeConfig: { ips: [] } },
    "IP=10.0.0.3",
    ["10.0.0.2"],
  ],
  ["CNI_ARGS", withCni({ ips: [] }), "IP=10.0.0.3/24", ["10.0.0.3"]],
  ["IPv6 in its long spelling", withCni({ ips: ["fd00:0:0:0::2"] }), "", ["fd00:0:0:0::2"]],
];

for (const [what, config, args, addresses] of STATIC) {
  test(`static addresses: ${what}`, async () => {
    const story = { config, args: `K8S_POD_NAME=p;K8S_POD_NAMESPACE=n${args === "" ? "" : `;${args}`}` };
    assert.equal((await allocate(story)).parameters.requestedIps, addresses);
  });
}

test("the gateway and the index are asked for, index 0 too", async () => {
  const gateway = await allocate({ config: withCni({ allocateDefaultGateway: true }) });
  assert.is((gateway.parameters.features as { allocateDefaultGateway: boolean }).allocateDefaultGateway, true);
  for (const index of [0, 23, 2 ** 31 - 1]) {
    const { parameters } = await allocate({
      config: withCni({ allocateIPWithIndex: index, allocateDefaultGateway: false }),
    });
    assert.is((parameters.features as { allocateIpWithIndex: number }).allocateIpWithIndex, index);
  }
});

test("deviceID goes to the daemon", async () => {
  const { parameters } = await allocate({ config: { ...CONFIG, deviceID: "0000:3b:00.2" } });
  assert.is(parameters.metadata.deviceId, "0000:3b:00.2");
});

const REFUSED: readonly (readonly [what: string, config: object, message: string | RegExp])[] = [
  ["no ipam", { cniVersion: "1.0.0", name: "pool1", type: "macvlan" }, "ipam is missing in the network config"],
  ["ipam null", { ...CONFIG, ipam: null }, "ipam is missing"],
  ["forcePoolName without a name", withIpam({ forcePoolName: true }), /^ipam\.poolName is missing, and forcePoolName/],
  ["three pools", withIpam({ poolName: "a,b,c" }), "ipam.poolName names 3 pools; at most 2 can be used"],
  ["an empty name at the end", withIpam({ poolName: "a," }), "ipam.poolName has an empty pool name"],
  ["only a comma", withIpam({ poolName: "," }), "ipam.poolName has an empty pool name"],
  ["three pools in args.cni", withCni({ poolNames: ["a", "b", "c"] }), "args.cni.poolNames names 3 pools"],
  ["an empty name in args.cni", withCni({ poolNames: ["a", ""] }), "args.cni.poolNames has an empty pool name"],
  [
    "an unknown pool type",
    withIpam({ poolType: "blockpool" }),
    'ipam.poolType must be ippool or cidrpool, not "blockpool"',
  ],
  ["an unknown pool type in args.cni", withCni({ poolType: "x" }), "args.cni.poolType must be ippool or cidrpool"],
  [
    "a static address that is none",
    withCni({ ips: ["192.168.0.300"] }),
    'args.cni.ips has "192.168.0.300", which is no IP address',
  ],
  ["one of two static addresses that is none", withCni({ ips: ["192.168.0.3", "x"] }), 'args.cni.ips has "x"'],
  [
    "a static address of the runtime that is none",
    { ...CONFIG, runtimeConfig: { ips: ["pool1"] } },
    'runtimeConfig.ips has "pool1"',
  ],
  ["a prefix length that is too long", withCni({ ips: ["10.0.0.1/33"] }), '"10.0.0.1/33", which is no IP address'],
  ["a prefix length that is no number", withCni({ ips: ["10.0.0.1/"] }), '"10.0.0.1/", which is no IP address'],
  ["two prefix lengths", withCni({ ips: ["10.0.0.1/24/24"] }), "which is no IP address"],
  ["an address with a zone", withCni({ ips: ["fe80::1%eth0"] }), "which is no IP address"],
  [
    "a negative index",
    withCni({ allocateIPWithIndex: -1 }),
    "args.cni.allocateIPWithIndex must be from 0 to 2147483647, not -1",
  ],
  [
    "an index beyond int32",
    withCni({ allocateIPWithIndex: 2 ** 31 }),
    "args.cni.allocateIPWithIndex must be from 0 to",
  ],
  [
    "half an index",
    withCni({ allocateIPWithIndex: 1.5 }),
    "args.cni.allocateIPWithIndex must be a whole number, not 1.5",
  ],
  [
    "gateway and static address",
    withCni({ allocateDefaultGateway: true, ips: ["10.0.0.1"] }),
    "a static address and args.cni.allocateDefaultGateway exclude each other",
  ],
  [
    "gateway and index",
    withCni({ allocateDefaultGateway: true, allocateIPWithIndex: 0 }),
    "args.cni.allocateDefaultGateway and args.cni.allocateIPWithIndex exclude each other",
  ],
  [
    "index and static address",
    withCni({ allocateIPWithIndex: 4, ips: ["10.0.0.1"] }),
    "a static address and args.cni.allocateIPWithIndex exclude each other",
  ],
];

for (const [what, config, message] of REFUSED) {
  test(`${what} is error 7, for ADD and for CHECK`, async () => {
    for (const command of ["ADD", "CHECK"]) {
      const { code, msg } = await refusal({ command, config: { ...config, cniVersion: "1.0.0" } });
      assert.is(code, 7);
      assert.match(msg, message);
    }
  });
}

test("an address in CNI_ARGS that is none is error 4", async () => {
  assert.equal(await refusal({ args: "K8S_POD_NAME=p;K8S_POD_NAMESPACE=n;IP=1.2.3" }), {
    code: 4,
    msg: 'IP in CNI_ARGS has "1.2.3", which is no IP address',
  });
});

/** Every member that the plugin reads, and JSON values that it must not have. */
const TYPES: readonly (readonly [path: string, wrong: readonly unknown[]])[] = [
  ["ipam", ["x", 1, true, []]],
  ["ipam.poolName", [1, true, [], {}]],
  ["ipam.poolType", [1, false, ["ippool"], {}]],
  ["ipam.forcePoolName", ["true", 1, [], {}]],
  ["ipam.daemonSocket", [1, true, [], {}]],
  ["ipam.confDir", [1, true, [], {}]],
  ["ipam.logFile", [1, true, [], {}]],
  ["ipam.logLevel", [1, true, [], {}]],
  ["args", ["x", 1, true, []]],
  ["args.cni", ["x", 1, true, []]],
  ["args.cni.ips", ["10.0.0.1", 1, {}, [1], [null], [["10.0.0.1"]]]],
  ["args.cni.poolNames", ["a", 1, {}, [1]]],
  ["args.cni.poolType", [1, true, [], {}]],
  ["args.cni.allocateDefaultGateway", ["true", 1, [], {}]],
  ["args.cni.allocateIPWithIndex", ["3", true, [], {}]],
  ["runtimeConfig", ["x", 1, true, []]],
  ["runtimeConfig.ips", ["10.0.0.1", 1, {}, [{}]]],
  ["deviceID", [1, true, [], {}]],
];

for (const [path, wrong] of TYPES) {
  test(`${path} of another JSON type is error 7 that names it`, async () => {
    for (const value of wrong) {
      const { code, msg } = await refusal({ config: withMember(path.split("."), value) });
      assert.is(code, 7);
      assert.ok(msg.startsWith(`${path} must be `), msg);
    }
  });
}

function withMember([first = "", ...rest]: readonly string[], value: unknown, base: object = withCni({})): object {
  const inner: unknown = Object.hasOwn(base, first) ? Object.entries(base).find(([name]) => name === first)?.[1] : {};
  return { ...base, [first]: rest.length === 0 ? value : withMember(rest, value, inner as object) };
}

test("podOptional counts in nv-ipam.conf only", async () => {
  const told = await tell({ config: withIpam({ podOptional: true }), args: "" });
  assert.is(told.answer.code, 4);
  assert.is((await tell({ args: "", files: { [CONF]: { podOptional: true } } })).exitCode, 0);
});

test("a logLevel may be in any case", async () => {
  const { log } = await allocate({ config: withIpam({ logLevel: "Warning" }) });
  assert.equal(log, []);
});

test("an unknown logLevel is said in the log and does not stop the call", async () => {
  const { log } = await allocate({ config: withIpam({ logLevel: "loud" }) });
  assert.match(log[0] ?? "", "[warning] unknown logLevel, info is used logLevel=loud");
  assert.match(log[1] ?? "", "[info] ADD ");
});

test("a name that is no text is named by its type, whatever is in it", async () => {
  const cases = [
    ['{"toString":1,"valueOf":2}', "an object"],
    [`${"[".repeat(200_000)}${"]".repeat(200_000)}`, "a list"],
    ["5", "5"],
    ["true", "a boolean"],
  ];
  for (const [name, shown] of cases) {
    const { answer } = await tell({ stdin: `{"cniVersion":"1.0.0","name":${name},"ipam":{}}` });
    assert.is(answer.code, 7);
    assert.match(answer.msg ?? "", `name of the network config must be a text that starts with`);
    assert.match(answer.msg ?? "", new RegExp(`, not ${shown}$`));
  }
});

test("members named like those of every object do no harm", async () => {
  const stdin =
    '{"cniVersion":"1.0.0","name":"net-a","__proto__":{"ipam":{}},"constructor":1,"ipam":{"__proto__":{"poolName":"x"}}}';
  assert.equal((await allocate({ stdin })).parameters.pools, ["net-a"]);
});

test.run();
