import type { CommandError } from "../lib/flags/run_command.ts";
import type { Log } from "../lib/observe/log.ts";
import type { LogFlagValues } from "../lib/observe/log_flags.ts";
import { openLog } from "../lib/observe/open_log.ts";
import type { Result } from "../lib/result.ts";

/** What a long-running role does until it is told to stop. @returns why it could not go on. */
export type Serve = (log: Log, stop: AbortSignal) => Promise<Result<undefined, string>>;

/**
 * Runs a long-running role until SIGTERM or SIGINT, with the log that its flags ask for.
 *
 * @returns its exit status: 1 when it could not go on
 */
export async function runDaemon(role: string, values: LogFlagValues, serve: Serve): Promise<number | CommandError> {
  const opened = openLog(values, role);
  if (!opened.ok) return { message: opened.error, isUsage: true };
  const { log } = opened.value;
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  // Timers of waits do not keep a process alive.
  const alive = setInterval(() => undefined, 3_600_000);
  const outcome = await serve(log, stop.signal);
  clearInterval(alive);
  if (outcome.ok) log.info("Stopped");
  else log.error("Cannot go on", { err: outcome.error });
  const status = outcome.ok ? 0 : 1;
  // What nobody reads would keep the process for ever.
  if (!(await opened.value.close())) process.exit(status);
  return status;
}
