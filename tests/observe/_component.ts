/**
 * A program that logs the events that stand on stdin, one JSON object a line, as the log flags of its command line say. It
 * repeats on stdout what it is told to say, and dies when told to.
 */
import { defineFlags } from "../../src/lib/flags/flags.ts";
import { runCommand } from "../../src/lib/flags/run_command.ts";
import type { Log } from "../../src/lib/observe/log.ts";
import { LOG_FLAGS } from "../../src/lib/observe/log_flags.ts";
import type { Severity } from "../../src/lib/observe/log_layout.ts";
import { openLog } from "../../src/lib/observe/open_log.ts";

/** An event as it stands on stdin. */
export interface ComponentEvent {
  readonly severity: Severity;
  readonly level?: number;
  readonly name?: string;
  readonly message: string;
  readonly err?: string;
  readonly fields?: readonly (readonly [string, unknown])[];
}

/** A line of stdin. */
export type ComponentOrder = ComponentEvent | { readonly say: string } | { readonly die: string };

const COMMAND = { name: "component", summary: "Does what stands on stdin.", flags: defineFlags(LOG_FLAGS) };

function obey(log: Log, order: ComponentOrder): void {
  if ("say" in order) {
    process.stdout.write(`${order.say}\n`);
    return;
  }
  if ("die" in order) throw new Error(order.die);
  const { severity, level, name, message, err, fields = [] } = order;
  const part = name === undefined ? log : log.named(name);
  const known = { ...Object.fromEntries(fields), ...(err === undefined ? {} : { err: new Error(err) }) };
  if (severity === "info") part.info(message, known, level);
  else part[severity](message, known);
}

if (process.argv[1] === import.meta.filename) {
  const status = await runCommand(COMMAND, process.argv.slice(2), async (values) => {
    const opened = openLog(values, "main");
    if (!opened.ok) return { message: opened.error, isUsage: true };
    let rest = "";
    // Not readline: it takes U+2028 for a line end.
    for await (const chunk of process.stdin.setEncoding("utf8")) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) obey(opened.value.log, JSON.parse(line));
    }
    if (!(await opened.value.close())) process.exit(3);
    return 0;
  });
  process.exitCode = status;
}
