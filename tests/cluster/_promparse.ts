/** Metrics as Prometheus itself reads them. */
import { spawnSync } from "node:child_process";
import { need } from "../_need.ts";

const PROMPARSE = need("promparse");

/** What an exposition says of one metric. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** The sets of label names that its series have, each sorted and joined by commas. A histogram's `le` is not among them. */
  readonly labels: readonly string[];
  /** Label values that occur, by label. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly series: number;
}

/** An exposition, and what Prometheus' linter finds wrong with it. */
export interface Exposed {
  readonly families: readonly MetricFamily[];
  readonly problems: readonly string[];
}

/** Reads the text of /metrics. @throws what Prometheus' parser says against it. */
export function parseExposition(text: string): Exposed {
  const { status, stdout, stderr } = spawnSync(PROMPARSE, { input: text, encoding: "utf8" });
  if (status !== 0) throw new Error(`Prometheus refuses the metrics: ${stderr}\n${text}`);
  return JSON.parse(stdout);
}
