/** The daemon over its real store and socket, in this process. */
import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/lib/daemon/daemon.ts";
import { formatLegacy, parseLegacy } from "../../src/lib/journal/legacy.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { ok, type Result } from "../../src/lib/result.ts";
import { IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";
import { DaemonClient } from "../daemon_client.ts";
import { EXECUTABLE } from "../plugin.ts";
import { LocalDaemon, type LocalOptions, listLog, refusal, smallPool } from "./_local.ts";

const GRPC_HEADERS = {
  [constants.HTTP2_HEADER_METHOD]: "POST",
  [constants.HTTP2_HEADER_PATH]: "/nvidia.ipam.node.v1.IPAMService/Allocate",
  "content-type": "application/grpc",
  te: "trailers",
};

async function withDaemon(work: (daemon: LocalDaemon) => Promise<void>, options: LocalOptions = {}): Promise<void> {
  const daemon = new LocalDaemon(options);
  try {
    await work(await daemon.open());
  } finally {
    await daemon.remove();
  }
}

const pool1 = smallPool("pool1", "10.0.0", ["node-1", "node-2"]);

test("R11 before the pools are known Allocate and STATUS say so, while DEL, CHECK, GC and lists answer", () =>
  withDaemon(
    async ({ client, pools }) => {
      const who = { pools: ["pool1"], container: "c1" };
      assert.is((await refusal(client.allocate(who))).status, "UNAVAILABLE");
      assert.equal(await client.status(), { ready: false, reasons: ["the IPPools are not known yet"], serving: true });
      await client.deallocate(who);
      assert.is((await refusal(client.isAllocated(who))).status, "NOT_FOUND");
      assert.is(await client.collectGarbage("net-a", []), 0);
      assert.equal(await client.reservations(), []);
      pools.replace("IPPool", [pool1]);
      assert.equal(await client.allocate(who), ["10.0.0.2/24"]);
      assert.equal(await client.status(), { ready: true, reasons: [], serving: true });
      assert.equal((await client.status([], "CIDRPool")).reasons, ["the CIDRPools are not known yet"]);
    },
    { poolsKnown: false },
  ));

test("STATUS names the pools of the network that are not served", () =>
  withDaemon(async ({ client, pools }) => {
    pools.replace("IPPool", [pool1, smallPool("pool2", "10.0.2", ["node-2"])]);
    assert.ok((await client.status(["pool1"])).ready);
    const { ready, reasons, serving } = await client.status(["pool2", "nope"]);
    assert.equal([ready, serving], [false, true]);
    assert.match(reasons[0] ?? "", /IPPool "pool2": the pool has no block for node "node-1"/);
    assert.match(reasons[1] ?? "", /IPPool "nope": there is no IPPool of this name/);
  }));

const statics: readonly [what: string, address: string, flags: readonly string[], expected: string][] = [
  ["the network address", "10.0.0.0", [], "INVALID_ARGUMENT"],
  ["the broadcast address", "10.0.0.255", [], "INVALID_ARGUMENT"],
  ["an address of another node's block", "10.0.0.6", [], "INVALID_ARGUMENT"],
  [
    "an address of another node's block, with the flag",
    "10.0.0.6",
    ["--allow-static-ip-in-other-blocks"],
    "10.0.0.6/24",
  ],
  ["the network address, with the flag", "10.0.0.0", ["--allow-static-ip-in-other-blocks"], "INVALID_ARGUMENT"],
  ["an excluded address of another node's block", "10.0.0.7", [], "10.0.0.7/24"],
  ["an address of no node's block", "10.0.0.77", [], "10.0.0.77/24"],
  ["the gateway", "10.0.0.1", [], "10.0.0.1/24"],
  ["an address of the own block", "10.0.0.4", [], "10.0.0.4/24"],
];
for (const [what, address, flags, expected] of statics) {
  test(`R10 ${what} asked for by name gives ${expected}`, () =>
    withDaemon(
      async ({ client, pools }) => {
        const exclusions = [{ startIP: "10.0.0.7", endIP: "10.0.0.7" }];
        pools.replace("IPPool", [{ ...pool1, spec: { ...pool1.spec, exclusions } } as typeof pool1]);
        const asked = client.allocate({ pools: ["pool1"], container: "c1", requested: [address] });
        const given = await asked.catch((error) => [error.status]);
        assert.equal(given, [expected]);
      },
      { flags },
    ));
}

test("R13 the store's files have mode 0600", () =>
  withDaemon(async ({ client, store, pools }) => {
    pools.replace("IPPool", [pool1]);
    await client.allocate({ pools: ["pool1"], container: "c1" });
    const files = readdirSync(dirname(store));
    assert.ok(files.includes("store.journal.1"), files.join());
    for (const file of files) assert.is(lstatSync(join(dirname(store), file)).mode & 0o777, 0o600, file);
  }));

test("R13 a second daemon on the same store is refused with the lock's path, before it touches the socket", () =>
  withDaemon(async (first) => {
    const second = new LocalDaemon({ flags: [`--store-file=${first.store}`] });
    try {
      assert.match((await second.tryOpen()) ?? "", `${first.store}.lock`);
      assert.equal(readdirSync(second.directory), []);
    } finally {
      await second.remove();
    }
  }));

test("R13 a second daemon on the same socket is refused, and lets its own store go again", () =>
  withDaemon(async (first) => {
    const second = new LocalDaemon();
    try {
      assert.match(
        (await second.tryOpen([`--bind-address=unix://${first.socket}`])) ?? "",
        "another daemon answers there",
      );
      await first.client.status();
      await second.open();
    } finally {
      await second.remove();
    }
  }));

test("R3 beside an original that answers on the socket a start leaves its file alone, and makes none", async () => {
  const daemon = new LocalDaemon();
  const original = createServer();
  try {
    for (const path of [daemon.socket, daemon.store]) mkdirSync(dirname(path));
    await new Promise<void>((resolve) => original.listen(daemon.socket, resolve));
    const { text } = formatLegacy(new Map());
    writeFileSync(daemon.store, text);
    assert.match((await daemon.tryOpen()) ?? "", "another daemon answers there");
    assert.equal(readdirSync(dirname(daemon.store)), ["store"]);
    assert.is(readFileSync(daemon.store, "utf8"), text);
  } finally {
    await new Promise((resolve) => original.close(resolve));
    await daemon.remove();
  }
});

test("R13 tcp serves on loopback, and not beyond", async () => {
  const daemon = new LocalDaemon();
  try {
    assert.match((await daemon.tryOpen(["--bind-address=tcp://0.0.0.0:0"])) ?? "", "--allow-insecure-bind");
    assert.is(await daemon.tryOpen(["--bind-address=tcp://127.0.0.1:0"]), undefined);
    assert.ok((await daemon.client.status()).ready);
  } finally {
    await daemon.remove();
  }
});

test("a clean stop hands the reservations over to the original's file, removes the socket, and a start takes them up", async () => {
  const daemon = new LocalDaemon();
  try {
    daemon.pools.replace("IPPool", [pool1]);
    await daemon.open();
    await daemon.client.allocate({ pools: ["pool1"], container: "c1" });
    assert.match(readFileSync(daemon.store, "utf8"), /^nv-ipam keeps the reservations/);
    await daemon.close();
    assert.equal(readdirSync(dirname(daemon.socket)), []);
    const legacy = parseLegacy(readFileSync(daemon.store, "utf8"));
    assert.ok(legacy.ok, "the checksum is right");
    assert.match(readFileSync(daemon.store, "utf8"), '"ip_address":"10.0.0.2"');
    await daemon.open();
    await daemon.client.isAllocated({ pools: ["pool1"], container: "c1" });
    assert.equal(await daemon.client.allocate({ pools: ["pool1"], container: "c2" }), ["10.0.0.3/24"]);
  } finally {
    await daemon.remove();
  }
});

test("what the original did to its file meanwhile is taken over: going there and back loses nothing", async () => {
  const daemon = new LocalDaemon();
  try {
    daemon.pools.replace("IPPool", [pool1]);
    await daemon.open();
    for (const container of ["c1", "c2"]) await daemon.client.allocate({ pools: ["pool1"], container });
    await daemon.close();
    const exported = parseLegacy(readFileSync(daemon.store, "utf8"));
    const pool = exported.ok ? exported.value.store?.get("pool1") : undefined;
    const c2 = pool?.entries?.get("c2_net1");
    if (pool === undefined || c2 === undefined) throw new Error("what was exported lacks an entry");
    // The original deleted c1 and added c3.
    const c3 = { ...c2, container_id: "c3", ip_address: "10.0.0.4" };
    const entries = new Map([
      ["c2_net1", c2],
      ["c3_net1", c3],
    ]);
    const { text } = formatLegacy(new Map([["pool1", { ...pool, entries, last_reserved_ip: "10.0.0.4" }]]));
    writeFileSync(daemon.store, text);
    await daemon.open();
    const held = (await daemon.client.reservations()).map(({ containerId, addresses }) => [containerId, ...addresses]);
    assert.equal(held, [
      ["c2", "10.0.0.3"],
      ["c3", "10.0.0.4"],
    ]);
    assert.equal(await daemon.client.allocate({ pools: ["pool1"], container: "c4" }), ["10.0.0.2/24"]);
  } finally {
    await daemon.remove();
  }
});

test("R11 a damaged store: ADD is Unavailable and STATUS says why, DEL and CHECK go on, and it is not handed over", async () => {
  const daemon = new LocalDaemon();
  try {
    daemon.pools.replace("IPPool", [pool1]);
    await daemon.open();
    for (const container of ["c1", "c2"]) await daemon.client.allocate({ pools: ["pool1"], container });
    await daemon.close();
    const journals = readdirSync(dirname(daemon.store)).filter((name) => /snapshot|journal/.test(name));
    for (const name of journals) damageMiddle(join(dirname(daemon.store), name));
    writeFileSync(daemon.store, "neither ours nor the original's");
    await daemon.open();
    const third = { pools: ["pool1"], container: "c3" };
    const added = await refusal(daemon.client.allocate(third));
    assert.is(added.status, "UNAVAILABLE");
    assert.match(added.message, "nv-ipam store repair");
    assert.is((await refusal(daemon.client.isAllocated(third))).status, "NOT_FOUND");
    await daemon.client.deallocate(third);
    const { ready, reasons, serving } = await daemon.client.status();
    assert.equal([ready, reasons, serving], [false, [added.message], true]);
    await daemon.close();
    assert.match(daemon.log.at(-1) ?? "", "was not handed over");
    assert.not.ok(parseLegacy(readFileSync(daemon.store, "utf8")).ok);
  } finally {
    await daemon.remove();
  }
});

function damageMiddle(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0x21, 10, 40);
  writeFileSync(path, bytes);
}

