/**
 * What is not to reach a terminal or a reader of lines as it is: all but letters, marks, digits, punctuation, symbols and the
 * blank, as in Go's strconv.IsPrint. So control characters, line ends, what turns text around or has no width, lone surrogates.
 */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** Writes one character so that it can be printed. */
export type Escape = (character: string) => string;

/** A text from outside with what is not printable in it replaced, by its escape `\uXXXX` unless said otherwise. */
export function visible(text: string, written: Escape = unicodeEscape): string {
  return text.replaceAll(UNPRINTABLE, written);
}

/** Whether the text can be printed as it is. */
export function isVisible(text: string): boolean {
  return text.search(UNPRINTABLE) < 0;
}

/** `\uXXXX` for each UTF-16 unit. */
export function unicodeEscape(character: string): string {
  return Array.from({ length: character.length }, (_, unit) => character.charCodeAt(unit))
    .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
    .join("");
}

/** A value as indented JSON that can be printed, with a line end. */
export function visibleJson(value: unknown): string {
  return `${visibleLines(JSON.stringify(value, null, 2))}\n`;
}

/** A text whose line ends are its layout. */
export function visibleLines(text: string, written: Escape = unicodeEscape): string {
  return visible(text, (character) => (character === "\n" ? character : written(character)));
}
