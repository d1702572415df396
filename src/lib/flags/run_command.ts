import { describeBuild } from "../../version.ts";
import { visible } from "../visible.ts";
import { type Command, type Flags, type FlagValues, parseFlags, titleOf } from "./flags.ts";

/** Exit status of a command line that is wrong. */
const USAGE_STATUS = 2;
/** Characters in a line of help that goes to no terminal. */
const HELP_COLUMNS = 120;

/** What a command does; a sentence for the user ends it with status 1. */
export type Run<F extends Flags> = (
  values: FlagValues<F>,
  positionals: readonly string[],
) => Promise<number | CommandError>;

/** Why a command could not do its work. `isUsage`: because it was asked for what there is not. */
export interface CommandError {
  readonly message: string;
  readonly isUsage?: boolean;
}

/**
 * Reads the command line and runs the command; prints its help or version where that is asked for, and errors as one line on
 * stderr, with what is not printable in them escaped: they may hold words from outside.
 *
 * @returns the exit status: what `run` gives, 1 for its error, 2 for a command line that is wrong.
 */
export async function runCommand<F extends Flags>(
  command: Command<F>,
  args: readonly string[],
  run: Run<F>,
): Promise<number> {
  const complain = (message: string, status: number): number => {
    process.stderr.write(`${titleOf(command)}: ${visible(message)}\n`);
    return status;
  };
  const parsed = parseFlags(command, args);
  if (!parsed.ok) return complain(parsed.error, USAGE_STATUS);
  if (parsed.value.type === "help") {
    process.stdout.write(parsed.value.text(process.stdout.columns ?? HELP_COLUMNS));
    return 0;
  }
  if (parsed.value.type === "version") {
    process.stdout.write(`${describeBuild()}\n`);
    return 0;
  }
  const outcome = await run(parsed.value.values, parsed.value.positionals);
  if (typeof outcome === "number") return outcome;
  return complain(outcome.message, outcome.isUsage === true ? USAGE_STATUS : 1);
}
