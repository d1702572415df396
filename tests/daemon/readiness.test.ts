/** /readyz of a daemon: what its store's disk has to do with it. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openDaemonEndpoints } from "../../src/lib/daemon/endpoints.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { openStore } from "../../src/lib/journal/store.ts";
import { createLog } from "../../src/lib/observe/log.ts";
import { SimDisk } from "../journal/sim_disk.ts";
import { SimStorage } from "../journal/sim_storage.ts";
import { add, POOLS, SILENT, SMALL_SIZES, STORE_FILE, settled } from "../journal/story.ts";
import { seededRandom } from "../random.ts";

const random = seededRandom("readiness");

/** Of endpoints: one that is open keeps a test that failed from ending. */
const closings: (() => Promise<void>)[] = [];
test.after.each(async () => {
  for (const close of closings.splice(0)) await close();
});

test("a daemon that was not ready on a full disk is so when there is space again, although nobody asks for an address", async () => {
  const storage = new SimStorage();
  const disk = new SimDisk(storage, { random, faults: [] });
  const opened = await openStore({ storeFile: STORE_FILE, log: SILENT, disk, sizes: SMALL_SIZES });
  assert.ok(opened.ok);
  const store = opened.value;
  const lines: string[] = [];
  const closing = await openDaemonEndpoints({
    values: { "health-probe-bind-address": "127.0.0.1:0", "metrics-bind-address": "0" },
    store,
    pools: new PoolTable("node-1"),
    plugin: { missing: undefined, failures: 0 },
    checks: {},
    metrics: undefined,
    log: createLog({ format: "json", verbosity: 0, write: (line) => lines.push(line), now: () => 0, pid: 1 }),
  });
  assert.ok(closing.ok);
  closings.push(closing.value);
  const { address } = JSON.parse(lines[0] ?? "");
  const readiness = async (): Promise<string> => (await fetch(`http://${address}/readyz`)).text();
  assert.is(await readiness(), "[+]store ok\n[+]plugin ok\nok\n");

  storage.capacity = storage.used();
  for (let index = 0; store.admitsReservations().ok; index++) {
    assert.ok(index < 1000, "the disk does not become full");
    add(store.ledger, `c${index}`, [POOLS[0]]);
    await store.commit();
    await settled();
  }
  assert.match(await readiness(), /^\[-\]store: .*no space left for .*\n\[\+\]plugin ok\nnot ready\n$/);

  storage.capacity = Number.POSITIVE_INFINITY;
  let said = "";
  for (let looks = 0; looks < 10 && !said.endsWith("\nok\n"); looks++) said = await readiness();
  assert.is(said, "[+]store ok\n[+]plugin ok\nok\n");
});

test.run();
