import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readFromStore } from "../../src/lib/inspect/from_store.ts";
import { storeReport } from "../../src/lib/inspect/store.ts";
import { formatLegacy } from "../../src/lib/journal/legacy.ts";
import { schemaErrors } from "./_schema.ts";

const test = suite<{ store: string; directory: string }>("from store");
test.before.each((place) => {
  place.directory = mkdtempSync(join(tmpdir(), "nv-ipam-from-store-"));
  place.store = join(place.directory, "store");
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true }));

test("a store that the original left is shown with its pools, and nothing is written", async ({ store, directory }) => {
  copyFileSync(new URL("../conformance/vectors/store/small.json", import.meta.url), store);
  const read = await readFromStore(store);
  if (!read.ok) throw new Error(read.error.message);
  const { pools, reservations, isRunning, problems } = read.value;
  assert.equal([isRunning, problems], [false, []]);
  assert.equal(
    pools.find(({ pool }) => pool === "cidr1"),
    {
      pool: "cidr1",
      poolKind: "CIDRPool",
      uid: "",
      subnet: "10.20.3.0/24",
      gateway: "10.20.3.1",
      block: { startIP: "10.20.3.1", endIP: "10.20.3.254" },
      addresses: { total: "254", excluded: "1", used: "1", free: "252" },
      lastAddress: "10.20.3.2",
      blocks: null,
      problem: "",
    },
  );
  const c3 = reservations.find(({ containerID }) => containerID === "c3");
  assert.equal([c3?.addresses, c3?.pod?.name], [["10.20.3.2"], "pod-c3"]);
  assert.equal(readdirSync(directory), ["store"]);
});

test("a pool whose configuration makes no sense is shown without its addresses", async ({ store }) => {
  const odd = { toString: 1 };
  const whole = {
    subnet: "10.0.0.0/24",
    startIP: "10.0.0.1",
    endIP: "10.0.0.9",
    exclusions: [{ startIP: odd, endIP: odd }],
  };
  for (const [config, subnet] of [
    ["no JSON", ""],
    ["[1]", ""],
    [JSON.stringify({ subnet: odd, gateway: odd, startIP: odd, endIP: odd }), ""],
    [JSON.stringify({ ...whole, gateway: odd }), "10.0.0.0/24"],
  ] as const) {
    const pool = { name: "p", entries: new Map(), last_pool_config: config, last_reserved_ip: "10.0.0.2" };
    writeFileSync(store, formatLegacy(new Map([["p", pool]])).text);
    const read = await readFromStore(store);
    if (!read.ok) throw new Error(read.error.message);
    assert.equal(
      read.value.pools.map((item) => [item.pool, item.subnet]),
      [["p", subnet]],
    );
  }
});

test("how the original's file is, is told without touching it", async ({ store, directory }) => {
  copyFileSync(new URL("../conformance/vectors/store/small.json", import.meta.url), store);
  const read = await storeReport(store);
  if (!read.ok) throw new Error(read.error);
  const { files, reservations, pools, ...rest } = read.value;
  assert.is(schemaErrors(read.value), "");
  assert.equal([rest.state, rest.content, rest.generation, rest.problems], ["whole", "original", 0, []]);
  assert.ok(reservations > 1 && pools > 1);
  assert.equal(
    files.map(({ name }) => name),
    ["store"],
  );
  assert.equal(readdirSync(directory), ["store"]);
});

test("a store that is none is an error", async ({ store }) => {
  assert.equal(await storeReport(store), { ok: false, error: `there is no store at ${store}` });
  writeFileSync(store, "no store");
  const read = await storeReport(store);
  assert.is(read.ok && read.value.state, "damaged");
});

test("without a store there is nothing to read", async ({ store }) => {
  const read = await readFromStore(store);
  assert.equal(read, { ok: false, error: { isAbsent: true, message: `there is no store at ${store}` } });
});

test.run();
