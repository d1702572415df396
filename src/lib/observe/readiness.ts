/** What has to be true before a process counts as ready. */
import type { HttpAnswer } from "./http_endpoint.ts";

/** A named check: undefined when all is well, else what is missing. */
export type ReadinessChecks = Readonly<Record<string, () => string | undefined>>;

/** The answer of /readyz: 200, or 503 with what is missing, one line a check. */
export function readiness(checks: ReadinessChecks): HttpAnswer {
  const results = Object.entries(checks).map(([name, check]) => ({ name, missing: check() }));
  const lines = results.map(({ name, missing }) =>
    missing === undefined ? `[+]${name} ok` : `[-]${name}: ${missing}`,
  );
  const isReady = results.every(({ missing }) => missing === undefined);
  return { status: isReady ? 200 : 503, body: `${[...lines, isReady ? "ok" : "not ready"].join("\n")}\n` };
}
