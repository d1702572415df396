/** `nv-ipam inspect`, also `kubectl nvipam`: what a node or a cluster serves and holds, and what is wrong with it. */
import { basename } from "node:path";
import { DEFAULTS } from "../lib/cni/settings.ts";
import { DAEMON_FLAGS } from "../lib/daemon/flags.ts";
import { closest } from "../lib/flags/closest.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { type CommandError, runCommand } from "../lib/flags/run_command.ts";
import { REASONS, type Severity } from "../lib/inspect/finding.ts";
import { originsOf } from "../lib/inspect/origin.ts";
import { isForPeople, type OutputFormat, outputFormat, print } from "../lib/inspect/print.ts";
import { Reader } from "../lib/inspect/reader.ts";
import type { Report } from "../lib/inspect/report.ts";
import { readSubject, SUBJECTS } from "../lib/inspect/subject.ts";
import { watch } from "../lib/inspect/watch.ts";
import { systemClock } from "../lib/kube/clock.ts";
import { ok } from "../lib/result.ts";
import { visible } from "../lib/visible.ts";

const section = "Inspect";

const FLAGS = defineFlags({
  output: {
    type: "string",
    default: "table",
    help: "How to write it: table, wide, json or yaml",
    section,
    short: "o",
    refuse: (text) => (outputFormat(text) === undefined ? "use table, wide, json or yaml" : undefined),
  },
  "daemon-socket": {
    type: "string",
    default: "",
    help: `Read the node daemon that listens there. Without a place given, ${DEFAULTS.daemonSocket} is asked first`,
    section,
  },
  "store-file": {
    type: "string",
    default: "",
    help: `Read that store, ours or the original's; after --daemon-socket only where nobody answers there. Without a place given, ${DAEMON_FLAGS["store-file"].default} is read where no daemon answers`,
    section,
  },
  kubeconfig: {
    type: "string",
    default: "",
    help: "Read the API server that this kubeconfig names. Without a place given, that of $KUBECONFIG, the pod's service account or ~/.kube/config is read where there is neither daemon nor store",
    section,
  },
  context: { type: "string", default: "", help: "Read the API server of this context of the kubeconfig", section },
  "ippools-namespace": {
    type: "string",
    default: "",
    help: "The namespace of the pools in the API server. Default: the one that has pools",
    section,
  },
  namespace: {
    type: "string",
    default: "",
    help: "The namespace of a pod that is named without one. Default: that of the kubeconfig's context, else default",
    section,
    short: "n",
  },
  watch: { type: "bool", default: false, help: "Go on, and show what changes", section, short: "w" },
  interval: {
    type: "duration",
    default: 2000,
    help: "How long --watch waits between two readings; ten times what a reading takes, if that is longer",
    section,
    refuse: (ms) => (ms < 100 ? "use 100ms or more" : undefined),
  },
  "fail-on": {
    type: "string",
    default: "warning",
    help: "What findings make check and migration exit with 1: error, warning (or worse) or never",
    section,
    refuse: (text) => (FAIL_ON[text] === undefined ? "use error, warning or never" : undefined),
  },
  ignore: {
    type: "string",
    default: "",
    help: "Findings to leave out, by their reasons, separated by commas",
    section,
    refuse: unknownReason,
  },
});

type Values = FlagValues<typeof FLAGS>;

/** Which findings make the exit status 1. */
const FAIL_ON: Readonly<Record<string, readonly Severity[] | undefined>> = {
  error: ["error"],
  warning: ["error", "warning"],
  never: [],
};

const IS_PLUGIN = basename(process.argv0).startsWith("kubectl-");

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "inspect",
  ...(IS_PLUGIN && { title: "kubectl nvipam" }),
  arguments: "[what] [name]",
  summary: `Shows what a node or a cluster serves and holds, and what is wrong with it; [what] is ${SUBJECTS}.`,
  flags: FLAGS,
};

