/** Single values as Go programs and Kubernetes write them, from text. */

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** Go's strconv.ParseBool. @returns undefined when the text is no boolean. */
export function parseBool(text: string): boolean | undefined {
  return TRUE.has(text) ? true : FALSE.has(text) ? false : undefined;
}

/**
 * A whole number as Go's flags read it (strconv.ParseInt with base 0): a prefix 0x, 0o, 0b or 0 names the base, and _ may
 * stand between digits.
 *
 * @returns undefined for anything else, and for what a double does not hold exactly
 */
export function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?\d)*)$/.exec(text);
  const digits = match?.[2]?.replaceAll("_", "");
  if (digits === undefined) return undefined;
  const value = Number(/^0\d/.test(digits) ? `0o${digits}` : digits);
  if (!Number.isSafeInteger(value)) return undefined;
  return match?.[1] === "-" ? 0 - value : value;
}

/** A verbosity: digits, at most 31 bits. @returns undefined otherwise. */
export function parseLevel(text: string): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value < 2 ** 31 ? value : undefined;
}

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
/** Go counts nanoseconds in 63 bits: some 292 years. */
const MAX_DURATION = 2 ** 63 / 1e6;

/** Go's time.ParseDuration ("5s", "1m30s", "1.5h", "0"). @returns milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|[u\u00b5\u03bc]s|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const [, number, unit] of (match[2] ?? "").matchAll(/([\d.]+)(ns|[u\u00b5\u03bc]s|ms|s|m|h)/g)) {
    total += Number(number) * (MILLISECONDS[unit ?? ""] ?? Number.NaN);
  }
  if (total >= MAX_DURATION) return undefined;
  return match[1] === "-" ? 0 - total : total;
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

/** K is not Kubernetes' (it wants k), but stands in the original's help. */
const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes resource.Quantity. @returns its whole value, rounded up, or undefined when the text is none. */
export function parseQuantity(text: string): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkKMGTPE]|[KMGTPE]i|)|[eE]([+-]?\d{1,3}))$/.exec(text);
  if (match === null) return undefined;
  const [, number, unit = "", exponent] = match;
  return Math.ceil(
    exponent === undefined ? Number(number) * (UNITS[unit] ?? Number.NaN) : Number(`${number}e${exponent}`),
  );
}
