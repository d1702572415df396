/**
 * Runs test files, each in its own process, and demands of each one report of uvu with Total = Passed > 0.
 *
 *     gate.ts [--limit=SECONDS OF EACH FILE] [FILE | PART OF A PATH]...
 *
 * Without arguments: every tests/**\/*.test.ts. Those of LANES come last: one of each lane at a time, beside the other lane's.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { endAll, runFile } from "./_test_process.ts";
import { judge } from "./_verdict.ts";

/** Tests that bring up whole systems: those against an API server mostly wait, the others keep a core busy. */
const LANES = [/^tests\/cluster\//, /^tests\/(crash|node|peers)\//];
/** All other tests. */
const AT_ONCE = 2;
/** Those that take many times as long as any other have twice the time. */
const LONG = [/^tests\/node\/faults\.test\.ts$/];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { limit: { type: "string", default: "900" } },
});
const limitSeconds = Number(values.limit);
const files = findFiles(positionals);
if (files.length === 0) throw new Error(`no test file matches ${positionals.join(" ")}`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    endAll();
    process.exit(1);
  });
}

let passed = 0;
let failed = 0;
const lanes = LANES.map((lane) => files.filter((file) => lane.test(file)));
const others = files.filter((file) => !LANES.some((lane) => lane.test(file)));
await Promise.all(Array.from({ length: AT_ONCE }, () => work(others)));
await Promise.all(lanes.map(work));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** An argument that is a file is taken as it is; any other selects the test files whose path contains it. */
function findFiles(wanted: readonly string[]): string[] {
  const all = globSync("tests/**/*.test.ts").sort();
  if (wanted.length === 0) return all;
  return [...new Set(wanted.flatMap((part) => (isFile(part) ? [part] : all.filter((file) => file.includes(part)))))];
}

function isFile(path: string): boolean {
  return path.endsWith(".ts") && existsSync(path);
}

async function work(queue: string[]): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const run = await runFile(file, LONG.some((long) => long.test(file)) ? 2 * limitSeconds : limitSeconds);
    const verdict = judge(readFileSync(file, "utf8"), run);
    passed += verdict.passed;
    failed += verdict.failed;
    const counts = `${verdict.passed} passed in ${run.seconds.toFixed(1)} s`;
    if (verdict.faults.length === 0) {
      console.log(`ok    ${file}: ${counts}`);
    } else {
      console.log(`FAIL  ${file}: ${counts}; it ${verdict.faults.join(", and ")}`);
      console.log(run.output.replaceAll(/^/gm, "      | "));
    }
  }
}
