/** The alerts and the dashboard of manifests/components/monitoring. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { type Notation, promql, type Scrape, type Template } from "./_promql.ts";

const DIRECTORY = join(import.meta.dirname, "../../manifests/components/monitoring");

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Groups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

const GROUPS: Groups = parse(readFileSync(join(DIRECTORY, "prometheus_rule.yaml"), "utf8")).spec;

/** As a rules file that Prometheus itself reads. */
export const RULES = stringify(GROUPS);

export const ALERTS: readonly Alert[] = GROUPS.groups.flatMap(({ rules }) => rules);

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

/** One expression of a panel, with what Grafana would put in for its variables. */
export interface PanelQuery {
  readonly title: string;
  readonly type: string;
  readonly expr: string;
  readonly legend: string;
  readonly unit: string;
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly query: { readonly query: string } }[];
  };
}

const { panels, templating }: Dashboard = JSON.parse(readFileSync(join(DIRECTORY, "dashboard.json"), "utf8"));

/** What the dashboard's variables ask for. */
export function variableQueries(): readonly string[] {
  return templating.list.filter(({ type }) => type === "query").map(({ query }) => query.query);
}

/** @param rateInterval what counters are looked at over. */
export function panelQueries(rateInterval: string): readonly PanelQuery[] {
  return panels.flatMap(({ title, type, fieldConfig, targets = [] }) =>
    targets.map(({ expr, legendFormat: legend }) => {
      const filled = expr.replaceAll("$__rate_interval", rateInterval).replaceAll(/\$(pool|instance)/g, ".*");
      return { title, type, expr: filled, legend, unit: fieldConfig?.defaults.unit ?? "short" };
    }),
  );
}

/** An alert that fires, with its labels and its texts as people read them. */
export interface Firing {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
}

const STEP = 30;

/**
 * The alerts that fire at the end: whose expression has had a value for the same labels at each look within `for`.
 *
 * @param end seconds.
 */
export function firing(data: { series?: readonly Notation[]; scrapes?: readonly Scrape[] }, end: number): Firing[] {
  const queries = ALERTS.map(({ expr }) => ({ expr, start: 0, end, step: STEP }));
  const { results } = promql({ ...data, queries });
  const found = ALERTS.flatMap((alert, index) =>
    (results[index]?.series ?? []).flatMap(({ labels, samples }) => {
      const times = new Map(samples.map(([time, value]) => [Number(time), Number(value)]));
      const looks = Math.floor(seconds(alert.for) / STEP);
      const value = times.get(end);
      const holds = Array.from({ length: looks + 1 }, (_, back) => end - back * STEP).every((time) => times.has(time));
      return value === undefined || !holds ? [] : [{ alert, labels, value }];
    }),
  );
  if (found.length === 0) return [];
  const templates = found.flatMap(({ alert: { annotations }, labels: { __name__: _, ...labels }, value }) =>
    [annotations.summary ?? "", annotations.description ?? ""].map((text): Template => ({ text, labels, value })),
  );
  const { texts } = promql({ templates });
  return found.map(({ alert: { alert }, labels }, index) => ({ alert, labels, summary: texts[2 * index] ?? "" }));
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** The seconds of a rule's duration, such as 5m. */
export function seconds(duration = "0s"): number {
  return Number(duration.slice(0, -1)) * (UNITS[duration.slice(-1)] ?? Number.NaN);
}
