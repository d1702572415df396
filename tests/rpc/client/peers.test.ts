/** The client against real servers: @grpc/grpc-js and Go's google.golang.org/grpc, over unix sockets and TCP. */
import { join } from "node:path";
import { suite, test } from "uvu";
import * as assert from "uvu/assert";
import type { Result } from "../../../src/lib/result.ts";
import { type CallFailure, call } from "../../../src/lib/rpc/client/call.ts";
import {
  AllocateRequest,
  AllocateResponse,
  IsAllocatedRequest,
  IsAllocatedResponse,
  PoolType,
} from "../../../src/lib/rpc/generated/node.ts";
import { temporaryDirectory } from "./_peer_process.ts";
import { freePort, type Peer, startGo, startGrpcJs } from "./_peers.ts";

const SERVICE = "/nvidia.ipam.node.v1.IPAMService";
const directory = temporaryDirectory();

interface Question {
  readonly pools: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

function request({ pools }: Question): { parameters: NonNullable<AllocateRequest["parameters"]> } {
  const parameters = {
    pools: [...pools],
    cniContainerid: "c1",
    cniIfname: "net1",
    poolType: PoolType.POOL_TYPE_CIDRPOOL,
    requestedIps: [],
  };
  return { parameters };
}

async function allocate(target: string, question: Question): Promise<Result<AllocateResponse, CallFailure>> {
  const { metadata = {}, timeoutMs = 60_000 } = question;
  const message = AllocateRequest.encode(request(question)).finish();
  const result = await call({ target, path: `${SERVICE}/Allocate`, message, metadata, timeoutMs });
  return result.ok ? { ok: true, value: AllocateResponse.decode(result.value) } : result;
}

async function failure(target: string, question: Question): Promise<CallFailure> {
  const result = await allocate(target, question);
  if (result.ok) throw new Error("the call succeeded");
  return result.error;
}

const STATUSES = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const ODD_TEXT = 'pool "é" 100% – 名前 😀';

/** What every server must be understood in. */
function cases(name: string, peer: () => Peer): void {
  const it = suite(name);

  it("answers, and gets the metadata", async () => {
    const result = await allocate(peer().target, { pools: ["a", "b"], metadata: { "nv-ipam-network": "net-a" } });
    const allocation = { ip: "c1", gateway: "net-a", poolType: PoolType.POOL_TYPE_CIDRPOOL, routes: [] };
    assert.equal(result, {
      ok: true,
      value: {
        allocations: [
          { pool: "a", ...allocation },
          { pool: "b", ...allocation },
        ],
      },
    });
  });

  it("answers with an empty message", async () => {
    const message = IsAllocatedRequest.encode(request({ pools: ["a"] })).finish();
    const result = await call({ target: peer().target, path: `${SERVICE}/IsAllocated`, message, timeoutMs: 60_000 });
    assert.equal(result.ok && IsAllocatedResponse.decode(result.value), {});
  });

  for (const size of [16_000, 65_530, 65_536, 200_000, 1_500_000]) {
    it(`takes and gives back a message of ${size} bytes`, async () => {
      const pool = "p".repeat(size);
      const result = await allocate(peer().target, { pools: [pool] });
      assert.ok(result.ok && result.value.allocations[0]?.pool === pool);
    });
  }

  it("gives an answer of some megabytes", async () => {
    const result = await allocate(peer().target, { pools: ["a"], metadata: { "peer-routes": "150000" } });
    assert.is(result.ok && result.value.allocations[0]?.routes.length, 150_000);
  });

  it("gives an answer that is too large", async () => {
    const error = await failure(peer().target, { pools: ["a"], metadata: { "peer-routes": "300000" } });
    assert.equal([error.type, error.status], ["protocol", 8]);
    assert.match(error.message, /more than 4194304/);
  });

  it("gets as much metadata as its limits allow", async () => {
    const network = "n".repeat(7000);
    const result = await allocate(peer().target, { pools: ["a"], metadata: { "nv-ipam-network": network } });
    assert.is(result.ok && result.value.allocations[0]?.gateway, network);
  });

  for (const status of STATUSES) {
    it(`fails with status ${status} and odd characters`, async () => {
      const metadata = { "peer-status": `${status}` };
      const error = await failure(peer().target, { pools: [`${ODD_TEXT}\nline`], metadata });
      assert.equal(error, { type: "status", status, message: `${ODD_TEXT} line` });
    });
  }

  it("fails without words", async () => {
    const error = await failure(peer().target, { pools: [""], metadata: { "peer-status": "5" } });
    assert.is(error.status, 5);
    assert.match(error.message, /^\S.* answered NOT_FOUND$/);
  });

  it("does not know a method", async () => {
    const { target } = peer();
    const result = await call({ target, path: `${SERVICE}/Nope`, message: Buffer.alloc(0), timeoutMs: 60_000 });
    assert.equal(!result.ok && [result.error.type, result.error.status], ["status", 12]);
  });

  it("does not understand a message", async () => {
    const { target } = peer();
    const result = await call({ target, path: `${SERVICE}/Allocate`, message: Buffer.of(255, 255), timeoutMs: 60_000 });
    assert.equal(!result.ok && [result.error.type, result.error.status], ["status", 13]);
  });

  it("answers slowly", async () => {
    const result = await allocate(peer().target, { pools: ["a"], metadata: { "peer-delay-ms": "400" } });
    assert.ok(result.ok);
  });

  it("answers too late", async () => {
    const question = { pools: ["a"], metadata: { "peer-delay-ms": "60000" }, timeoutMs: 300 };
    const error = await failure(peer().target, question);
    assert.equal([error.type, error.status], ["deadline", 4]);
    assert.match(error.message, /^\S+ did not answer within 0\.3 s/);
  });

  it("answers many callers at once", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `pool-${i}`);
    const results = await Promise.all(names.map((pool) => allocate(peer().target, { pools: [pool] })));
    assert.equal(
      results.map((result) => result.ok && result.value.allocations[0]?.pool),
      names,
    );
  });

  it("lets a call end while it goes away", async () => {
    const slow = allocate(peer().target, { pools: ["a"], metadata: { "peer-delay-ms": "1500" } });
    await allocate(peer().target, { pools: ["b"], metadata: { "peer-delay-ms": "500" } });
    await peer().stop();
    assert.ok((await slow).ok);
  });

  it("is told to be away afterwards", async () => {
    const error = await failure(peer().target, { pools: ["a"] });
    assert.equal([error.type, error.status], ["connect", 14]);
    assert.match(error.message, /^connect (unix|tcp):\/\/.*: is the nv-ipam node daemon running\?$|nobody listens/);
  });

  it.run();
}

const peers = {
  "grpc-js on a unix socket": await startGrpcJs({ path: join(directory, "js.sock") }),
  "grpc-js over TCP": await startGrpcJs({ port: await freePort() }),
  "Go on a unix socket": await startGo({ path: join(directory, "go.sock") }),
  "Go over TCP": await startGo({ port: await freePort() }),
};
for (const [name, peer] of Object.entries(peers)) {
  cases(name, () => peer);
}

test("a Go server that sends connections away by their age lets a call end first", async () => {
  const peer = await startGo({ path: join(directory, "aging.sock") }, "200ms");
  const result = await allocate(peer.target, { pools: ["a"], metadata: { "peer-delay-ms": "1000" } });
  await peer.kill();
  assert.ok(result.ok);
});

test("a server that is killed while it works makes the call fail as unavailable", async () => {
  const peer = await startGo({ path: join(directory, "killed.sock") });
  const result = failure(peer.target, { pools: ["a"], metadata: { "peer-delay-ms": "60000" } });
  await allocate(peer.target, { pools: ["b"], metadata: { "peer-delay-ms": "300" } });
  await peer.kill();
  const message = `${peer.target} closed the connection without an answer`;
  assert.equal(await result, { type: "protocol", status: 14, message });
});

test.run();