/** @returns 0; 1 when there are findings that --fail-on counts, or nothing can be read; 2 when the command line is wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values, [what = "", name = ""]) => {
    const subject = readSubject(what, name, values.namespace);
    if (!subject.ok) return { message: subject.error, isUsage: true };
    const given = {
      daemonSocket: values["daemon-socket"],
      storeFile: values["store-file"],
      kubeconfig: values.kubeconfig,
      context: values.context,
    };
    const origins = originsOf(given, subject.value.type, IS_PLUGIN);
    if (!origins.ok) return { message: origins.error, isUsage: true };
    const reader = new Reader({
      subject: subject.value,
      origins: origins.value,
      poolNamespace: values["ippools-namespace"],
      env: process.env,
      now: () => new Date(),
    });
    const status = await (values.watch ? follow(reader, values) : showOnce(reader, values));
    await reader.close();
    return status;
  });
}

async function showOnce(reader: Reader, values: Values): Promise<number | CommandError> {
  const read = await reader.read();
  if (!read.ok) return { message: read.error };
  const report = withoutIgnored(read.value, values.ignore);
  const format = formatOf(values);
  if (isForPeople(format)) tell(`read from ${placeText(report)}`);
  for (const note of report.notes) tell(note);
  process.stdout.write(print(report, format, hasColours()));
  if (report.kind !== "FindingList") return 0;
  const severities = FAIL_ON[values["fail-on"]] ?? [];
  return report.items.some(({ severity }) => severities.includes(severity)) ? 1 : 0;
}

/** Until SIGINT or SIGTERM, or until nobody reads any more. */
async function follow(reader: Reader, values: Values): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  for (const event of ["error", "close"] as const) process.stdout.once(event, () => stop.abort());
  // Timers of waits do not keep a process alive.
  const alive = setInterval(() => undefined, 3_600_000);
  const format = formatOf(values);
  const isScreen = process.stdout.isTTY && isForPeople(format);
  let first = true;
  await watch({
    read: async () => {
      const read = await reader.read();
      if (!read.ok) return read;
      const report = withoutIgnored(read.value, values.ignore);
      const notes = isForPeople(format) ? report.notes.map((note) => `${visible(note)}\n`).join("") : "";
      return ok(`${print(report, format, hasColours())}${notes}`);
    },
    show: (text) => {
      const between = isScreen ? CLEAR : first ? "" : format === "yaml" ? "---\n" : format === "json" ? "" : "\n";
      first = false;
      process.stdout.write(`${between}${text}`);
    },
    complain: tell,
    intervalMs: values.interval,
    clock: systemClock,
    signal: stop.signal,
  });
  clearInterval(alive);
  return 0;
}

/** ECMA-48: the cursor to the top left, and everything after it erased. */
const CLEAR = "\u001b[H\u001b[2J\u001b[3J";

function formatOf(values: Values): OutputFormat {
  return outputFormat(values.output) ?? "table";
}

/** Only on a terminal that can, for people who want them (https://no-color.org). */
function hasColours(): boolean {
  return process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** Servers' own words may be among them. */
function tell(message: string): void {
  process.stderr.write(`${IS_PLUGIN ? "kubectl nvipam" : "nv-ipam inspect"}: ${visible(message)}\n`);
}

function placeText({ source: { type, place, node } }: Report): string {
  const what = { daemon: "the daemon at", store: "the store", cluster: "the API server" }[type];
  return `${what} ${place}${node === "" ? "" : ` (node ${node})`}`;
}

function ignoredReasons(text: string): readonly string[] {
  return text
    .split(",")
    .map((reason) => reason.trim())
    .filter((reason) => reason !== "");
}

function unknownReason(text: string): string | undefined {
  const known: readonly string[] = REASONS;
  const unknown = ignoredReasons(text).find((reason) => !known.includes(reason));
  if (unknown === undefined) return undefined;
  const near = closest(unknown, known);
  return near === undefined ? `${unknown} is no reason; there are ${known.join(", ")}` : `did you mean ${near}?`;
}

function withoutIgnored(report: Report, text: string): Report {
  const ignored = ignoredReasons(text);
  if (report.kind !== "FindingList" || ignored.length === 0) return report;
  return { ...report, items: report.items.filter(({ reason }) => !ignored.includes(reason)) };
}
