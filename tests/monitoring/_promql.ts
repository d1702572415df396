/** PromQL as Prometheus itself reads and answers it. */
import { spawnSync } from "node:child_process";
import { need } from "../_need.ts";

const PROMQL = need("promql");

/** What a target showed at a time, in seconds, and the labels that Prometheus gives the target. */
export interface Scrape {
  readonly time: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A series in the notation of Prometheus' rule tests, from second 0 on: `up{job="a"} 1x10`. */
export interface Notation {
  readonly text: string;
  /** Seconds. */
  readonly interval: number;
}

/** A query over a range, in seconds; with step 0 it is only parsed. */
export interface Query {
  readonly expr: string;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** An annotation of an alert that has these labels and this value. */
export interface Template {
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric that an expression reads. */
export interface Selector {
  readonly metric: string;
  /** Labels that its series need to have. */
  readonly labels: readonly string[];
  readonly matchers: readonly { readonly label: string; readonly type: string; readonly value: string }[];
}

/** One series of an answer: pairs of a time in seconds and a value, as text. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [time: string, value: string])[];
}

export interface Answer {
  /** What is wrong with the rules. */
  readonly ruleErrors: readonly string[];
  /** One a query. */
  readonly results: readonly { readonly selectors: readonly Selector[]; readonly series: readonly Series[] }[];
  /** One a template. */
  readonly texts: readonly string[];
}

/** @throws what Prometheus says against an expression, a series or a template. */
export function promql(asked: {
  readonly rules?: string;
  readonly scrapes?: readonly Scrape[];
  readonly series?: readonly Notation[];
  readonly queries?: readonly Query[];
  readonly templates?: readonly Template[];
}): Answer {
  const input = JSON.stringify(asked);
  const { status, stdout, stderr } = spawnSync(PROMQL, { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`Prometheus refuses it: ${stderr}`);
  return JSON.parse(stdout);
}
