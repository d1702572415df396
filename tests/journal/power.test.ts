import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Random, seededRandom } from "../random.ts";
import { type Fault, SimStorage } from "./sim_disk.ts";
import { Knowledge, type Life, live } from "./story.ts";

const STORIES = 10_000;

test(`R3 after each of ${STORIES} power failures, kills and faults everything acknowledged is there and nothing came back`, async () => {
  const random = seededRandom("power");
  const sums = { lives: 0, acknowledged: 0, asked: 0 };
  for (let story = 0; story < STORIES; story++) {
    try {
      await tell(random, sums);
    } catch (error) {
      if (error instanceof Error) error.message = `story ${story}: ${error.message}`;
      throw error;
    }
  }
  console.log(sums);
  assert.ok(sums.acknowledged > STORIES);
});

async function tell(random: Random, sums: { lives: number; acknowledged: number; asked: number }): Promise<void> {
  const storage = new SimStorage();
  let knowledge = new Knowledge("");
  for (let lives = 2 + random.below(3); lives > 0; lives--) {
    const outcome = await live(storage, knowledge, randomLife(random), { random });
    knowledge = outcome.knowledge;
    sums.lives++;
    sums.acknowledged += outcome.acknowledged;
    sums.asked += outcome.asked;
  }
  await live(storage, knowledge, { clients: 0, operations: 0, faults: [], end: "kill" }, { random });
}

function randomLife(random: Random): Life {
  const faults: Fault[] = [];
  const at = 1 + random.below(150);
  if (random.below(4) > 0) {
    faults.push({ at, type: random.pick(["power", "power", "kill"]), when: random.pick(["before", "after"]) });
  }
  if (random.below(4) === 0)
    faults.push({ at: 1 + random.below(at), type: "error", code: random.pick(["EIO", "ENOSPC"]) });
  return {
    clients: 1 + random.below(3),
    operations: 2 + random.below(8),
    faults,
    end: random.pick(["power", "kill", "close"]),
  };
}

test.run();
