/** DEL over the daemon's own service and ledger: whatever the config has become, what the attachment holds is freed (R4). */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Call } from "../../src/lib/cni/daemon.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import {
  AllocateRequest,
  AllocateResponse,
  DeallocateRequest,
  DeallocateResponse,
} from "../../src/lib/rpc/generated/node.ts";
import { IpamService } from "../../src/lib/rpc/server/ipam.ts";
import type { Refusal } from "../../src/lib/rpc/server/unary.ts";
import { smallPool } from "../daemon/_local.ts";
import { CONFIG, POD_ARGS, type Story, status, tell } from "./_plugin.ts";

/** A node with pool1, and how many addresses of it are held. */
function node(): { readonly call: Call; readonly held: () => number } {
  const ledger = new Ledger();
  const store = { ledger, commit: async () => ok(undefined), admitsReservations: () => ok(undefined) };
  const pools = new PoolTable("node-1");
  pools.replace("IPPool", [smallPool("pool1", "10.0.0", ["node-1"])]);
  pools.replace("CIDRPool", []);
  const options = { podOptional: false, allowStaticInOtherBlocks: false, now: () => 0 };
  const service = new IpamService(store, pools, options);
  const call: Call = async ({ path, message, metadata }) => {
    const caller = { gone: () => false, header: (name: string) => metadata?.[name] ?? "" };
    if (path.endsWith("/Allocate")) {
      const answer = await service.allocate(AllocateRequest.decode(message), caller);
      return told(answer, (value) => AllocateResponse.encode(value).finish());
    }
    const answer = await service.deallocate(DeallocateRequest.decode(message), caller);
    return told(answer, (value) => DeallocateResponse.encode(value).finish());
  };
  return { call, held: () => ledger.held({ kind: "IPPool", name: "pool1", uid: "" }) };
}

function told<T>(answer: Result<T, Refusal>, encode: (value: T) => Uint8Array): Awaited<ReturnType<Call>> {
  return answer.ok ? ok(encode(answer.value)) : fail(status(3, `${answer.error.status}: ${answer.error.message}`));
}

const LONG = "x".repeat(1025);
const HALF = "\ud800";

function ipam(members: object): Story {
  return { config: { ...CONFIG, ipam: { ...CONFIG.ipam, ...members } } };
}

function cni(members: object): Story {
  return { config: { ...CONFIG, args: { cni: members } } };
}

function args(more: string): Story {
  return { args: `${POD_ARGS};${more}` };
}

