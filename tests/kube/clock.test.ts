import { test } from "uvu";
import * as assert from "uvu/assert";
import { systemClock } from "../../src/lib/kube/clock.ts";

for (const ms of [2 ** 31, 600 * 3_600_000, Number.POSITIVE_INFINITY]) {
  test(`a call after ${ms} ms is not made at once`, async () => {
    let isMade = false;
    const cancel = systemClock.after(ms, () => {
      isMade = true;
    });
    // What Node takes for a millisecond is over before this one.
    await new Promise((resolve) => setTimeout(resolve, 50));
    cancel();
    assert.not.ok(isMade);
  });
}

test.run();
