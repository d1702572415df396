/**
 * Texts in one line, as reservations are kept in memory and written to disk: `|` stands between them. What a line must not
 * have is written as `\u` and four hexadecimal digits: the characters that divide (`|`, `;`), `\`, and all that is no visible
 * ASCII. `@` neither: it is one flipped bit away from zero, as the blank is (see journal/format.ts).
 */

const UNSAFE = /[^!-~]|[@|;\\]/g;
const HAS_UNSAFE = /[^!-~]|[@|;\\]/;
const ESCAPE = /\\u([0-9a-f]{4})/g;

/** The texts as one line. */
export function joinFields(fields: readonly string[]): string {
  return (fields.some((field) => HAS_UNSAFE.test(field)) ? fields.map(escapeField) : fields).join("|");
}

/** The texts of a line. */
export function splitFields(line: string): string[] {
  const fields = line.split("|");
  return line.includes("\\") ? fields.map((field) => field.replace(ESCAPE, decodeUnit)) : fields;
}

/** A text as it stands in lines. */
export function escapeField(text: string): string {
  return HAS_UNSAFE.test(text) ? text.replace(UNSAFE, encodeUnit) : text;
}

function encodeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function decodeUnit(_: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 16));
}
