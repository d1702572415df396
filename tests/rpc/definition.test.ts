/** Services made of generated code, asked by a client in Go. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { grpcService } from "../../src/lib/rpc/definition.ts";
import { DaemonServiceDefinition } from "../../src/lib/rpc/generated/daemon.ts";
import { IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";
import { runProgram } from "../program.ts";
import { temporaryDirectory } from "./client/_peer_process.ts";
import { goPeer, startGrpcJs } from "./client/_peers.ts";

const client = goPeer("client");
const peer = await startGrpcJs({ path: join(temporaryDirectory(), "peer.sock") });

async function ask(method: string, parameters: object, ...flags: string[]): Promise<unknown> {
  const input = JSON.stringify({ parameters });
  const { stdout, stderr } = await runProgram(client, [`-target=${peer.target}`, `-method=${method}`, ...flags], {
    input,
  });
  assert.is(stderr, "");
  return JSON.parse(stdout);
}

test("paths are those of the protocol definition, keyed by the generated names", () => {
  const paths = (service: object) => Object.entries(service).map(([key, { path }]) => [key, path]);
  assert.equal(paths(grpcService(IPAMServiceDefinition)), [
    ["allocate", "/nvidia.ipam.node.v1.IPAMService/Allocate"],
    ["isAllocated", "/nvidia.ipam.node.v1.IPAMService/IsAllocated"],
    ["deallocate", "/nvidia.ipam.node.v1.IPAMService/Deallocate"],
  ]);
  assert.equal(paths(grpcService(DaemonServiceDefinition))[0], [
    "collectGarbage",
    "/nvipam.daemon.v1.DaemonService/CollectGarbage",
  ]);
});

test("a Go client gets the answer of Allocate", async () => {
  const parameters = { pools: ["a"], cni_containerid: "c1", pool_type: "POOL_TYPE_CIDRPOOL" };
  const answer = await ask("Allocate", parameters, "-metadata=nv-ipam-network=net-a", "-metadata=peer-routes=1");
  const allocation = { pool: "a", ip: "c1", gateway: "net-a", pool_type: "POOL_TYPE_CIDRPOOL" };
  assert.equal(answer, {
    status: "OK",
    response: { allocations: [{ ...allocation, routes: [{ dest: "10.0.0.0/24" }] }] },
  });
});

for (const method of ["IsAllocated", "Deallocate"]) {
  test(`a Go client gets the empty answer of ${method}`, async () => {
    assert.equal(await ask(method, { pools: ["a"] }), { status: "OK", response: {} });
  });
}

test("a Go client gets a status with odd characters", async () => {
  const answer = await ask("Allocate", { pools: ['é 100% "名"'] }, "-metadata=peer-status=9");
  assert.equal(answer, { status: "FAILED_PRECONDITION", message: 'é 100% "名"' });
});

test("a Go client gives up in time", async () => {
  const answer = await ask("Allocate", { pools: ["a"] }, "-metadata=peer-delay-ms=60000", "-timeout=300ms");
  assert.is((answer as { status: string }).status, "DEADLINE_EXCEEDED");
});

test("the server ends", async () => {
  await peer.kill();
  assert.is(((await ask("Allocate", { pools: ["a"] })) as { status: string }).status, "UNAVAILABLE");
});

test.run();
