import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Random, seededRandom } from "../random.ts";
import type { Fault } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";
import { Knowledge, type Life, live } from "./story.ts";

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Each fault is met this often, with other parts of what was not synced lost. */
const DRAWS = 2;

type Kind = { readonly name: string } & (
  | { readonly type: "power" | "kill"; readonly when: "before" | "after" }
  | { readonly type: "error"; readonly code: "EIO" | "ENOSPC" }
);

const KINDS: readonly Kind[] = [
  { name: "power is lost before", type: "power", when: "before" },
  { name: "power is lost after", type: "power", when: "after" },
  { name: "the process is killed before", type: "kill", when: "before" },
  { name: "the process is killed after", type: "kill", when: "after" },
  { name: "an I/O error meets", type: "error", code: "EIO" },
  { name: "a full disk meets", type: "error", code: "ENOSPC" },
];

/** What was to make good an error fails as well, and the process ends when it next asks for something. */
const IN_A_ROW: readonly DistributiveOmit<Fault, "at">[] = [
  { type: "error", code: "EIO" },
  { type: "error", code: "EIO" },
  { type: "kill", when: "before" },
];

/** Long enough for several journals and a snapshot; the end hands over to the original. */
const BUSY: Omit<Life, "faults"> = { clients: 2, operations: 12, end: "close" };

const random = seededRandom("faults");

for (const start of ["first", "second"] as const) {
  for (const kind of KINDS) {
    test(`R3 holds when ${kind.name} each single thing that a store asks of its disk in its ${start} life`, async () => {
      const last = (await tell(random, start)) + 10;
      assert.ok(last > 60, `${last}`);
      for (let at = 1; at <= last; at++) {
        for (let draw = 0; draw < DRAWS; draw++) await tell(random, start, [{ ...kind, at }]);
      }
    });
  }

  test(`R3 holds when an I/O error meets any two things in a row in its ${start} life and then the process ends`, async () => {
    const last = await tell(random, start);
    for (let at = 1; at <= last; at++) {
      const faults = IN_A_ROW.map((fault, index): Fault => ({ ...fault, at: at + index }));
      for (let draw = 0; draw < DRAWS; draw++) await tell(random, start, faults);
    }
  });
}

/** A life that meets the faults, and two that see what it left: one goes on, one only looks. Returns how much the first one asked for. */
async function tell(random: Random, start: "first" | "second", faults: readonly Fault[] = []): Promise<number> {
  const storage = new SimStorage();
  let knowledge = new Knowledge("");
  const next = async (life: Life): Promise<number> => {
    const outcome = await live(storage, knowledge, life, { random });
    knowledge = outcome.knowledge;
    return outcome.asked;
  };
  if (start === "second") await next({ clients: 2, operations: 6, faults: [], end: "close" });
  const asked = await next({ ...BUSY, faults });
  await next({ clients: 1, operations: 3, faults: [], end: "power" });
  await next({ clients: 0, operations: 0, faults: [], end: "power" });
  return asked;
}

test.run();
