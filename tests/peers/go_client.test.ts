/** A client built on google.golang.org/grpc and the protocol definition against our daemon. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need } from "../_need.ts";
import { LocalDaemon, smallPool } from "../daemon/_local.ts";
import { runProgram } from "../program.ts";

const CLIENT = need("go-grpc-client");

interface Answer {
  readonly status: string;
  readonly message?: string;
  readonly response?: unknown;
}

const test = suite("Go client");
const daemon = new LocalDaemon();
daemon.pools.replace("IPPool", [smallPool("pool1", "10.0.0", ["node-1"]), smallPool("pool2", "10.0.2", [])]);
daemon.pools.replace("CIDRPool", [
  {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "CIDRPool",
    metadata: { name: "prefixes", uid: "u" },
    spec: { cidr: "fd00::/48", perNodeNetworkPrefix: 64, gatewayIndex: 1, routes: [{ dst: "fd01::/48" }] },
    status: { allocations: [{ nodeName: "node-1", prefix: "fd00::/64", gateway: "fd00::1" }] },
  },
]);
test.before(async () => {
  await daemon.open();
});
test.after(() => daemon.remove());

async function call(method: string, request: object, ...flags: readonly string[]): Promise<Answer> {
  const args = [`-target=unix://${daemon.socket}`, `-method=${method}`, ...flags];
  const { exit, stdout, stderr } = await runProgram(CLIENT, args, { input: JSON.stringify(request) });
  assert.is(exit, 0, stderr);
  return JSON.parse(stdout);
}

function parameters(container: string, more: object = {}): object {
  const metadata = { k8s_pod_name: "web", k8s_pod_namespace: "shop", k8s_pod_uid: `uid-${container}` };
  const attachment = { pools: ["pool1"], cni_containerid: container, cni_ifname: "net1", metadata };
  return { parameters: { ...attachment, pool_type: "POOL_TYPE_IPPOOL", ...more } };
}

const one = { pool: "pool1", ip: "10.0.0.2/24", gateway: "10.0.0.1", pool_type: "POOL_TYPE_IPPOOL" };

test("Allocate, IsAllocated and Deallocate are understood both ways", async () => {
  const response = { allocations: [one] };
  assert.equal(await call("Allocate", parameters("c1")), { status: "OK", response });
  assert.equal(await call("Allocate", parameters("c1")), { status: "OK", response });
  assert.equal(await call("IsAllocated", parameters("c1")), { status: "OK", response: {} });
  assert.equal(await call("Deallocate", parameters("c1")), { status: "OK", response: {} });
  assert.is((await call("IsAllocated", parameters("c1"))).status, "NOT_FOUND");
});

test("metadata of the call is kept as the network's name", async () => {
  await call("Allocate", parameters("c2"), "-metadata=nv-ipam-network=storage");
  const [held] = await daemon.client.reservations();
  assert.equal([held?.containerId, held?.network, held?.podUid], ["c2", "storage", "uid-c2"]);
  await call("Deallocate", parameters("c2"));
});

test("a prefix has its gateway and routes", async () => {
  const asked = parameters("c3", { pools: ["prefixes"], pool_type: "POOL_TYPE_CIDRPOOL" });
  const { response } = await call("Allocate", asked);
  const routes = [{ dest: "fd01::/48" }];
  const given = { pool: "prefixes", ip: "fd00::2/64", gateway: "fd00::1", pool_type: "POOL_TYPE_CIDRPOOL", routes };
  assert.equal(response, { allocations: [given] });
  await call("Deallocate", asked);
});

const refused: readonly [status: string, request: object, message: RegExp][] = [
  ["INVALID_ARGUMENT", {}, /parameters is required/],
  ["INVALID_ARGUMENT", parameters("c4", { pool_type: 9 }), /pool_type must be/],
  ["INVALID_ARGUMENT", parameters("c4", { requested_ips: ["10.9.9.9"] }), /10\.9\.9\.9/],
  ["INVALID_ARGUMENT", parameters("c4", { features: { allocate_ip_with_index: -1 } }), /must not be negative/],
  ["NOT_FOUND", parameters("c4", { pools: ["nope"] }), /there is no IPPool of this name/],
  ["NOT_FOUND", parameters("c4", { pools: ["pool2"] }), /no block for node "node-1"/],
];
for (const [status, request, message] of refused) {
  test(`${JSON.stringify(request).slice(0, 60)}… is ${status} with its message`, async () => {
    const answer = await call("Allocate", request);
    assert.is(answer.status, status);
    assert.match(answer.message ?? "", message);
  });
}

test("parallel calls of many clients share the block's three addresses, then it is exhausted", async () => {
  const containers = ["p1", "p2", "p3", "p4", "p5"];
  const answers = await Promise.all(containers.map((container) => call("Allocate", parameters(container))));
  assert.equal(answers.map(({ status }) => status).sort(), [
    "OK",
    "OK",
    "OK",
    "RESOURCE_EXHAUSTED",
    "RESOURCE_EXHAUSTED",
  ]);
  const kept = (await daemon.client.reservations()).map(({ containerId }) => containerId)[0] ?? "";
  const other = await call("Allocate", parameters(kept, { requested_ips: ["10.0.0.9"] }));
  assert.is(other.status, "ALREADY_EXISTS");
  for (const container of containers) await call("Deallocate", parameters(container));
  assert.equal(await daemon.client.reservations(), []);
});

test("a daemon that is stopped and started is found again", async () => {
  await daemon.close();
  const answer = call("Allocate", parameters("c5"), "-timeout=200ms");
  assert.is((await answer).status, "UNAVAILABLE");
  await daemon.open();
  assert.is((await call("Allocate", parameters("c5"))).status, "OK");
});

test.run();
