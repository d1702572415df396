import { test } from "uvu";
import * as assert from "uvu/assert";
import { seededRandom } from "../random.ts";
import { tellStory } from "./story.ts";

const POWER_FAILURES = 10_000;

test(`R1 R3 after each of ${POWER_FAILURES} power failures everything acknowledged is there and nothing came back`, async () => {
  const random = seededRandom("power");
  const sums = { stories: 0, lives: 0, powerFailures: 0, acknowledged: 0 };
  while (sums.powerFailures < POWER_FAILURES) {
    const { lives, powerFailures, acknowledged } = await tellStory(random);
    sums.stories++;
    sums.lives += lives;
    sums.powerFailures += powerFailures;
    sums.acknowledged += acknowledged;
  }
  console.log(sums);
  assert.ok(sums.acknowledged > POWER_FAILURES);
});

test.run();
