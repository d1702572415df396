/** What a run found: rows with the bound that each was measured for, as a table and as JSON. */
import type { Spread } from "./_statistics.ts";

/** What numbers are counted in. */
export type Unit = "ms" | "µs" | "s" | "MB" | "%" | "calls/s" | "bytes" | "writes" | "looks";

/** One number and what it was measured for. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  /** What it is compared with, measured alternately with it. */
  readonly beside?: { readonly what: string; readonly value: number; readonly ratio: Spread };
  /** What is asked of the ratio, where there is one, or else of the value. Rows without a bound are there to read. */
  readonly bound?: { readonly most: number } | { readonly least: number };
}

/** A part of the benchmark that can be run alone. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** How long it took. */
  readonly seconds: number;
  /** How many processes wanted to run at its end, the mean of a minute: above the number of CPUs, the figures are rough. */
  readonly load: number;
}

/** Whether the row is within its bound; undefined when it has none. */
export function holds({ value, beside, bound }: Row): boolean | undefined {
  if (bound === undefined) return undefined;
  const measured = beside?.ratio.median ?? value;
  return "most" in bound ? measured <= bound.most : measured >= bound.least;
}

/** The table of one section. */
export function sectionText({ name, title, rows, seconds, load }: Section): string {
  const head = ["", "measured", "beside", "ratio (quartiles)", "bound", "holds"];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [
    `${name}: ${title} (${seconds} s, load ${load.toFixed(1)})`,
    ...lines.map((line) => `  ${text(line)}`),
    "",
  ].join("\n");
}

/** The report as the JSON file holds it: each row also says whether it holds. */
export function reportJson(machine: Readonly<Record<string, unknown>>, sections: readonly Section[]): string {
  const written = sections.map((section) => ({
    ...section,
    rows: section.rows.map((row) => ({ ...row, holds: holds(row) })),
  }));
  return `${JSON.stringify({ ...machine, sections: written }, null, 2)}\n`;
}

function cells(row: Row): string[] {
  const { what, value, unit, beside, bound } = row;
  const kept = holds(row);
  return [
    what,
    quantity(value, unit),
    beside === undefined ? "" : `${quantity(beside.value, unit)} ${beside.what}`,
    beside === undefined ? "" : ratioText(beside.ratio),
    bound === undefined ? "" : boundText(bound, beside === undefined ? unit : undefined),
    kept === undefined ? "" : kept ? "yes" : "NO",
  ];
}

function ratioText({ low, median, high }: Spread): string {
  return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

function boundText(bound: NonNullable<Row["bound"]>, unit: Unit | undefined): string {
  const [sign, limit] = "most" in bound ? ["<=", bound.most] : [">=", bound.least];
  return unit === undefined ? `${sign} ${limit}` : `${sign} ${limit} ${unit}`;
}

function quantity(value: number, unit: Unit): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}
