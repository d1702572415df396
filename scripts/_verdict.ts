/** What one finished test file has shown, so that none passes by accident: uvu exits 0 in several cases where tests failed. */

/** How the process of a test file ended. */
export interface Ending {
  /** undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  /** Whether it was ended because its time was over. */
  readonly timedOut: boolean;
  /** What was found left and could not be removed, if anything. */
  readonly left: string | undefined;
  /** Everything it printed on stdout, without colours. */
  readonly stdout: string;
}

/** Tests that passed and failed, and why the file as a whole is no success; a file with a fault counts at least one failure. */
export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  readonly faults: readonly string[];
}

/** Judges a test file by its source text and the ending of its process. */
export function judge(source: string, ending: Ending): Verdict {
  const faults = unrunSuites(source);
  if (ending.timedOut) faults.push("ran longer than its limit");
  else if (ending.exitCode !== 0) faults.push(`ended with exit status ${ending.exitCode ?? "of a signal"}`);

  if (ending.left !== undefined) faults.push(`left something: ${ending.left}`);

  const reports = [...ending.stdout.matchAll(/^ {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n/gm)];
  const [total, passed, skipped] = (reports.at(-1) ?? []).slice(1).map(Number);
  if (total === undefined || passed === undefined || reports.length !== 1) {
    faults.push(`printed ${reports.length} reports of uvu instead of one`);
    return { passed: 0, failed: 1, faults };
  }
  if (total === 0) faults.push("has no test");
  if (passed !== total) faults.push(`passed ${passed} of ${total} tests`);
  if (skipped !== 0) faults.push(`skipped ${skipped} tests`);
  return { passed, failed: faults.length === 0 ? 0 : Math.max(1, total - passed), faults };
}

/** Suites of which some test is never run because it is declared after the last `run()`, or because there is none. */
function unrunSuites(source: string): string[] {
  const imported = /import \{([^}]*)\} from "uvu"/.exec(source)?.[1] ?? "";
  const names = [...imported.matchAll(/\btest(?: as (\w+))?/g)].map(([, alias]) => alias ?? "test");
  for (const [, name] of source.matchAll(/\b(?:const|let) (\w+) = suite(?:<[\s\S]*?>)?\(/g)) if (name) names.push(name);
  return names
    .filter((name) => lastIndexOf(source, `${name}(?:\\.only)?\\(`) > lastIndexOf(source, `${name}\\.run\\(\\)`))
    .map((name) => `never runs what it declares with ${name}(): ${name}.run() must come last`);
}

function lastIndexOf(source: string, pattern: string): number {
  return [...source.matchAll(new RegExp(`(?<![\\w.])${pattern}`, "g"))].at(-1)?.index ?? -1;
}
