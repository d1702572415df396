/** The commands of the executable that have flags. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { allFlags, type Command, type Flags } from "../../src/lib/flags/flags.ts";

const MODES = join(import.meta.dirname, "../../src/modes");
/** The plugin reads no flags; the others have none of their own. */
const WITHOUT_FLAGS = new Set(["cni.ts", "help.ts", "licenses.ts", "version.ts"]);

/** A command with the flags that it takes, those that all have included. */
export interface KnownCommand {
  readonly name: string;
  readonly command: Command<Flags>;
  readonly flags: Flags;
}

/** Every command, in the order of its name. */
export async function commands(): Promise<readonly KnownCommand[]> {
  const files = readdirSync(MODES).filter((file) => /^[a-z].*\.ts$/.test(file) && !WITHOUT_FLAGS.has(file));
  return Promise.all(
    files.sort().map(async (file) => {
      const { COMMAND: command }: { readonly COMMAND?: Command<Flags> } = await import(join(MODES, file));
      if (command === undefined) throw new Error(`${file} has to export its COMMAND`);
      return { name: command.name, command, flags: allFlags(command) };
    }),
  );
}
