import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CallFailure } from "../../src/lib/rpc/client/call.ts";
import { CONFIG, status, tell } from "./_plugin.ts";

function state(ready: boolean, serving: boolean, ...reasons: readonly string[]): object {
  return { ready, serving, reasons };
}

function unreachable(type: CallFailure["type"], code: number): CallFailure {
  return { type, status: code, message: "connect unix:///x: no such file" };
}

test("STATUS of a daemon that is ready is silent", async () => {
  const { exitCode, stdout } = await tell({ command: "STATUS", answers: { GetStatus: state(true, true) } });
  assert.equal([exitCode, stdout], [0, ""]);
});

const NOT_READY: readonly (readonly [what: string, answer: object, code: number, message: string])[] = [
  [
    "serves no ADD",
    state(false, true, "the pools are not known yet", "the disk is full"),
    50,
    "the pools are not known yet; the disk is full",
  ],
  ["serves nothing", state(false, false, "the store is damaged"), 51, "the store is damaged"],
  ["gives no reason", state(false, true), 50, "it gives no reason"],
  ["is not running", unreachable("connect", 14), 51, "connect unix:///x: no such file"],
  ["does not answer in time", unreachable("deadline", 4), 51, "took too long"],
  ["answers that it is unavailable", status(14, "shutting down"), 51, "shutting down"],
  ["breaks off", unreachable("protocol", 14), 51, "cannot serve now"],
  ["fails", status(13, "bug"), 51, "bug"],
];

for (const [what, GetStatus, code, message] of NOT_READY) {
  test(`STATUS of a daemon that ${what} is error ${code}`, async () => {
    const { exitCode, answer } = await tell({ command: "STATUS", answers: { GetStatus } });
    assert.equal([exitCode, answer.code, answer.cniVersion], [1, code, "1.1.0"]);
    assert.match(answer.msg ?? "", message);
  });
}

test("the original's daemon, which has no such method, is ready when it answers", async () => {
  assert.is((await tell({ command: "STATUS", answers: {} })).exitCode, 0);
});

test("a socket that is no address is an error of the config", async () => {
  const { answer } = await tell({ command: "STATUS", answers: { GetStatus: unreachable("target", 3) } });
  assert.is(answer.code, 7);
});

test("an invalid config is an error of the config", async () => {
  const { answer, asked } = await tell({ command: "STATUS", config: { ...CONFIG, ipam: { poolType: "x" } } });
  assert.is(answer.code, 7);
  assert.equal(asked, []);
});

test("STATUS asks for the pools that the config names, not for the network's name", async () => {
  const cases = [
    { config: CONFIG, pools: ["pool1"], poolKind: "IPPool" },
    { config: { ...CONFIG, ipam: {} }, pools: [], poolKind: "IPPool" },
    { config: { ...CONFIG, ipam: { poolName: "a,b", poolType: "cidrpool" } }, pools: ["a", "b"], poolKind: "CIDRPool" },
  ];
  for (const { config, pools, poolKind } of cases) {
    const { asked } = await tell({ command: "STATUS", config, answers: { GetStatus: state(true, true) } });
    assert.equal(asked[0]?.request, { pools, poolKind });
  }
});

test("forcePoolName binds ADD and CHECK, not STATUS: pods may name the pools", async () => {
  const answers = { GetStatus: state(true, true) };
  const forced = { ...CONFIG, ipam: { forcePoolName: true } };
  const { exitCode, asked } = await tell({ command: "STATUS", config: forced, answers });
  assert.equal([exitCode, asked[0]?.request], [0, { pools: [], poolKind: "IPPool" }]);
  const files = { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": { forcePoolName: true } };
  assert.is((await tell({ command: "STATUS", config: { ...CONFIG, ipam: {} }, files, answers })).exitCode, 0);
  for (const command of ["ADD", "CHECK"]) {
    const { answer } = await tell({ command, config: forced });
    assert.equal([answer.code, /ipam\.poolName is missing/.test(answer.msg ?? "")], [7, true]);
  }
  const wrong = { ...CONFIG, ipam: { forcePoolName: true, poolName: "a,a" } };
  assert.is((await tell({ command: "STATUS", config: wrong, answers })).answer.code, 7);
});

test("STATUS needs neither CNI_PATH nor an attachment", async () => {
  const env = {
    CNI_CONTAINERID: undefined,
    CNI_IFNAME: undefined,
    CNI_NETNS: undefined,
    CNI_PATH: undefined,
    CNI_ARGS: "x",
  };
  assert.is((await tell({ command: "STATUS", env, answers: { GetStatus: state(true, true) } })).exitCode, 0);
});

test.run();
