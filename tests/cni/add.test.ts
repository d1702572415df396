import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Asked, allocated, CONFIG, POD_ARGS, status, tell, WELL } from "./_plugin.ts";

const CONF = "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf";

function metadataOf([asked]: readonly Asked[]): Readonly<Record<string, string>> {
  const { parameters } = (asked?.request ?? {}) as { parameters: { metadata: Readonly<Record<string, string>> } };
  return parameters.metadata;
}

test("ADD asks the daemon once and answers with the address", async () => {
  const { exitCode, answer, asked } = await tell({ command: "ADD" });
  assert.is(exitCode, 0);
  assert.equal(answer, { cniVersion: "1.1.0", ips: [{ address: "192.168.0.2/16", gateway: "192.168.0.1" }] });
  assert.is(asked.length, 1);
  assert.is(asked[0]?.call.path, "/nvidia.ipam.node.v1.IPAMService/Allocate");
  assert.equal(asked[0]?.request, {
    parameters: {
      pools: ["pool1"],
      cniContainerid: "c1",
      cniIfname: "net1",
      metadata: { k8sPodName: "pod-c1", k8sPodNamespace: "default", k8sPodUid: "uid-c1", deviceId: "" },
      poolType: 1,
      requestedIps: [],
      features: { allocateDefaultGateway: false, allocateIpWithIndex: undefined },
    },
  });
});