/** A daemon whose commits wait until they are let through. */
async function gatedDaemon() {
  const place = new LocalDaemon();
  place.pools.replace("IPPool", [pool1]);
  const log: string[] = [];
  const ledger = new Ledger();
  let letThrough: () => void = () => undefined;
  const gate = new Promise<Result<void, never>>((resolve) => {
    letThrough = () => resolve(ok(undefined));
  });
  let commits = 0;
  const commit = (): typeof gate => {
    commits++;
    return gate;
  };
  const served = await serve({
    nodeName: "node-1",
    endpoint: { type: "unix", path: place.socket },
    store: { ledger, commit, admitsReservations: () => ok(undefined) },
    pools: place.pools,
    podOptional: false,
    allowStaticInOtherBlocks: false,
    log: listLog(log, 4),
  });
  if (!served.ok) throw new Error(served.error);
  return { place, daemon: served.value, ledger, letThrough, isWaiting: () => commits > 0, log };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("R3 an ADD whose stream is closed while its record waits for the disk leaves nothing behind", async () => {
  const { place, daemon, ledger, letThrough, isWaiting, log } = await gatedDaemon();
  const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: place.socket }) });
  const { requestType } = IPAMServiceDefinition.methods.allocate;
  const metadata = { k8sPodName: "p", k8sPodNamespace: "d", k8sPodUid: "u", deviceId: "" };
  const attachment = { pools: ["pool1"], cniContainerid: "c1", cniIfname: "net1", metadata };
  const message = requestType.encode({ parameters: { ...attachment, poolType: 1, requestedIps: [] } }).finish();
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  session.request(GRPC_HEADERS).end(Buffer.concat([prefix, message]));
  try {
    await until(isWaiting);
    assert.is(ledger.size, 1);
    session.destroy();
    await new Promise((resolve) => session.once("close", resolve));
    // The daemon's end of the socket is in this process, too: a further connection is read after it.
    const other = new DaemonClient(`unix://${place.socket}`);
    await other.status();
    other.close();
    letThrough();
    await until(() => log.some((line) => line.includes('"Answered" method="Allocate" status="Cancelled"')));
    assert.is(ledger.size, 0);
  } finally {
    await daemon.close();
    await place.remove();
  }
});

