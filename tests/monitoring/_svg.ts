/** Draws panels of a dashboard as one SVG picture. */
import type { Series } from "./_promql.ts";

/** One panel: bars of the last values, or lines over the whole time. */
export interface Drawn {
  readonly title: string;
  readonly bars: boolean;
  readonly unit: string;
  readonly series: readonly { readonly name: string; readonly samples: Series["samples"] }[];
}

const [WIDTH, HEIGHT, COLUMNS] = [310, 160, 3];
/** Where in a panel lines are drawn. */
const PLOT = { left: 52, right: 300, top: 28, bottom: 118 };
const COLOURS = ["#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#8f8f8f"];
/** Names of series that a panel has room for. */
const LEGEND = 4;
/** Characters of a name that it has room for. */
const NAME = 24;

/** @param caption stands below. @param seconds how long the time is. */
export function draw(panels: readonly Drawn[], seconds: number, caption: string): string {
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH + 10, rows * HEIGHT + 30];
  const cells = panels.map((panel, index) => {
    const [x, y] = [(index % COLUMNS) * WIDTH + 5, Math.floor(index / COLUMNS) * HEIGHT + 5];
    const inside = panel.bars ? bars(panel) : lines(panel, seconds);
    return `<g transform="translate(${x},${y})"><rect width="${WIDTH - 6}" height="${HEIGHT - 6}" fill="#fff" stroke="#d8d9da"/>
<text x="8" y="17" font-weight="bold">${escapeXml(panel.title)}</text>
${inside}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10" fill="#333">
<title>${escapeXml(caption)}</title>
<rect width="${width}" height="${height}" fill="#f4f5f5"/>
${cells.join("\n")}
<text x="8" y="${height - 10}">${escapeXml(caption)}</text>
</svg>
`;
}

function bars({ series, unit }: Drawn): string {
  return series
    .slice(0, 5)
    .map(({ name, samples }, index) => {
      const value = Number(samples.at(-1)?.[1] ?? 0);
      const y = 28 + index * 24;
      const colour = value >= 1 ? "#c4162a" : value >= 0.9 ? "#e0752d" : "#299c46";
      return `<text x="8" y="${y + 9}">${escapeXml(name)}</text><rect x="8" y="${y + 12}" width="230" height="6" fill="#e9edf2"/>
<rect x="8" y="${y + 12}" width="${round(230 * value)}" height="6" fill="${colour}"/><text x="246" y="${y + 18}">${format(value, unit)}</text>`;
    })
    .join("\n");
}

function lines({ series, unit }: Drawn, seconds: number): string {
  const values = series.flatMap(({ samples }) => samples.map(([, value]) => Number(value)).filter(Number.isFinite));
  const top = Math.max(...values, 0) || 1;
  const x = (time: number): number => tenths(PLOT.left + (time / seconds) * (PLOT.right - PLOT.left));
  const y = (value: number): number => tenths(PLOT.bottom - (value / top) * (PLOT.bottom - PLOT.top));
  const axis = [0, top / 2, top].map(
    (value) =>
      `<path d="M${PLOT.left} ${y(value)}H${PLOT.right}" stroke="#e9edf2"/><text x="${PLOT.left - 4}" y="${y(value) + 3}" text-anchor="end">${format(value, unit)}</text>`,
  );
  const drawn = series.map(({ samples }, index) => {
    const points = samples.filter(([, value]) => Number.isFinite(Number(value)));
    const path = points.map(([time, value]) => `${x(Number(time))} ${y(Number(value))}`).join("L");
    return `<path d="M${path}" fill="none" stroke="${COLOURS[index % COLOURS.length]}"/>`;
  });
  const legend = series.slice(0, LEGEND).map(({ name }, index) => {
    const [left, below] = [8 + (index % 2) * 148, 131 + Math.floor(index / 2) * 13];
    return `<rect x="${left}" y="${below - 4}" width="9" height="2" fill="${COLOURS[index]}"/><text x="${left + 13}" y="${below}">${escapeXml(name.slice(0, NAME))}</text>`;
  });
  return [...axis, ...drawn, ...legend].join("\n");
}

const UNITS: Readonly<Record<string, (value: number) => string>> = {
  s: (value) => (value < 1 ? `${round(value * 1000)} ms` : `${round(value)} s`),
  bytes: (value) => `${Math.round(value / 1e6)} MB`,
  percentunit: (value) => `${Math.round(value * 100)} %`,
  reqps: (value) => `${round(value)}/s`,
};

function format(value: number, unit: string): string {
  return (UNITS[unit] ?? ((each: number) => String(round(each))))(value);
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Three digits at most say enough. */
function round(value: number): number {
  return value >= 100 ? Math.round(value) : tenths(value);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
