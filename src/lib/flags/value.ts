/** Flag values as Go programs write them, from text. */

/** What a flag of each type gives. A duration is in milliseconds. */
export interface FlagTypes {
  readonly string: string;
  readonly bool: boolean;
  readonly int: number;
  readonly duration: number;
}

/** The name of a flag's type. */
export type FlagType = keyof FlagTypes;

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);
const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go's strconv.ParseBool. @returns undefined when the text is no boolean. */
export function parseBool(text: string): boolean | undefined {
  return TRUE.has(text) ? true : FALSE.has(text) ? false : undefined;
}

/** A decimal integer that a double holds exactly. @returns undefined otherwise. */
export function parseInteger(text: string): number | undefined {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Go's time.ParseDuration ("5s", "1m30s", "1.5h", "0"). @returns milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, number, unit] of (match[2] ?? "").matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * (MILLISECONDS[unit ?? ""] ?? Number.NaN);
  }
  return match[1] === "-" ? -total : total;
}

/** Writes milliseconds as Go's Duration.String does for whole milliseconds. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  if (Math.abs(milliseconds) < 1000) return `${milliseconds}ms`;
  const hours = Math.trunc(milliseconds / 3_600_000);
  const minutes = Math.trunc(milliseconds / 60_000) % 60;
  const seconds = (milliseconds % 60_000) / 1000;
  return `${hours === 0 ? "" : `${hours}h`}${hours === 0 && minutes === 0 ? "" : `${minutes}m`}${seconds}s`;
}

/** Reads a flag's text by its type. @returns undefined when the text does not fit. */
export function parseValue<K extends FlagType>(type: K, text: string): FlagTypes[K] | undefined {
  const parsers: { readonly [T in FlagType]: (text: string) => FlagTypes[T] | undefined } = {
    string: (value) => value,
    bool: parseBool,
    int: parseInteger,
    duration: parseDuration,
  };
  return parsers[type](text);
}
