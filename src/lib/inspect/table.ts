/** Aligned columns for people. Pure. */
import { visible } from "../visible.ts";

/** A colour as terminals know it (ECMA-48 SGR). */
export type Colour = "red" | "yellow" | "green" | "bold";

const CODES: Readonly<Record<Colour, number>> = { red: 31, yellow: 33, green: 32, bold: 1 };

/** One column. */
export interface Column<T> {
  readonly heading: string;
  cell(item: T): string;
  /** Only in the wide layout. */
  readonly isWide?: boolean;
  /** How the cell is coloured, where there are colours. */
  paint?(item: T): Colour | undefined;
}

/** How a table looks. */
export interface Layout {
  readonly isWide: boolean;
  readonly hasColours: boolean;
}

/** What stands for nothing. */
const EMPTY = "-";

/** A heading, and one line for each item; a dash stands for what is empty. */
export function table<T>(columns: readonly Column<T>[], items: readonly T[], { isWide, hasColours }: Layout): string {
  const shown = columns.filter((column) => isWide || column.isWide !== true);
  const rows = items.map((item) => shown.map((column) => visible(column.cell(item)) || EMPTY));
  const widths = shown.map(({ heading }) => heading.length);
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  const line = (cells: readonly string[], paint: (index: number) => Colour | undefined): string => {
    const last = cells.length - 1;
    const padded = cells.map((cell, index) => {
      const filler = index === last ? "" : " ".repeat((widths[index] ?? 0) - cell.length);
      return `${hasColours ? coloured(cell, paint(index)) : cell}${filler}`;
    });
    return `${padded.join("   ").trimEnd()}\n`;
  };
  const heading = line(
    shown.map((column) => column.heading),
    () => "bold",
  );
  const lines = items.map((item, row) => {
    const cells = rows[row] ?? [];
    return line(cells, (index) => (cells[index] === EMPTY ? undefined : shown[index]?.paint?.(item)));
  });
  return heading + lines.join("");
}

/** The text in a colour. */
export function coloured(text: string, colour: Colour | undefined): string {
  return colour === undefined ? text : `\u001b[${CODES[colour]}m${text}\u001b[0m`;
}
