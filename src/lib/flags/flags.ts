/**
 * Command line flags: declared as data, read the way Go's pflag reads them in Kubernetes components (`--x=v`, `--x v`, `-v=2`,
 * `-v2`, `-wv2`, `_` for `-` in names; booleans as strconv.ParseBool), with cac for the command and its arguments.
 */
import { cac } from "cac";
import { fail, ok, type Result } from "../result.ts";
import { closest } from "./closest.ts";
import { helpText } from "./help.ts";
import { parseBool } from "./scalars.ts";
import { type FlagType, type FlagTypes, givenAgain, parseValue, typeLabel } from "./value.ts";

/** One flag. Its name is the key it is declared under, without dashes. */
export interface Flag<K extends FlagType = FlagType> {
  readonly type: K;
  /** Value when the flag is not given. */
  readonly default: FlagTypes[K];
  readonly help: string;
  /** Heading that the flag stands under in the help. */
  readonly section: string;
  /** One letter, for `-v`. */
  readonly short?: string;
  /** What would be right instead of a value that is none for this flag; undefined for one that is. */
  refuse?(value: FlagTypes[K]): string | undefined;
}

/** Flags by name. */
export type Flags = { readonly [name: string]: { readonly [K in FlagType]: Flag<K> }[FlagType] };

/** The values of declared flags. */
export type FlagValues<F extends Flags> = { readonly [N in keyof F]: FlagTypes[F[N]["type"]] };

/** A command: its name, its positional arguments in cac's notation (`<what>`, `[file]`), its flags. */
export interface Command<F extends Flags> {
  readonly name: string;
  /** What users write to run it. Default: `nv-ipam` and the name. */
  readonly title?: string;
  readonly arguments?: string;
  readonly summary: string;
  readonly flags: F;
}

/** What users write to run a command. */
export function titleOf({ title, name }: Pick<Command<Flags>, "title" | "name">): string {
  return title ?? `nv-ipam ${name}`;
}

/** What a command line says: run with these values, or print the help or the version and exit 0. */
export type Parsed<F extends Flags> =
  | { readonly type: "run"; readonly values: FlagValues<F>; readonly positionals: readonly string[] }
  | { readonly type: "help"; text(columns: number): string }
  | { readonly type: "version" };

/** Declares flags with their literal types kept. */
export function defineFlags<const F extends Flags>(flags: F): F {
  return flags;
}

/** Every command has it, in this section. */
const COMMON_FLAGS = defineFlags({
  version: { type: "bool", default: false, help: "print binary version and exit", section: "Common" },
});

/** Is in no list of flags: who reads one has found it. */
const HELP_FLAG = defineFlags({ help: { type: "bool", default: false, help: "", section: "Common", short: "h" } });

/** The flags of a command, with those that every command has. */
export function allFlags(command: Command<Flags>): Flags {
  return { ...command.flags, ...COMMON_FLAGS };
}

/**
 * Reads a command line.
 *
 * @returns a message for the user when a flag is unknown (naming the closest one), lacks its value or has one of another
 * type or one that the flag refuses, or when positional arguments are missing or too many.
 */
export function parseFlags<F extends Flags>(command: Command<F>, args: readonly string[]): Result<Parsed<F>, string> {
  const flags = allFlags(command);
  const known: Flags = { ...flags, ...HELP_FLAG };
  const split = splitArguments(known, args);
  if (!split.ok) return split;
  if (split.value.help) return ok({ type: "help", text: (columns) => helpText(command, flags, columns) });

  const values: Record<string, FlagTypes[FlagType]> = {};
  for (const [name, flag] of Object.entries(flags)) values[name] = flag.default;
  for (const [name, text] of split.value.texts) {
    const flag: Flag | undefined = known[name];
    const value = parseValue(flag?.type ?? "string", text);
    const advice = value.ok ? flag?.refuse?.(value.value) : value.error;
    if (!value.ok || advice !== undefined) return fail(`--${name}=${text}: ${advice}`);
    values[name] = value.value;
  }
  if (values.version === true) return ok({ type: "version" });
  const positionals = readPositionals(command, split.value.positionals);
  if (!positionals.ok) return positionals;
  // Every declared name has a value of its flag's type by now.
  return ok({ type: "run", values: values as FlagValues<F>, positionals: positionals.value });
}

