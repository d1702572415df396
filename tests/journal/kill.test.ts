import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openStore } from "../../src/lib/journal/store.ts";
import { seededRandom } from "../random.ts";
import { expectNoDoubles, SILENT } from "./story.ts";

const ROUNDS = 10;

test(`R3 after each of ${ROUNDS} SIGKILLs of a real process on a real disk everything acknowledged is there`, async () => {
  const random = seededRandom("kill");
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-kill-"));
  const storeFile = join(directory, "state/store");
  /** What was acknowledged last of a container; undefined while a change of it was under way at the end. */
  const known = new Map<string, boolean | undefined>();
  let acknowledged = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, "_victim.ts"), storeFile], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = new Promise<string | null>((resolve) => child.on("exit", (_, signal) => resolve(signal)));
      const ready = Promise.withResolvers<void>();
      const read = (async () => {
        for await (const line of createInterface(child.stdout)) {
          const [event = "", container = "", state] = line.split(" ");
          if (event === "ready") ready.resolve();
          else if (event === "begin") known.set(container, undefined);
          else if (event === "done") {
            known.set(container, state === "held");
            acknowledged++;
          }
        }
      })();
      await ready.promise;
      const refused = await openStore({ storeFile, log: SILENT });
      assert.match(refused.ok ? "" : refused.error.message, /another nv-ipam process holds .*store\.lock/);
      await delay(random.below(60));
      child.kill("SIGKILL");
      assert.is(await exited, "SIGKILL");
      await read;

      const opened = await openStore({ storeFile, log: SILENT });
      if (!opened.ok) throw new Error(opened.error.message);
      const store = opened.value;
      assert.is(store.state(), "ready");
      expectNoDoubles(store.ledger.snapshot());
      for (const [container, held] of known) {
        const isHeld = store.ledger.list({ limit: 1, containerID: container }).reservations.length > 0;
        if (held !== undefined) assert.is(isHeld, held, container);
        known.set(container, isHeld);
      }
      await store.close({ exportLegacy: random.below(2) === 0 });
    }
    assert.is(statSync(join(directory, "state")).mode & 0o777, 0o700);
    assert.is(statSync(storeFile).mode & 0o777, 0o600);
    assert.ok(acknowledged > ROUNDS, `${acknowledged}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.run();
