import type { Exposition, MetricText, Series } from "./exposition.ts";

/** A list and watch of one resource of the API server. */
export interface ShownWatch {
  readonly resource: string;
  readonly failures: number;
  readonly isUp: boolean;
}

/** Shows how watches are: the same for every role that has some. */
export function showWatches(shown: Exposition, watches: readonly ShownWatch[]): void {
  const text = (name: string, help: string): MetricText<"resource"> => ({ name, help, labelNames: ["resource"] });
  const series = (read: (watch: ShownWatch) => number) => (): Series<"resource">[] =>
    watches.map((watch) => [{ resource: watch.resource }, read(watch)]);
  shown.series(
    text("nvipam_watch_up", "1 while a resource is followed at the API server, 0 while its list or watch fails"),
    series(({ isUp }) => (isUp ? 1 : 0)),
  );
  shown.totals(
    text("nvipam_watch_restarts_total", "Lists and watches of the API server that failed and were begun anew"),
    series(({ failures }) => failures),
  );
}
