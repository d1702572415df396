/** `nv-ipam inspect`: what this node serves and holds, from the running daemon, or from the store while it is down. */
import { DEFAULTS } from "../lib/cni/settings.ts";
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { check, type NodeContent } from "../lib/inspect/check.ts";
import { readFromDaemon } from "../lib/inspect/from_daemon.ts";
import { readFromStore } from "../lib/inspect/from_store.ts";
import { outputFormat, print, type Report } from "../lib/inspect/print.ts";
import { list } from "../lib/inspect/report.ts";
import { fail, ok, type Result } from "../lib/result.ts";

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

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "inspect",
  arguments: "<what>",
  summary: "Shows what this node serves and holds; <what> is pools, reservations or check.",
  flags: FLAGS,
};

/** @returns 0; 1 when `check` finds an error or nothing can be read; 2 when the command line is wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values, [what = ""]) => {
    const format = outputFormat(values.output);
    if (format === undefined) return { message: `--output=${values.output}: use table, json or yaml`, isUsage: true };
    if (!isSubject(what)) return { message: `${what}: use pools, reservations or check`, isUsage: true };
    const content = await read(values);
    if (!content.ok) return { message: content.error };
    const report = reportOf(what, content.value);
    process.stdout.write(print(report, format));
    const hasError = report.kind === "FindingList" && report.items.some(({ severity }) => severity === "error");
    return hasError ? 1 : 0;
  });
}

type Subject = "pools" | "reservations" | "check";

function isSubject(text: string): text is Subject {
  return text === "pools" || text === "reservations" || text === "check";
}

async function read(values: FlagValues<typeof FLAGS>): Promise<Result<NodeContent, string>> {
  const running = await readFromDaemon(values["daemon-socket"]);
  if (running.ok) return running;
  if (!running.error.isDown) return fail(running.error.message);
  const store = await readFromStore(values["store-file"]);
  if (!store.ok) return fail(`${running.error.message}; ${store.error}`);
  process.stderr.write(`nv-ipam inspect: no daemon answers; this is what ${values["store-file"]} holds\n`);
  for (const note of store.value.notes) process.stderr.write(`nv-ipam inspect: ${note}\n`);
  return ok(store.value.content);
}

function reportOf(what: Subject, content: NodeContent): Report {
  switch (what) {
    case "pools":
      return list("PoolList", content.pools);
    case "reservations":
      return list("ReservationList", content.reservations);
    case "check":
      return list("FindingList", check(content));
  }
}