/** With each of these ADD fails. */
const FAULTY: Readonly<Record<string, Story>> = {
  "no ipam": { config: { ...CONFIG, ipam: undefined } },
  "ipam that is a text": { config: { ...CONFIG, ipam: "nv-ipam" } },
  "ipam that is a list": { config: { ...CONFIG, ipam: [] } },
  "one pool twice": ipam({ poolName: "pool1,pool1" }),
  "one pool twice, with blanks": ipam({ poolName: " a , a " }),
  "one pool twice in args": cni({ poolNames: ["a", "a"] }),
  "three pools": ipam({ poolName: "pool1,b,c" }),
  "three pools in args": cni({ poolNames: ["pool1", "b", "c"] }),
  "an empty pool name": ipam({ poolName: "pool1," }),
  "nothing but a comma": ipam({ poolName: "," }),
  "an empty pool name in args": cni({ poolNames: [""] }),
  "a pool name that is a number": ipam({ poolName: 5 }),
  "a pool name that is a list": ipam({ poolName: ["pool1"] }),
  "pool names that are a text": cni({ poolNames: "pool1" }),
  "pool names that are no texts": cni({ poolNames: [null] }),
  "a pool name that is too long": ipam({ poolName: LONG }),
  "a pool name that is too long in args": cni({ poolNames: ["pool1", LONG] }),
  "a pool name with half a character": ipam({ poolName: `pool1,${HALF}` }),
  "a pool name that was no UTF-8": cni({ poolNames: ["\ufffd"] }),
  "a pool that does not exist": ipam({ poolName: "gone" }),
  "an unknown pool type": ipam({ poolType: "x" }),
  "a pool type of another type": cni({ poolType: {} }),
  "the other pool type": ipam({ poolType: "cidrpool" }),
  "no pool where one is forced": { config: { ...CONFIG, ipam: { forcePoolName: true } } },
  "forcePoolName of another type": ipam({ forcePoolName: "yes" }),
  "args that are a number": { config: { ...CONFIG, args: 5 } },
  "args.cni that is a list": { config: { ...CONFIG, args: { cni: [] } } },
  "a static address that is none": cni({ ips: ["x"] }),
  "static addresses that are a text": cni({ ips: "10.0.0.2" }),
  "a static address of another network": cni({ ips: ["192.168.0.1"] }),
  "runtimeConfig that is a list": { config: { ...CONFIG, runtimeConfig: [] } },
  "a static address of the runtime that is none": { config: { ...CONFIG, runtimeConfig: { ips: ["10.0.0.2/99"] } } },
  "wishes that exclude each other": cni({ allocateDefaultGateway: true, allocateIPWithIndex: 1 }),
  "a gateway that is wanted by a text": cni({ allocateDefaultGateway: "true" }),
  "a negative index": cni({ allocateIPWithIndex: -1 }),
  "half an index": cni({ allocateIPWithIndex: 0.5 }),
  "an index outside the block": cni({ allocateIPWithIndex: 1_000_000 }),
  "a device that is a number": { config: { ...CONFIG, deviceID: 5 } },
  "a device that is too long": { config: { ...CONFIG, deviceID: LONG } },
  "a device with half a character": { config: { ...CONFIG, deviceID: HALF } },
  "a socket of an unknown scheme": ipam({ daemonSocket: "bogus:" }),
  "a socket that is a number": ipam({ daemonSocket: 5 }),
  "a socket with NUL": ipam({ daemonSocket: "unix:///a\0b" }),
  "a socket with a path that is too long": ipam({ daemonSocket: `unix:///${LONG}` }),
  "a port of no use": ipam({ daemonSocket: "tcp://localhost:0" }),
  "a limit below 0": ipam({ daemonCallTimeoutSeconds: -1 }),
  "a limit of a day": ipam({ daemonCallTimeoutSeconds: 86_400 }),
  "a limit that is a text": ipam({ daemonCallTimeoutSeconds: "5" }),
  "confDir that is a number": ipam({ confDir: 5 }),
  "logFile that is a list": ipam({ logFile: [] }),
  "logLevel that is a number": ipam({ logLevel: 5 }),
  "nv-ipam.conf that is no JSON": { files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": "{" } },
  "nv-ipam.conf that is a list": { files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": [] } },
  "nv-ipam.conf that cannot be read": { files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": new Error("EISDIR") } },
  "nv-ipam.conf with a socket that is none": {
    files: { "/etc/cni/net.d/nv-ipam.d/nv-ipam.conf": { daemonSocket: "bogus:" } },
  },
  "no CNI_ARGS": { args: "" },
  "CNI_ARGS that are none": { args: "nonsense" },
  "CNI_ARGS with two =": args("K8S_POD_NAME=a=b"),
  "CNI_ARGS that end with ;": args(""),
  "an unknown name in CNI_ARGS": { args: POD_ARGS.replace("IgnoreUnknown=1", "COLOUR=blue") },
  "IgnoreUnknown that is none": args("IgnoreUnknown=maybe"),
  "a pod without a name": args("K8S_POD_NAME="),
  "a pod without a namespace": args("K8S_POD_NAMESPACE="),
  "a pod's name that is too long": args(`K8S_POD_NAME=${LONG}`),
  "a pod's name that is no UTF-8": args("K8S_POD_NAME=\ufffd"),
  "a namespace that is too long": args(`K8S_POD_NAMESPACE=${LONG}`),
  "a pod's UID that is too long": args(`K8S_POD_UID=${LONG}`),
  "a pod's UID that is no UTF-8": args("K8S_POD_UID=\ufffd"),
  "a static address in CNI_ARGS that is none": args("IP=x"),
};

for (const [what, story] of Object.entries(FAULTY)) {
  test(`R4 DEL frees what was given before the config had ${what}, and so it does the second time`, async () => {
    const { call, held } = node();
    assert.is((await tell({ command: "ADD", call })).exitCode, 0);
    assert.is(held(), 1);
    const { call: other } = node();
    assert.is((await tell({ ...story, command: "ADD", call: other })).exitCode, 1, "ADD finds no fault");
    for (const _ of ["first", "second"]) {
      const { exitCode, stdout } = await tell({ ...story, command: "DEL", call });
      assert.equal([exitCode, stdout, held()], [0, "", 0]);
    }
  });
}

test("R4 DEL of a network whose name is too long answers, and frees what the pool that it names has given", async () => {
  const { call, held } = node();
  await tell({ command: "ADD", call });
  const named = await tell({ command: "DEL", config: { ...CONFIG, name: LONG }, call });
  assert.equal([named.exitCode, held()], [0, 0]);
  const unnamed = await tell({ command: "DEL", config: { ...CONFIG, name: LONG, ipam: {} }, call });
  assert.is(unnamed.exitCode, 0);
});

test("ADD, CHECK and STATUS say what is wrong, and do not ask the daemon", async () => {
  const cases: readonly (readonly [story: Story, code: number, message: string])[] = [
    [ipam({ poolName: " a , a " }), 7, "ipam.poolName names a pool twice"],
    [cni({ poolNames: ["a", "a"] }), 7, "args.cni.poolNames names a pool twice"],
    [ipam({ poolName: LONG }), 7, "which must not have more than 1024 characters"],
    [{ config: { ...CONFIG, deviceID: LONG } }, 7, "deviceID must not have more than 1024 characters"],
    [{ config: { ...CONFIG, name: LONG } }, 7, "name must not have more than 1024 characters"],
    [ipam({ daemonSocket: "bogus:" }), 7, 'ipam.daemonSocket is "bogus:": the scheme is not known'],
    [args("K8S_POD_UID=\ufffd"), 4, "CNI_ARGS holds a K8S_POD_UID that is not valid UTF-8"],
  ];
  for (const [story, code, message] of cases) {
    // STATUS has no CNI_ARGS.
    for (const command of code === 4 ? ["ADD", "CHECK"] : ["ADD", "CHECK", "STATUS"]) {
      const { answer, asked } = await tell({ ...story, command });
      assert.equal([answer.code, asked.length], [code, 0], `${command}: ${answer.msg}`);
      assert.match(answer.msg ?? "", message);
    }
  }
});

test.run();