interface Split {
  readonly texts: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  readonly help: boolean;
}

/** Which texts belong to which flags. cac is not asked: it turns texts such as 0123 and 1e3 into numbers. */
function splitArguments(flags: Flags, args: readonly string[]): Result<Split, string> {
  const texts = new Map<string, string>();
  const positionals: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") {
      positionals.push(...rest.splice(0));
    } else if (!arg.startsWith("-") || arg === "-") {
      positionals.push(arg);
    } else {
      const found = arg.startsWith("--") ? findLong(flags, arg) : findShort(flags, arg);
      if (!found.ok) return found;
      for (const { name, type, text: attached } of found.value) {
        const text = attached ?? (type === "bool" ? "true" : rest.shift());
        if (text === undefined)
          return fail(`--${name} needs a value: --${name}=${type === "string" ? "TEXT" : typeLabel(type)}`);
        const before = texts.get(name);
        texts.set(name, before === undefined ? text : givenAgain(type, before, text));
      }
      // What else is wrong on a line that asks for help does not matter.
      if (parseBool(texts.get("help") ?? "") === true) return ok({ texts, positionals, help: true });
    }
  }
  return ok({ texts, positionals, help: false });
}

/** A flag that was written, with the text that is attached to it. */
interface Found {
  readonly name: string;
  readonly type: FlagType;
  readonly text?: string;
}

function findLong(flags: Flags, arg: string): Result<readonly Found[], string> {
  const equals = arg.indexOf("=");
  const written = equals < 0 ? arg : arg.slice(0, equals);
  const name = written.slice(2).replaceAll("_", "-");
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) return fail(unknownFlag(written, closest(name, Object.keys(flags))));
  return ok([{ name, type: flag.type, ...(equals < 0 ? {} : { text: arg.slice(equals + 1) }) }]);
}

/** The flags of `-v2` or `-wn`: behind one that needs no value others may stand; what stands behind any other is its value. */
function findShort(flags: Flags, arg: string): Result<readonly Found[], string> {
  const found: Found[] = [];
  for (let at = 1; at < arg.length; at++) {
    const entry = Object.entries(flags).find(([, { short }]) => short === arg[at]);
    if (entry === undefined) {
      const name = arg.slice(1).split("=", 1)[0] ?? "";
      return fail(unknownFlag(arg, Object.hasOwn(flags, name) ? name : closest(name, Object.keys(flags))));
    }
    const [name, { type }] = entry;
    const attached = arg.slice(at + 1);
    if (attached.startsWith("=")) return ok([...found, { name, type, text: attached.slice(1) }]);
    if (type !== "bool") return ok([...found, { name, type, ...(attached !== "" && { text: attached }) }]);
    found.push({ name, type });
  }
  return ok(found);
}

function unknownFlag(written: string, near: string | undefined): string {
  return `unknown flag ${written}${near === undefined ? "; --help lists the flags" : `: did you mean --${near}?`}`;
}

function readPositionals<F extends Flags>(
  command: Command<F>,
  positionals: readonly string[],
): Result<readonly string[], string> {
  // cac takes no more after a lone dash.
  const dashed = positionals.find((text) => text.startsWith("-"));
  if (dashed !== undefined) return fail(`${dashed} is no argument; flags stand before --`);
  let given: readonly string[] = [];
  const cli = cac("nv-ipam");
  cli.command(`${command.name} ${command.arguments ?? ""}`.trim(), command.summary).action((...values: unknown[]) => {
    // cac passes one value an argument (a variadic one as a list), then the options.
    given = values.slice(0, -1).flatMap((value) => (typeof value === "string" || Array.isArray(value) ? value : []));
  });
  try {
    cli.parse(["", "", command.name, ...positionals]);
    return ok(given);
  } catch {
    return fail(wrongArguments(command, positionals));
  }
}

/** Why cac refuses them: they are too few or too many. */
function wrongArguments(command: Command<Flags>, positionals: readonly string[]): string {
  const places = command.arguments?.split(" ") ?? [];
  const usage = [titleOf(command), ...places].join(" ");
  const extra = positionals.at(places.length);
  if (extra === undefined) return `an argument is missing: write ${usage}; --help says what it can be`;
  return `${extra} is one argument too many: write ${usage} and flags`;
}
