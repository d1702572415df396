/** A command's help, in the layout of Kubernetes components. */
import { type Command, type Flags, titleOf } from "./flags.ts";
import { formatDuration } from "./scalars.ts";
import { typeLabel } from "./value.ts";

/** What stands before the text of a flag. */
const INDENT = " ".repeat(16);
const MIN_COLUMNS = 60;

/** The whole help; the commands' own sections come in the order in which they are declared, flags by name. */
export function helpText(command: Command<Flags>, flags: Flags, columns: number): string {
  const usage = `Usage:\n  ${titleOf(command)} ${command.arguments ?? ""}`.trimEnd();
  const sections = Map.groupBy(Object.entries(flags), ([, flag]) => flag.section);
  const parts = [wrap(command.summary, Math.max(columns, MIN_COLUMNS)).join("\n"), `${usage} [flags]`];
  for (const [section, entries] of sections) {
    const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
    parts.push(`${section} flags:\n\n${sorted.map(([name, flag]) => flagHelp(name, flag, columns)).join("\n")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** The default of a flag as the help writes it; undefined for a zero value, which goes without saying. */
export function defaultText(flag: Flags[string]): string | undefined {
  switch (flag.type) {
    case "string":
      return flag.default === "" ? undefined : JSON.stringify(flag.default);
    case "duration":
      return flag.default === 0 ? undefined : formatDuration(flag.default);
    case "bool":
    case "int":
    case "level":
    case "quantity":
      return flag.default ? String(flag.default) : undefined;
    default:
      return undefined;
  }
}

function flagHelp(name: string, flag: Flags[string], columns: number): string {
  const short = flag.short === undefined ? "     " : ` -${flag.short}, `;
  const byDefault = defaultText(flag);
  const text = byDefault === undefined ? flag.help : `${flag.help} (default ${byDefault})`;
  const lines = wrap(text, Math.max(columns, MIN_COLUMNS) - INDENT.length).map((line) => `${INDENT}${line}`);
  return [` ${short}--${name} ${typeLabel(flag.type)}`.trimEnd(), ...lines].join("\n");
}

/** Lines of at most so many characters, broken at blanks; a longer word stands alone. */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    for (const word of paragraph.split(" ")) {
      const line = lines.at(-1);
      if (line === undefined || line.length + 1 + word.length > width) lines.push(word);
      else lines[lines.length - 1] = `${line} ${word}`;
    }
    return lines;
  });
}
