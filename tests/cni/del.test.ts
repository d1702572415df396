import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Asked, CONFIG, POD_ARGS, type Story, status, tell, WELL } from "./_plugin.ts";

interface Parameters {
  readonly pools: readonly string[];
  readonly poolType: number;
  readonly requestedIps: readonly string[];
  readonly metadata: { readonly k8sPodName: string; readonly k8sPodNamespace: string; readonly k8sPodUid: string };
}

function parametersOf([asked]: readonly Asked[]): Parameters {
  assert.is(asked?.method, "Deallocate");
  const { parameters } = (asked?.request ?? {}) as { parameters: Parameters };
  return parameters;
}

test("DEL asks the daemon once and prints nothing", async () => {
  const { exitCode, stdout, asked } = await tell({ command: "DEL" });
  assert.equal([exitCode, stdout, asked.length], [0, "", 1]);
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

test("R4 DEL needs no netns, no CNI_PATH and no pod, for which a dash stands", async () => {
  const { exitCode, asked } = await tell({
    command: "DEL",
    args: "",
    env: { CNI_NETNS: undefined, CNI_PATH: undefined, CNI_ARGS: undefined },
  });
  assert.is(exitCode, 0);
  assert.equal(parametersOf(asked).metadata, { k8sPodName: "-", k8sPodNamespace: "-", k8sPodUid: "", deviceId: "" });
});

test("R4 what the daemon does not know is deleted", async () => {
  const { exitCode, stdout } = await tell({ command: "DEL", answers: { Deallocate: status(5, "not found") } });
  assert.equal([exitCode, stdout], [0, ""]);
});

/** Configs and arguments with which ADD fails: a pod that has them must still be able to go. */
const FAULTY: readonly (readonly [what: string, story: Story, pools: readonly string[]])[] = [
  ["no ipam", { config: { cniVersion: "1.0.0", name: "net-a" } }, ["net-a"]],
  ["ipam of another type", { config: { ...CONFIG, ipam: "nv-ipam" } }, ["net-a"]],
  ["three pools", { config: { ...CONFIG, ipam: { poolName: "a,b,c" } } }, ["net-a"]],
  ["an empty pool name", { config: { ...CONFIG, ipam: { poolName: "a," } } }, ["net-a"]],
  ["no pool where one is forced", { config: { ...CONFIG, ipam: { forcePoolName: true } } }, ["net-a"]],
  ["an unknown pool type", { config: { ...CONFIG, ipam: { poolName: "a", poolType: "x" } } }, ["a"]],
  ["args of another type", { config: { ...CONFIG, args: 5 } }, ["pool1"]],
  ["static addresses that are none", { config: { ...CONFIG, args: { cni: { ips: ["x"] } } } }, ["pool1"]],
  [
    "wishes that exclude each other",
    { config: { ...CONFIG, args: { cni: { ips: ["10.0.0.1"], allocateIPWithIndex: 1 } } } },
    ["pool1"],
  ],
  ["a negative index", { config: { ...CONFIG, args: { cni: { allocateIPWithIndex: -1 } } } }, ["pool1"]],
  ["a limit out of bounds", { config: { ...CONFIG, ipam: { poolName: "a", daemonCallTimeoutSeconds: -1 } } }, ["a"]],
  ["a prevResult that is none", { config: { ...CONFIG, prevResult: 5 } }, ["pool1"]],
  ["CNI_ARGS that are none", { args: "nonsense;K8S_POD_NAME=p" }, ["pool1"]],
  ["unknown names in CNI_ARGS", { args: "COLOUR=blue" }, ["pool1"]],
  ["nv-ipam.conf that is no JSON", { files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": "{" } }, ["pool1"]],
];

for (const [what, story, pools] of FAULTY) {
  test(`R4 DEL goes on with ${what}`, async () => {
    const { exitCode, asked } = await tell({ ...story, command: "DEL" });
    assert.is(exitCode, 0);
    const parameters = parametersOf(asked);
    assert.equal(parameters.pools, pools);
    assert.equal(parameters.requestedIps, []);
  });
}

test("what is wrong with the config is in the log of DEL", async () => {
  const { log } = await tell({ command: "DEL", config: { ...CONFIG, ipam: { poolName: "a,b,c" } } });
  assert.match(log.join(""), "[warning] DEL goes on although the config is invalid");
  assert.match(log.join(""), "names 3 pools");
});

test("a wish of ADD is not repeated to DEL, which would refuse it", async () => {
  const config = { ...CONFIG, args: { cni: { ips: ["10.0.0.1"] } } };
  assert.equal(parametersOf((await tell({ command: "DEL", config })).asked).requestedIps, []);
});

test("the pod is named where CNI_ARGS does, whatever else is in them", async () => {
  const { asked } = await tell({ command: "DEL", args: `nonsense;${POD_ARGS}` });
  assert.is(parametersOf(asked).metadata.k8sPodName, "pod-c1");
});

test("DEL fails where the daemon cannot be reached or fails", async () => {
  const failures = [
    { failure: { type: "connect", status: 14, message: "connect /x: no such file" } as const, code: 11 },
    { failure: { type: "deadline", status: 4, message: "/x did not answer within 5 s" } as const, code: 11 },
    { failure: status(14, "the store cannot be written"), code: 11 },
    { failure: status(13, "bug"), code: 107 },
    { failure: { type: "protocol", status: 5, message: "odd" } as const, code: 107 },
  ];
  for (const { failure, code } of failures) {
    assert.is((await tell({ command: "DEL", answers: { ...WELL, Deallocate: failure } })).answer.code, code);
  }
});

test.run();
