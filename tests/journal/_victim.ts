/** Reserves and releases on a real disk until it is killed, and says on stdout what was acknowledged. */
import { writeSync } from "node:fs";
import { openStore } from "../../src/lib/journal/store.ts";
import { add, del, POOLS, SILENT, SMALL_SIZES } from "./story.ts";

const [, , storeFile = ""] = process.argv;
const opened = await openStore({ storeFile, log: SILENT, sizes: SMALL_SIZES });
if (!opened.ok) throw new Error(opened.error.message);
const store = opened.value;

async function client(name: string): Promise<void> {
  for (let round = 0; ; round++) {
    const container = `${name}${round % 3}`;
    writeSync(1, `begin ${container}\n`);
    const released = del(store.ledger, container) > 0;
    if (!released) add(store.ledger, container, [POOLS[0]]);
    const committed = await store.commit();
    if (!committed.ok) throw new Error(committed.error.message);
    writeSync(1, `done ${container} ${released ? "free" : "held"}\n`);
  }
}

writeSync(1, "ready\n");
await Promise.all(["a", "b", "c"].map(client));
