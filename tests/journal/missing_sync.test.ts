import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Random, seededRandom } from "../random.ts";
import { tellStory, Violation } from "./story.ts";

/** More than enough to come upon what a missing sync breaks. */
const STORIES = 2000;

const random = seededRandom("missing sync");
const places = await syncPlaces(random);

test("the stories come by every sync of the store", () => {
  assert.ok(places.length >= 6, `only ${places.join(", ")}`);
});

for (const place of places) {
  test(`R3 is broken when the sync of ${place} is left out`, async () => {
    const stories = await storiesUntilBroken(random, place);
    console.log(`${place}: broken in story ${stories}`);
    assert.ok(stories <= STORIES, `${STORIES} stories do not need the sync of ${place}`);
  });
}

/** Where in the code files and directories are synced. */
async function syncPlaces(random: Random): Promise<string[]> {
  const places = new Set<string>();
  for (let story = 0; story < 200; story++) await tellStory(random, { onSync: (place) => places.add(place) });
  return [...places].sort();
}

async function storiesUntilBroken(random: Random, ignoredSync: string): Promise<number> {
  for (let story = 1; story <= STORIES; story++) {
    try {
      await tellStory(random, { ignoredSync });
    } catch (error) {
      if (error instanceof Violation) return story;
      throw error;
    }
  }
  return STORIES + 1;
}

test.run();
