/** What a process shows to Prometheus. docs/metrics.md lists all metrics. */
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import Histogram from "prom-client/lib/histogram.js";
import heap from "prom-client/lib/metrics/heapSizeAndUsed.js";
import memory from "prom-client/lib/metrics/osMemoryHeap.js";
import mostFiles from "prom-client/lib/metrics/processMaxFileDescriptors.js";
import openFiles from "prom-client/lib/metrics/processOpenFileDescriptors.js";
import startTime from "prom-client/lib/metrics/processStartTime.js";
import nodeVersion from "prom-client/lib/metrics/version.js";
import Registry from "prom-client/lib/registry.js";
import type { BuildInfo } from "../../version.ts";
import type { Routes } from "./http_endpoint.ts";

/** Name and text of a metric, and the names of its labels. */
export interface MetricText<L extends string = never> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly L[];
}

/** The labels of one series, and its value. */
export type Series<L extends string> = readonly [labels: Readonly<Record<L, string>>, value: number];

/**
 * The metrics of one process. Beside what is added to it, it shows the build, and of the process what is cheap to read: there
 * is no timer and no observer that would run between two scrapes.
 */
export class Exposition {
  readonly #registry = new Registry();

  constructor({ version, commit }: BuildInfo) {
    const build = { name: "nvipam_build_info", help: "Always 1; the labels say which build this is" };
    this.series({ ...build, labelNames: ["version", "commit"] }, () => [[{ version, commit }, 1]]);
    for (const register of [memory, openFiles, mostFiles, startTime, heap, nodeVersion]) register(this.#registry);
    // prom-client's own counter of CPU time would load a tracing library.
    this.total({ name: "process_cpu_seconds_total", help: "Total user and system CPU time spent in seconds." }, () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    this.total(
      { name: "nodejs_eventloop_active_seconds_total", help: "Time in which the event loop did not wait" },
      () => performance.eventLoopUtilization().active / 1e3,
    );
  }

  /** A counter that is counted up where something happens. */
  counter<L extends string>({ name, help, labelNames = [] }: MetricText<L>): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  /** A histogram of seconds. @param buckets their upper bounds, ascending. */
  histogram<L extends string>(
    { name, help, labelNames = [] }: MetricText<L>,
    buckets: readonly number[],
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.#registry] });
  }

  /** A gauge that is read when it is asked for. */
  gauge({ name, help }: MetricText, read: () => number): void {
    const collect = (): void => gauge.set(read());
    const gauge: Gauge = new Gauge({ name, help, registers: [this.#registry], collect });
  }

  /** A gauge whose series are all read when it is asked for: what is not among them any more vanishes. */
  series<L extends string>({ name, help, labelNames = [] }: MetricText<L>, read: () => Iterable<Series<L>>): void {
    const collect = (): void => {
      gauge.reset();
      for (const [labels, value] of read()) gauge.set(labels, value);
    };
    const gauge: Gauge<L> = new Gauge({ name, help, labelNames, registers: [this.#registry], collect });
  }

  /** A counter whose total is read when it is asked for. */
  total(text: MetricText, read: () => number): void {
    this.totals<never>(text, () => [[{}, read()]]);
  }

  /** A counter whose series' totals are all read when it is asked for. */
  totals<L extends string>({ name, help, labelNames = [] }: MetricText<L>, read: () => Iterable<Series<L>>): void {
    const collect = (): void => {
      counter.reset();
      for (const [labels, value] of read()) counter.inc(labels, value);
    };
    const counter: Counter<L> = new Counter({ name, help, labelNames, registers: [this.#registry], collect });
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** `/metrics`. */
  routes(): Routes {
    const type = this.#registry.contentType;
    return { "/metrics": async () => ({ status: 200, body: await this.text(), type }) };
  }
}
