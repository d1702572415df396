import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CallFailure } from "../../src/lib/rpc/client/call.ts";
import { type Answers, CONFIG, status, tell, WELL } from "./_plugin.ts";

function held(...addresses: readonly string[]): object {
  return reservation({ addresses });
}

function reservation(given: object): object {
  const blank = {
    poolKind: "IPPool",
    pool: "pool1",
    poolUid: "",
    podNamespace: "",
    podName: "",
    podUid: "",
    network: "",
  };
  const rest = { deviceId: "", how: "dynamic", createdAt: "", containerId: "c1", ifname: "net1", addresses: [] };
  return { reservations: [{ ...blank, ...rest, ...given }], nextPageToken: "" };
}

async function check(prevResult: unknown, answers: Answers) {
  return tell({ command: "CHECK", config: { ...CONFIG, prevResult }, answers: { ...WELL, ...answers } });
}

function ips(...addresses: readonly string[]): object {
  return {
    cniVersion: "1.0.0",
    interfaces: [{ name: "net1" }],
    ips: addresses.map((address) => ({ address })),
    routes: [],
  };
}

test("CHECK asks whether each pool holds an address, and prints nothing", async () => {
  const { exitCode, stdout, asked } = await tell({ command: "CHECK" });
  assert.equal([exitCode, stdout], [0, ""]);
  assert.equal(
    asked.map(({ method }) => method),
    ["IsAllocated"],
  );
});

test("what is not reserved is error 105", async () => {
  const answers = { IsAllocated: status(5, 'reservation for pool "pool1", poolType "ippool" not found') };
  const { answer } = await tell({ command: "CHECK", answers });
  assert.is(answer.code, 105);
  assert.match(
    answer.msg ?? "",
    'reservation for pool "pool1", poolType "ippool" not found; net1 of container c1 must be added again',
  );
});

const PASSES: readonly (readonly [what: string, prevResult: unknown, answer: object])[] = [
  ["no prevResult", undefined, held("192.168.0.2")],
  ["a prevResult without addresses", ips(), held("192.168.0.2")],
  ["a prevResult without ips", { cniVersion: "1.0.0" }, held("192.168.0.2")],
  ["the address", ips("192.168.0.2/16"), held("192.168.0.2")],
  ["the address among others", ips("10.0.0.1/8", "192.168.0.2/16", "fd00::9/64"), held("192.168.0.2")],
  ["an IPv6 address in another spelling", ips("FD00:0::2/64"), held("fd00::2")],
  ["both addresses in another order", ips("fd00::2/64", "192.168.0.2/16"), held("192.168.0.2", "fd00::2")],
  [
    "nothing held by this interface in the answer",
    ips("10.0.0.1/8"),
    reservation({ ifname: "net2", addresses: ["192.168.0.3"] }),
  ],
];

for (const [what, prevResult, answer] of PASSES) {
  test(`CHECK passes with ${what}`, async () => {
    const { exitCode, stdout } = await check(prevResult, { ListReservations: answer });
    assert.equal([exitCode, stdout], [0, ""]);
  });
}

const DIFFERS: readonly (readonly [what: string, prevResult: unknown, answer: object, missing: string])[] = [
  ["another address", ips("192.168.0.3/16"), held("192.168.0.2"), "192.168.0.2,"],
  ["one of two", ips("192.168.0.2/16"), held("192.168.0.2", "fd00::2"), "fd00::2,"],
  ["none of two", ips("10.0.0.1/8"), held("192.168.0.2", "fd00::2"), "192.168.0.2, fd00::2,"],
];

for (const [what, prevResult, answer, missing] of DIFFERS) {
  test(`a prevResult with ${what} of those held is error 106`, async () => {
    const told = await check(prevResult, { ListReservations: answer });
    assert.is(told.answer.code, 106);
    assert.match(told.answer.msg ?? "", `prevResult does not have ${missing} reserved for net1 of container c1`);
  });
}

test("the daemon is asked for this attachment's reservations only", async () => {
  const { asked } = await check(ips("192.168.0.2/16"), { ListReservations: held("192.168.0.2") });
  assert.equal(asked[1]?.request, { pageSize: 0, pageToken: "", containerId: "c1", ifname: "net1" });
});

test("with the original's daemon, which cannot list, the reservation alone counts", async () => {
  const { exitCode } = await tell({
    command: "CHECK",
    config: { ...CONFIG, prevResult: ips("192.168.0.3/16") },
    answers: { IsAllocated: {} },
  });
  assert.is(exitCode, 0);
});

test("a list that cannot be had is an error", async () => {
  const failure: CallFailure = { type: "deadline", status: 4, message: "x did not answer within 5 s" };
  assert.is((await check(ips("192.168.0.2/16"), { ListReservations: failure })).answer.code, 11);
});

test("a prevResult that is none is error 7 and nothing is asked", async () => {
  for (const prevResult of ["x", 5, true, [], { ips: "x" }, { ips: [1] }, { ips: [{}] }, { ips: [{ address: 1 }] }]) {
    const { answer, asked } = await check(prevResult, {});
    assert.is(answer.code, 7);
    assert.match(answer.msg ?? "", "prevResult of the network config");
    assert.equal(asked, []);
  }
});

test.run();