test("a stop waits for the calls under way and answers them, and takes no further ones", async () => {
  const { place, daemon, letThrough, isWaiting } = await gatedDaemon();
  const client = new DaemonClient(`unix://${place.socket}`);
  try {
    const answer = client.allocate({ pools: ["pool1"], container: "c1" });
    await until(isWaiting);
    const closed = daemon.close();
    await until(() => !existsSync(place.socket));
    letThrough();
    assert.equal(await answer, ["10.0.0.2/24"]);
    await closed;
  } finally {
    client.close();
    await place.remove();
  }
});

test("a stop ends although a client hangs in the middle of its request, and others keep idle connections", async () => {
  const daemon = new LocalDaemon();
  await daemon.open();
  const session = connectHttp2("http://localhost", { createConnection: () => connect({ path: daemon.socket }) });
  session.on("error", () => undefined);
  session
    .request(GRPC_HEADERS)
    .on("error", () => undefined)
    .write(Buffer.from([0, 0, 0, 0, 100]));
  const silent = connect({ path: daemon.socket }).on("error", () => undefined);
  await daemon.client.status();
  const closed = new Promise((resolve) => session.once("close", resolve));
  await daemon.remove();
  await closed;
  silent.destroy();
});

test("R13 the lock is the kernel's: a killed daemon's store can be opened at once", async () => {
  const place = new LocalDaemon();
  for (const name of ["pools", "bin", "conf"]) mkdirSync(join(place.directory, name));
  const flags = [
    "--node-name=node-1",
    `--pools=${join(place.directory, "pools")}`,
    `--store-file=${place.store}`,
    `--bind-address=unix://${place.socket}`,
    `--cni-bin-dir=${join(place.directory, "bin")}`,
    `--cni-conf-dir=${join(place.directory, "conf")}`,
  ];
  const other = new DaemonClient(`unix://${place.socket}`);
  const child = spawn(EXECUTABLE, ["standalone", ...flags], { stdio: "ignore" });
  try {
    for (let isUp = false; !isUp && child.exitCode === null; )
      isUp = await other.status().then(
        () => true,
        () => false,
      );
    const elsewhere = `--bind-address=unix://${join(place.directory, "other.sock")}`;
    assert.match((await place.tryOpen([elsewhere])) ?? "", `${place.store}.lock`);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
    assert.is(await place.tryOpen(), undefined);
    assert.ok((await place.client.status()).ready);
  } finally {
    other.close();
    child.kill("SIGKILL");
    await place.remove();
  }
});

test.run();
