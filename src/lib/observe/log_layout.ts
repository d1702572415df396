/** A log event as one line: klog's text layout, or the JSON keys of zapr. */
import { unicodeEscape, visible } from "../visible.ts";
import { quote } from "./_quote.ts";

/** What is known about an event besides its message, in the order in which it is written. `err`: what went wrong. */
export type Fields = Readonly<Record<string, unknown>>;

/** How much an event matters. */
export type Severity = "info" | "warning" | "error";

/** Something that happened. */
export interface LogEvent {
  readonly severity: Severity;
  /** Verbosity from which on it is written. */
  readonly level: number;
  /** Part of the program; empty for the program itself. */
  readonly name: string;
  readonly message: string;
  readonly fields: Fields;
}

/** How lines look. */
export interface LayoutOptions {
  readonly format: "text" | "json";
  /** What the process does (default: nv-ipam): stands for the part of the program where no part is named. */
  readonly role?: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly pid: number;
}

/** The layout that the options ask for. Its lines have no end, and no line end inside. */
export function layoutOf(options: LayoutOptions): (event: LogEvent) => string {
  const line = options.format === "json" ? jsonLine : textLine;
  return (event) => line(event, options);
}

const LETTERS: Readonly<Record<Severity, string>> = { info: "I", warning: "W", error: "E" };

/**
 * klog's header (severity, month and day, local time, process, place), the quoted message, then fields; those of an error
 * begin with err. klog writes a value of several lines as several lines: here it stays one, with \n in it.
 */
function textLine(event: LogEvent, options: LayoutOptions): string {
  const { err, ...rest } = event.fields;
  const ordered = event.severity === "error" ? { err, logger: event.name || undefined, ...rest } : undefined;
  const fields = Object.entries(ordered ?? { logger: event.name || undefined, ...event.fields })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${textValue(value)}`);
  const head = `${LETTERS[event.severity]}${stamp(new Date(options.now()))} ${String(options.pid).padStart(7)}`;
  return `${head} ${place(event, options)}] ${quote(event.message)}${fields.join("")}`;
}

function stamp(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${two(at.getMonth() + 1)}${two(at.getDate())} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}000`;
}

/** In klog the line of the source. Messages are unique here and say that better; what reads logs expects FILE:LINE. */
function place(event: LogEvent, options: LayoutOptions): string {
  return `${event.name || (options.role ?? "nv-ipam")}:0`;
}

function textValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (value instanceof Error) return quote(value.message);
  // As Go's encoding/json writes it.
  return json(value).replaceAll(/[<>&]/g, unicodeEscape);
}

/** ts (milliseconds), logger, caller, msg, v for what is no error, fields, err of an error last. */
function jsonLine(event: LogEvent, options: LayoutOptions): string {
  const { err, ...rest } = event.fields;
  const isError = event.severity === "error";
  const pairs = Object.entries({
    ts: options.now(),
    logger: event.name || undefined,
    caller: place(event, options),
    msg: event.message,
    v: isError ? undefined : event.level,
    severity: event.severity === "warning" ? "warning" : undefined,
    ...(isError ? { ...rest, err } : event.fields),
  });
  const members = pairs.filter(([, value]) => value !== undefined);
  return `{${members.map(([key, value]) => `${json(key)}:${json(value)}`).join(",")}}`;
}

/** JSON without anything that a terminal or a reader of lines could take for a command or a line end; never throws. */
function json(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value, (_, inner) => plain(inner)) ?? "null";
  } catch (error) {
    text = JSON.stringify(`<internal error: ${error instanceof Error ? error.message : String(error)}>`);
  }
  return visible(text);
}

/** What JSON can say of a value: an error is its message, a big number its digits. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? value.toString() : value;
}
