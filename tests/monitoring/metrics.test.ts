/** What alerts and dashboard ask for is there: metrics, labels and values of labels are those of docs/metrics.md. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { documented, named } from "./_documented.ts";
import { ALERTS, panelQueries, variableQueries } from "./_manifests.ts";
import { promql, type Selector } from "./_promql.ts";

const test = suite("monitoring");

/** Labels that Prometheus gives to every series of a target, or that belong to its own metrics. */
const OF_TARGETS = ["job", "instance"];

const asked = [
  ...ALERTS.map(({ alert, expr }) => ({ who: alert, expr })),
  ...panelQueries("5m").map(({ title, expr }) => ({ who: title, expr })),
];

const { results } = promql({ queries: asked.map(({ expr }) => ({ expr, start: 0, end: 0, step: 0 })) });

asked.forEach(({ who, expr }, index) => {
  test(`${who}: ${expr.replaceAll(/\s+/g, " ")}`, () => {
    const { selectors = [] } = results[index] ?? {};
    assert.ok(selectors.length > 0);
    assert.equal(
      selectors.flatMap((selector) => faults(selector)),
      [],
    );
  });
});

function faults({ metric, labels, matchers }: Selector): string[] {
  const found = documented.find(({ name, type }) => (type === "histogram" ? partsOf(name) : [name]).includes(metric));
  if (metric === "up") return labels.filter((label) => !OF_TARGETS.includes(label));
  if (found === undefined) return [`there is no metric ${metric}`];
  const known = [...found.labels, ...OF_TARGETS, ...(metric.endsWith("_bucket") ? ["le"] : [])];
  const strange = labels.filter((label) => !known.includes(label)).map((label) => `${metric} has no label ${label}`);
  const values = matchers.filter(({ value }) => value !== ".*").flatMap(({ value }) => value.split("|"));
  return [...strange, ...values.filter((value) => !named.has(value)).map((value) => `nothing is called ${value}`)];
}

function partsOf(name: string): string[] {
  return ["_bucket", "_count", "_sum"].map((part) => `${name}${part}`);
}

test("variables of the dashboard ask for metrics and labels that are there", () => {
  const queries = variableQueries();
  assert.is(queries.length, 2);
  for (const query of queries) {
    const [, metrics = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
    const names = metrics.match(/nvipam_\w+/g) ?? [];
    assert.ok(names.length > 0, query);
    for (const metric of names) assert.equal(faults({ metric, labels: [label], matchers: [] }), [], query);
  }
});

test("the legend of a panel names labels that its series have", () => {
  const shown = panelQueries("5m").map(({ title, legend }, index) => ({
    title,
    legend,
    result: results[index + ALERTS.length],
  }));
  for (const { title, legend, result } of shown) {
    const known = new Set([...OF_TARGETS, ...(result?.selectors ?? []).flatMap(({ labels }) => labels)]);
    for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g)) assert.ok(known.has(label), `${title}: ${label}`);
  }
});

test.run();
