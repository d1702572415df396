import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Given, type Origin, originsOf } from "../../src/lib/inspect/origin.ts";
import { readSubject, type Subject } from "../../src/lib/inspect/subject.ts";

const subjects: readonly [args: readonly [string, string], expected: Subject | RegExp][] = [
  [["pools", ""], { type: "pools" }],
  [["check", ""], { type: "check" }],
  [["node", ""], { type: "node", name: "" }],
  [["node", "gpu-1.rack"], { type: "node", name: "gpu-1.rack" }],
  [["pod", "shop/web-0"], { type: "pod", namespace: "shop", name: "web-0" }],
  [["pod", "web-0"], { type: "pod", namespace: "mine", name: "web-0" }],
  [["ip", "10.0.0.1"], { type: "ip", address: { family: 4, value: 0x0a000001n } }],
  [["ip", "fd00::1"], { type: "ip", address: { family: 6, value: (0xfd00n << 112n) + 1n } }],
  [["", ""], /^say what to show: pools, node/],
  [["pool", ""], /^pool: did you mean pools\?$/],
  [["frobnicate", ""], /^frobnicate: use pools, node/],
  [["pools", "x"], /^pools takes no name: leave out x$/],
  [["node", "A/B"], /^node A\/B: this is no node's name$/],
  [["pod", ""], /^pod: give NAMESPACE\/NAME$/],
  [["pod", "a/b/c"], /give NAMESPACE\/NAME/],
  [["pod", "../etc"], /give NAMESPACE\/NAME/],
  [["ip", ""], /^ip: give an address/],
  [["ip", "10.0.0"], /^ip 10\.0\.0: give an address/],
  [["ip", "10.0.0.0/24"], /give an address/],
];
for (const [[what, name], expected] of subjects) {
  test(`"${what} ${name}" is ${expected instanceof RegExp ? "refused" : "understood"}`, () => {
    const read = readSubject(what, name, "mine");
    if (expected instanceof RegExp) assert.match(read.ok ? "understood" : read.error, expected);
    else assert.equal(read, { ok: true, value: expected });
  });
}

test("a pod that is named without a namespace is in the usual one, and an empty namespace is none", () => {
  assert.equal(readSubject("pod", "web-0", ""), { ok: true, value: { type: "pod", namespace: "", name: "web-0" } });
  assert.is(readSubject("pod", "/web-0", "").ok, false);
});

const nothing: Given = { daemonSocket: "", storeFile: "", kubeconfig: "", context: "" };
const daemon: Origin = { type: "daemon", target: "unix:///var/lib/cni/nv-ipam/daemon.sock" };
const store: Origin = { type: "store", storeFile: "/var/lib/cni/nv-ipam/store" };
const cluster: Origin = { type: "cluster", kubeconfig: "", context: "" };

const origins: readonly [string, Partial<Given>, Subject["type"], isPlugin: boolean, readonly Origin[] | RegExp][] = [
  ["nothing given: the daemon, its store, the API server", {}, "pools", false, [daemon, store, cluster]],
  ["kubectl asks about the cluster", {}, "pools", true, [cluster]],
  [
    "a socket is all that is tried",
    { daemonSocket: "unix:///d" },
    "pools",
    false,
    [{ type: "daemon", target: "unix:///d" }],
  ],
  ["a store is all that is tried", { storeFile: "/s" }, "check", true, [{ type: "store", storeFile: "/s" }]],
  [
    "both: the store where nobody answers",
    { daemonSocket: "/d", storeFile: "/s" },
    "pools",
    false,
    [
      { type: "daemon", target: "/d" },
      { type: "store", storeFile: "/s" },
    ],
  ],
  ["a kubeconfig is all that is tried", { kubeconfig: "/k" }, "ip", false, [{ ...cluster, kubeconfig: "/k" }]],
  ["a context is one of the usual kubeconfig", { context: "prod" }, "ip", false, [{ ...cluster, context: "prod" }]],
  ["a node and a cluster are refused", { kubeconfig: "/k", storeFile: "/s" }, "pools", false, /give either/],
  ["store reads the store", {}, "store", false, [store]],
  ["store does not ask the daemon", { daemonSocket: "/d" }, "store", false, /give --store-file/],
  ["migration looks at the cluster", {}, "migration", false, [cluster]],
  ["migration does not look at a store", { storeFile: "/s" }, "migration", false, /give --kubeconfig/],
];
for (const [name, given, subject, isPlugin, expected] of origins) {
  test(name, () => {
    const found = originsOf({ ...nothing, ...given }, subject, isPlugin);
    if (expected instanceof RegExp) assert.match(found.ok ? "accepted" : found.error, expected);
    else assert.equal(found, { ok: true, value: expected });
  });
}

test.run();
