/**
 * Measures what the project promises about speed and size: prints a table a section and writes all of it to a JSON file.
 * Times never make it fail; what the numbers mean is in docs/bench.md.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
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

interface Part {
  readonly title: string;
  run(fleet: () => Promise<readonly Member[]>): Promise<Row[]>;
}

/** In the order in which they run: `memory` looks at daemons that have worked. */
const PARTS: Readonly<Record<string, Part>> = {
  plugin: { title: "one call of the plugin", run: plugin },
  ledger: { title: "the search for a free address, in memory", run: ledger },
  planner: { title: "the plan of one pool, in memory", run: planner },
  metrics: { title: "what metrics cost, in memory", run: metrics },
  durable: { title: "one durable call after the other", run: async (fleet) => durable(await fleet()) },
  concurrent: { title: "32 callers", run: async (fleet) => concurrent(await fleet()) },
  written: { title: "bytes that reach the disk", run: async (fleet) => written(await fleet()) },
  memory: { title: "resident memory of the daemon", run: async (fleet) => memory(await fleet()) },
  restart: { title: "from start to the first answered ADD", run: async (fleet) => restart(await fleet()) },
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

let running: Fleet | undefined;
const fleet = async (): Promise<readonly Member[]> => {
  running ??= await Fleet.start();
  return running.members;
};
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => Promise.resolve(running?.remove()).finally(() => process.exit(1)));
}
const sections: Section[] = [];
const machine = { time: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length };
console.log(`${machine.cpus} x ${machine.cpu}\n`);
try {
  for (const [name, { title, run }] of Object.entries(PARTS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const started = performance.now();
    const rows = await run(fleet);
    const seconds = Math.round((performance.now() - started) / 1000);
    const section = { name, title, rows, seconds, load: loadavg()[0] ?? 0 };
    sections.push(section);
    console.log(sectionText(section));
  }
} finally {
  await running?.remove();
}
mkdirSync(dirname(values.json), { recursive: true });
writeFileSync(values.json, reportJson(machine, sections));
console.log(`${values.json} has the same as JSON.`);