test("a pool that is not found is told to be the network's name where nobody has named it", async () => {
  const answers = { Allocate: status(5, 'IPPool "net-a": there is no IPPool of this name; create it') };
  const unnamed = await tell({ command: "ADD", config: { ...CONFIG, ipam: { type: "nv-ipam" } }, answers });
  assert.is(unnamed.answer.code, 100);
  assert.match(
    unnamed.answer.msg ?? "",
    /create it \(the config has no ipam\.poolName, so the network's name is taken/,
  );
  const named = await tell({ command: "ADD", answers });
  assert.match(named.answer.msg ?? "", /create it$/);
});

test("the network's name goes along as metadata with each call, for GC", async () => {
  for (const command of ["ADD", "DEL", "CHECK", "STATUS", "GC"]) {
    const config = { ...CONFIG, "cni.dev/valid-attachments": [], prevResult: { ips: [{ address: "192.168.0.2/16" }] } };
    const { asked } = await tell({ command, config });
    assert.ok(asked.length > 0, command);
    for (const { call } of asked) assert.equal(call.metadata, { "nv-ipam-network": "net-a" });
  }
});

test("without pod name or namespace ADD and CHECK are error 4", async () => {
  const cases = [
    ["K8S_POD_NAMESPACE=default;K8S_POD_UID=u", "K8S_POD_NAME;"],
    ["K8S_POD_NAME=p;K8S_POD_UID=u", "K8S_POD_NAMESPACE;"],
    ["K8S_POD_NAME=;K8S_POD_NAMESPACE=n", "K8S_POD_NAME;"],
    ["", "K8S_POD_NAME and K8S_POD_NAMESPACE;"],
  ];
  for (const command of ["ADD", "CHECK"]) {
    for (const [args = "", names = ""] of cases) {
      const { answer, asked } = await tell({ command, args });
      assert.is(answer.code, 4);
      assert.match(answer.msg ?? "", `CNI_ARGS does not hold ${names}`);
      assert.equal(asked, []);
    }
  }
});

test("with podOptional in nv-ipam.conf a dash stands for what is missing", async () => {
  const cases = [
    { args: "", name: "-", namespace: "-" },
    { args: "K8S_POD_NAME=p", name: "p", namespace: "-" },
    { args: POD_ARGS, name: "pod-c1", namespace: "default" },
  ];
  for (const command of ["ADD", "CHECK"]) {
    for (const { args, name, namespace } of cases) {
      const { exitCode, asked } = await tell({ command, args, files: { [CONF]: { podOptional: true } } });
      assert.is(exitCode, 0);
      const { k8sPodName, k8sPodNamespace } = metadataOf(asked);
      assert.equal([k8sPodName, k8sPodNamespace], [name, namespace]);
    }
  }
});

test("the pod's UID is optional", async () => {
  assert.is((await tell({ args: "K8S_POD_NAME=p;K8S_POD_NAMESPACE=n" })).exitCode, 0);
});

test("unknown names in CNI_ARGS stop ADD unless they are to be ignored", async () => {
  const { answer } = await tell({ args: "K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;COLOUR=blue" });
  assert.is(answer.code, 4);
  assert.match(answer.msg ?? "", "COLOUR");
  assert.is((await tell({ args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=n;K8S_POD_NAME=p;COLOUR=blue" })).exitCode, 0);
});

const UNUSABLE: readonly (readonly [what: string, answer: object, message: string])[] = [
  ["no address", allocated(), "it has 0 addresses for 1 pools"],
  [
    "two addresses for one pool",
    allocated({ ip: "10.0.0.1/24" }, { ip: "10.0.0.2/24" }),
    "it has 2 addresses for 1 pools",
  ],
  ["an address without prefix length", allocated({ ip: "10.0.0.1" }), '"10.0.0.1" is no address with prefix length'],
  ["an empty address", allocated({ ip: "" }), '"" is no address with prefix length'],
  ["text instead of an address", allocated({ ip: "none/24" }), "is no address with prefix length"],
  ["text instead of a gateway", allocated({ ip: "10.0.0.1/24", gateway: "router" }), 'gateway "router" is no address'],
  ["text instead of a route", allocated({ ip: "10.0.0.1/24", routes: [{ dest: "all" }] }), 'route "all" is no network'],
];

for (const [what, Allocate, message] of UNUSABLE) {
  test(`a daemon that answers ${what} is error 107`, async () => {
    const { answer } = await tell({ answers: { Allocate } });
    assert.is(answer.code, 107);
    assert.match(answer.msg ?? "", message);
  });
}

test("an answer that is no protobuf message is error 107", async () => {
  const { answer } = await tell({ call: async () => ({ ok: true, value: Buffer.from("no protobuf") }) });
  assert.is(answer.code, 107);
  assert.match(answer.msg ?? "", "the answer to /nvidia.ipam.node.v1.IPAMService/Allocate cannot be decoded");
});

test("prevResult and other members of the config do not disturb ADD", async () => {
  const config = {
    ...CONFIG,
    master: "eth0",
    dns: { nameservers: ["1.1.1.1"] },
    prevResult: "nonsense",
    capabilities: 5,
  };
  assert.is((await tell({ config })).exitCode, 0);
});

test("R4 an attachment that holds something else is error 103, with what to do", async () => {
  const { answer } = await tell({ answers: { ...WELL, Allocate: status(6, "c1/net1 already holds 192.168.0.2") } });
  assert.is(answer.code, 103);
  assert.match(answer.msg ?? "", "c1/net1 already holds 192.168.0.2; DEL this interface");
});

test("R13 no variable but those of CNI is looked at", async () => {
  const env = { NODE_OPTIONS: "--x", http_proxy: "http://evil", NV_IPAM_SOCKET: "/evil" };
  const { exitCode, variables } = await tell({ env });
  assert.is(exitCode, 0);
  const cni = ["CNI_ARGS", "CNI_COMMAND", "CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_PATH"];
  assert.equal([...variables].sort(), cni);
});

test("a bug is error 999 on one line, without a stack trace, and is in the log", async () => {
  const call = () => {
    throw new TypeError("x is not\na function");
  };
  const { exitCode, answer, stdout, log } = await tell({ call });
  assert.is(exitCode, 1);
  assert.equal(answer, {
    cniVersion: "1.1.0",
    code: 999,
    msg: "internal error of the nv-ipam plugin, please report it: x is not a function",
  });
  assert.is(stdout.trimEnd().includes("\n"), false);
  assert.match(log.join(""), "[panic] ADD failed");
});

test.run();
