/** The types that flags have, and their values from text. */
import { fail, ok, type Result } from "../result.ts";
import { type FeatureGates, parseFeatureGates } from "./feature_gates.ts";
import { type ModuleLevel, parseModuleLevels } from "./module_levels.ts";
import { parseBool, parseDuration, parseInteger, parseLevel, parseQuantity } from "./scalars.ts";

/** What a flag of each type gives. A duration is in milliseconds, a quantity a whole number (rounded up, as Kubernetes does). */
export interface FlagTypes {
  readonly string: string;
  readonly bool: boolean;
  readonly int: number;
  readonly duration: number;
  readonly quantity: number;
  readonly level: number;
  readonly modules: readonly ModuleLevel[];
  readonly gates: FeatureGates;
}

/** The name of a flag's type. */
export type FlagType = keyof FlagTypes;

interface ValueType<T> {
  /** How the help calls it: the original's word. */
  readonly label: string;
  /** Whether a flag that is given again adds to what was given before. */
  readonly isList?: boolean;
  parse(text: string): Result<T, string>;
}

const TYPES: { readonly [K in FlagType]: ValueType<FlagTypes[K]> } = {
  string: { label: "string", parse: ok },
  bool: { label: "", parse: reader(parseBool, "this is no boolean; use true or false") },
  int: { label: "int", parse: reader(parseInteger, "this is no whole number; use digits such as 5") },
  duration: {
    label: "duration",
    parse: reader(parseDuration, "this is no duration; use a number with a unit, such as 500ms, 5s or 1m30s"),
  },
  quantity: {
    label: "quantity",
    parse: reader(
      parseQuantity,
      "this is no quantity; use a number, with a unit if you like: 512, 1K, 2Ki, 3M, 4G, 5Mi",
    ),
  },
  level: { label: "Level", parse: reader(parseLevel, `this is no level; use 0 to ${2 ** 31 - 1}`) },
  modules: { label: "pattern=N,...", isList: true, parse: parseModuleLevels },
  gates: { label: "mapStringBool", isList: true, parse: parseFeatureGates },
};

/** Reads a flag's text by its type. @returns what would be right when the text does not fit. */
export function parseValue<K extends FlagType>(type: K, text: string): Result<FlagTypes[K], string> {
  return TYPES[type].parse(text);
}

/** The word for a type in the help; empty for booleans, which need no value. */
export function typeLabel(type: FlagType): string {
  return TYPES[type].label;
}

/** The text of a flag that was given twice: both for a list, else the last one. */
export function givenAgain(type: FlagType, before: string, text: string): string {
  return TYPES[type].isList === true ? `${before},${text}` : text;
}

function reader<T>(read: (text: string) => T | undefined, advice: string): (text: string) => Result<T, string> {
  return (text) => {
    const value = read(text);
    return value === undefined ? fail(advice) : ok(value);
  };
}
