/** `nv-ipam inspect`: what this node serves and holds, from the running daemon, or from the store while it is down. */
import { DEFAULTS } from "../lib/cni/settings.ts";
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import { defineFlags, type FlagValues, parseFlags } from "../lib/flags/flags.ts";
import { check } from "../lib/inspect/check.ts";
import { type NodeContent, readFromDaemon } from "../lib/inspect/from_daemon.ts";
import { outputFormat, print, type Report } from "../lib/inspect/print.ts";
import { list, reservationItem } from "../lib/inspect/report.ts";
import { readStore } from "../lib/journal/store.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { reservationView } from "../lib/rpc/server/inspection.ts";

const section = "Inspect";

const FLAGS = defineFlags({
  output: { type: "string", default: "table", help: "How to write it: table, json or yaml", section, short: "o" },
  "daemon-socket": { type: "string", default: DEFAULTS.daemonSocket, help: "Where the daemon listens", section },
  "store-file": {
    ...DAEMON_FLAGS["store-file"],
    help: "The daemon's store, read while nobody answers at the socket",
    section,
  },
});

const COMMAND = {
  name: "inspect",
  arguments: "<what>",
  summary: "Shows what this node serves and holds; <what> is pools, reservations or check.",
  flags: FLAGS,
};

/** @returns 0; 1 when `check` finds an error or nothing can be read; 2 when the command line is wrong. */
export async function run(args: readonly string[]): Promise<number> {
  const parsed = parseFlags(COMMAND, args);
  if (!parsed.ok) return complain(parsed.error, 2);
  if (parsed.value.type === "help") {
    process.stdout.write(parsed.value.text);
    return 0;
  }
  const { values, positionals } = parsed.value;
  const [what = ""] = positionals;
  const format = outputFormat(values.output);
  if (format === undefined) return complain(`--output=${values.output}: use table, json or yaml`, 2);
  if (!isSubject(what)) return complain(`${what}: use pools, reservations or check`, 2);
  const content = await read(values);
  if (!content.ok) return complain(content.error, 1);
  const report = reportOf(what, content.value);
  if (!report.ok) return complain(report.error, 1);
  process.stdout.write(print(report.value, format));
  const hasError =
    report.value.kind === "FindingList" && report.value.items.some(({ severity }) => severity === "error");
  return hasError ? 1 : 0;
}

type Subject = "pools" | "reservations" | "check";

function isSubject(text: string): text is Subject {
  return text === "pools" || text === "reservations" || text === "check";
}

async function read(values: FlagValues<typeof FLAGS>): Promise<Result<NodeContent, string>> {
  const running = await readFromDaemon(values["daemon-socket"]);
  if (running.ok) return running;
  if (!running.error.isDown) return fail(running.error.message);
  const store = await readStore({ storeFile: values["store-file"] });
  if (!store.ok) return fail(`${running.error.message}; nor can the store be read: ${store.error.message}`);
  if (store.value.state === "new")
    return fail(`${running.error.message}; nor is there a store at ${values["store-file"]}`);
  process.stderr.write(`nv-ipam inspect: no daemon answers; this is what ${values["store-file"]} holds\n`);
  for (const problem of store.value.problems) process.stderr.write(`nv-ipam inspect: ${problem}\n`);
  const reservations = store.value.content.reservations.map((reservation) =>
    reservationItem(reservationView(reservation)),
  );
  return ok({ pools: undefined, reservations });
}

function reportOf(what: Subject, { pools, reservations }: NodeContent): Result<Report, string> {
  if (what === "reservations") return ok(list("ReservationList", reservations));
  if (what === "check") return ok(list("FindingList", check(pools, reservations)));
  return pools === undefined
    ? fail("the pools are known to the running daemon only; start it")
    : ok(list("PoolList", pools));
}

function complain(message: string, status: number): number {
  process.stderr.write(`nv-ipam inspect: ${message}\n`);
  return status;
}
