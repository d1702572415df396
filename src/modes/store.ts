/** `nv-ipam store`: hands a store over to the original, says whether it is whole, or ends its damaged state; offline. */
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import { defineFlags } from "../lib/flags/flags.ts";
import { type CommandError, runCommand } from "../lib/flags/run_command.ts";
import { openStore, readStore, type StoreReport } from "../lib/journal/store.ts";
import { stderrLog } from "../lib/observe/open_log.ts";
import { visible, visibleJson } from "../lib/visible.ts";

const section = "Store";

const FLAGS = defineFlags({
  "store-file": { ...DAEMON_FLAGS["store-file"], help: "The daemon's store", section },
  output: {
    type: "string",
    default: "text",
    help: "How verify writes what it finds: text or json",
    section,
    short: "o",
  },
});

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "store",
  arguments: "<export|verify|repair>",
  summary:
    "Works on a store while no daemon runs: export writes the original's store file, so that the original can be started; " +
    "verify says whether it is whole; repair lets a damaged store give addresses again.",
  flags: FLAGS,
};

/** @returns 0; 1 when the store is damaged or something cannot be done; 2 when the command line is wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values, [what = ""]) => {
    const storeFile = values["store-file"];
    if (values.output !== "text" && values.output !== "json") {
      return { message: `--output=${values.output}: use text or json`, isUsage: true };
    }
    const subject = SUBJECTS[what];
    if (subject === undefined) return { message: `${what}: use export, verify or repair`, isUsage: true };
    const read = await readStore({ storeFile });
    if (!read.ok) return { message: read.error.message };
    if (read.value.state === "new") return { message: `there is no store at ${storeFile}` };
    return subject(storeFile, read.value, values.output);
  });
}

type Subject = (storeFile: string, report: StoreReport, output: "text" | "json") => Promise<number | CommandError>;

const SUBJECTS: Readonly<Record<string, Subject | undefined>> = { export: exportStore, verify, repair };

async function exportStore(storeFile: string, { state }: StoreReport): Promise<number | CommandError> {
  if (state === "damaged") return { message: `${storeFile} is damaged: repair it before it is exported` };
  const opened = await openStore({ storeFile, log: stderrLog("store") });
  if (!opened.ok) return { message: opened.error.message };
  const { size } = opened.value.ledger;
  const closed = await opened.value.close({ exportLegacy: true });
  if (!closed.ok) return { message: closed.error.message };
  say(`${storeFile} now has ${countOf(size)} for the original`);
  return 0;
}

async function verify(storeFile: string, report: StoreReport, output: "text" | "json"): Promise<number> {
  const { state, source, generation, problems, content } = report;
  const reservations = content.reservations.length;
  const pools = content.pools.length;
  if (output === "json") {
    const found = { storeFile, state, source, generation, reservations, pools, problems };
    process.stdout.write(visibleJson(found));
  } else {
    const where = source === "original" ? ", from the original's file" : "";
    for (const problem of problems) say(problem);
    say(`${storeFile} is ${state}: ${countOf(reservations)} from ${pools} pools${where}`);
  }
  return state === "damaged" ? 1 : 0;
}

async function repair(storeFile: string, { state }: StoreReport): Promise<number | CommandError> {
  if (state !== "damaged") {
    say(`${storeFile} is not damaged: nothing to repair`);
    return 0;
  }
  const opened = await openStore({ storeFile, log: stderrLog("store") });
  if (!opened.ok) return { message: opened.error.message };
  const store = opened.value;
  const rebuilt = await store.markRebuilt();
  const closed = await store.close({ exportLegacy: false });
  if (!rebuilt.ok) return { message: rebuilt.error.message };
  if (!closed.ok) return { message: closed.error.message };
  say(
    `${storeFile} gives addresses again and knows of ${countOf(store.ledger.size)}; ` +
      "an address in use that is not among them may be given twice: end such containers before a daemon is started",
  );
  return 0;
}

/** A line on stdout; what was read from files may be in it. */
function say(text: string): void {
  process.stdout.write(`${visible(text)}\n`);
}

function countOf(reservations: number): string {
  return reservations === 1 ? "1 reservation" : `${reservations} reservations`;
}
