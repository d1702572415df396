/** The plugin's log: levels and the look of a line. Pure. */

/** Levels of the log; the first are the rarest. */
const LEVELS = ["panic", "error", "warning", "info", "debug", "verbose"] as const;

/** One of the levels. */
export type LogLevel = (typeof LEVELS)[number];

/** What belongs to an event; members that are undefined are left out. */
export type LogFields = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Notes one event. */
export type Log = (level: LogLevel, event: string, fields: LogFields) => void;

/** Longest value of a field in a line. */
const MAX_VALUE = 1000;

/** Whether the text names a level. */
export function isLogLevel(text: string): text is LogLevel {
  return LEVELS.some((level) => level === text);
}

/** Whether events of this level are written when the log is set to `threshold`. */
export function isLogged(level: LogLevel, threshold: LogLevel): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(threshold);
}

/**
 * One event as one line, in the look of the original's log: `time [level] event name=value …`. Values with blanks, quotes
 * or characters that are not seen are quoted and escaped as in JSON.
 *
 * @param time milliseconds since the epoch.
 */
export function formatLine(time: number, level: LogLevel, event: string, fields: LogFields): string {
  const parts = [new Date(time).toISOString(), `[${level}]`, event];
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined)
      parts.push(`${name}=${formatValue(typeof value === "object" ? value.join(",") : String(value))}`);
  }
  return `${parts.join(" ")}\n`;
}

function formatValue(text: string): string {
  const short = text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`;
  if (/^[\w.,:/@+-]+$/.test(short)) return short;
  return JSON.stringify(short).replace(UNSEEN, escapeCharacter);
}

/** What JSON leaves as it is though a terminal hides it, acts on it, or turns the text around. */
const UNSEEN = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
