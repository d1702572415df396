/**
 * Measures what the project promises about speed and size: prints a table a section and writes all of it to a JSON file.
 * Times never make it fail; what the numbers mean is in docs/bench.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { Cluster } from "./_cluster.ts";
import { Fleet, type Member } from "./_fleet.ts";
import { type Row, reportJson, type Section, sectionText } from "./_report.ts";
import { concurrent } from "./concurrent.ts";
import { durable } from "./durable.ts";
import { ledger } from "./ledger.ts";
import { memory } from "./memory.ts";
import { metrics } from "./metrics.ts";
import { planner } from "./planner.ts";
import { plugin } from "./plugin.ts";
import { restart } from "./restart.ts";
import { written } from "./written.ts";

/** What sections share: each is started when the first one asks for it. */
interface Shared {
  fleet(): Promise<readonly Member[]>;
  cluster(): Promise<Cluster>;
}

interface Part {
  readonly title: string;
  run(shared: Shared): Promise<Row[]>;
}

/** In the order in which they run: `memory` looks at daemons that have worked. */
const PARTS: Readonly<Record<string, Part>> = {
  plugin: { title: "one call of the plugin", run: plugin },
  ledger: { title: "the search for a free address, in memory", run: ledger },
  planner: { title: "the plan of one pool, in memory", run: planner },
  metrics: { title: "what metrics cost, in memory", run: metrics },
  durable: { title: "one durable call after the other", run: async ({ fleet }) => durable(await fleet()) },
  concurrent: { title: "32 callers", run: async ({ fleet }) => concurrent(await fleet()) },
  written: { title: "bytes that reach the disk", run: async ({ fleet }) => written(await fleet()) },
  memory: { title: "resident memory of the daemon", run: async ({ fleet }) => memory(await fleet()) },
  restart: { title: "from start to the first answered ADD", run: async ({ fleet }) => restart(await fleet()) },
  // Loaded only then: without an API server they cannot even be read.
  controller: {
    title: "the controller at a real API server",
    run: async ({ cluster }) => (await import("./controller.ts")).controller(await cluster()),
  },
  heartbeats: {
    title: "what heartbeats of nodes cost the controller",
    run: async ({ cluster }) => (await import("./heartbeats.ts")).heartbeats(await cluster()),
  },
  failover: {
    title: "a standby takes over",
    run: async ({ cluster }) => (await import("./failover.ts")).failover(await cluster()),
  },
  node: {
    title: "the node daemon at a real API server",
    run: async ({ cluster }) => (await import("./node.ts")).node(await cluster()),
  },
  cleaner: {
    title: "calls while stale reservations are looked for",
    run: async ({ cluster }) => (await import("./cleaner.ts")).cleaner(await cluster()),
  },
  pods: { title: "pods on a real node", run: async () => (await import("./pods.ts")).pods() },
};

const USAGE = `Usage: npm run bench -- [--json FILE] [SECTION...]

Sections: ${Object.keys(PARTS).join(", ")} (default: all). The numbers also go to FILE (default: dist/bench.json).
`;

const { values, positionals } = parseArgs({
  options: { json: { type: "string", default: "dist/bench.json" }, help: { type: "boolean", default: false } },
  allowPositionals: true,
});
const unknown = positionals.find((name) => PARTS[name] === undefined);
if (values.help || unknown !== undefined) {
  process.stdout.write(unknown === undefined ? USAGE : `There is no section ${unknown}.\n${USAGE}`);
  process.exit(unknown === undefined ? 0 : 2);
}

const started: { fleet?: Promise<Fleet>; cluster?: Promise<Cluster> } = {};
const shared: Shared = {
  fleet: async () => {
    started.fleet ??= Fleet.start();
    return (await started.fleet).members;
  },
  cluster: () => {
    started.cluster ??= import("./_cluster.ts").then(({ Cluster }) => Cluster.start());
    return started.cluster;
  },
};
/** What did not start has removed itself. */
const removeAll = async (): Promise<void> => {
  for (const each of await Promise.allSettled([started.fleet, started.cluster])) {
    if (each.status === "fulfilled") await each.value?.remove();
  }
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => removeAll().finally(() => process.exit(1)));
}
const sections: Section[] = [];
const machine = { time: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length };
console.log(`${machine.cpus} x ${machine.cpu}\n`);
try {
  for (const [name, { title, run }] of Object.entries(PARTS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const began = performance.now();
    try {
      const rows = await run(shared);
      const seconds = Math.round((performance.now() - began) / 1000);
      const section = { name, title, rows, seconds, load: loadavg()[0] ?? 0 };
      sections.push(section);
      console.log(sectionText(section));
    } catch (error) {
      process.exitCode = 1;
      console.log(`${name}: not measured: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
} finally {
  await removeAll();
}
mkdirSync(dirname(values.json), { recursive: true });
writeFileSync(values.json, reportJson(machine, sections));
console.log(`${values.json} has the same as JSON.`);
