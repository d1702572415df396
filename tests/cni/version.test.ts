import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isAtLeast, neededVersion, SUPPORTED_VERSIONS, versionAnswer } from "../../src/lib/cni/version.ts";

test("VERSION answers as recorded", () => {
  const vector = JSON.parse(readFileSync(join(import.meta.dirname, "../conformance/vectors/cni/version.json"), "utf8"));
  assert.equal(JSON.parse(versionAnswer()), vector.steps[0].expect.result);
});

test("versions are ordered as they were published", () => {
  assert.is(isAtLeast("0.3.0", "0.3.1"), false);
  assert.is(isAtLeast("0.4.0", "0.4.0"), true);
  assert.is(isAtLeast("1.0.0", "0.4.0"), true);
});

test("each command has been there since the version that brought it", () => {
  const firsts = (["ADD", "DEL", "CHECK", "STATUS", "GC"] as const).map((command) => [
    command,
    SUPPORTED_VERSIONS.find((version) => neededVersion(command, version) === undefined),
  ]);
  assert.equal(Object.fromEntries(firsts), {
    ADD: "0.1.0",
    DEL: "0.1.0",
    CHECK: "0.4.0",
    STATUS: "1.1.0",
    GC: "1.1.0",
  });
});

test.run();
