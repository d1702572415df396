/** Writes inspect's documents as aligned columns, JSON or YAML. */
import { stringify } from "yaml";
import type { Finding } from "./check.ts";
import type { List, PoolItem, ReservationItem } from "./report.ts";

/** How a document is written. */
export type OutputFormat = "table" | "json" | "yaml";

/** Any document that inspect prints. */
export type Report =
  | List<"PoolList", PoolItem>
  | List<"ReservationList", ReservationItem>
  | List<"FindingList", Finding>;

/** The format of that name. @returns undefined when there is none. */
export function outputFormat(text: string): OutputFormat | undefined {
  return text === "table" || text === "json" || text === "yaml" ? text : undefined;
}

/** Writes a document, with a line end. */
export function print(report: Report, format: OutputFormat): string {
  if (format === "json") return `${JSON.stringify(report, null, 2)}\n`;
  if (format === "yaml") return stringify(report);
  switch (report.kind) {
    case "PoolList":
      return table(POOL_COLUMNS, report.items);
    case "ReservationList":
      return table(RESERVATION_COLUMNS, report.items);
    case "FindingList":
      return report.items.length === 0 ? "nothing wrong found\n" : table(FINDING_COLUMNS, report.items);
  }
}

type Columns<T> = readonly (readonly [heading: string, cell: (item: T) => string])[];

const POOL_COLUMNS: Columns<PoolItem> = [
  ["KIND", (item) => item.poolKind],
  ["POOL", (item) => item.pool],
  ["SUBNET", (item) => item.subnet],
  ["GATEWAY", (item) => item.gateway],
  ["BLOCK", (item) => (item.block === null ? "" : `${item.block.startIP} - ${item.block.endIP}`)],
  ["USED", (item) => item.addresses.used],
  ["FREE", (item) => item.addresses.free],
  ["EXCLUDED", (item) => item.addresses.excluded],
  ["PROBLEM", (item) => item.problem],
];

const RESERVATION_COLUMNS: Columns<ReservationItem> = [
  ["POOL", (item) => item.pool],
  ["ADDRESSES", (item) => item.addresses.join(",")],
  ["POD", (item) => (item.pod === null ? "" : `${item.pod.namespace}/${item.pod.name}`)],
  ["INTERFACE", (item) => item.ifname],
  ["CONTAINER", (item) => item.containerID.slice(0, 13)],
  ["NETWORK", (item) => item.network],
  ["HOW", (item) => item.how],
  ["SINCE", (item) => item.createdAt.slice(0, 19)],
];

const FINDING_COLUMNS: Columns<Finding> = [
  ["SEVERITY", (item) => item.severity],
  ["REASON", (item) => item.reason],
  ["POOL", (item) => (item.pool === "" ? "" : `${item.poolKind}/${item.pool}`)],
  ["MESSAGE", (item) => item.message],
];

function table<T>(columns: Columns<T>, items: readonly T[]): string {
  const rows = [
    columns.map(([heading]) => heading),
    ...items.map((item) => columns.map(([, cell]) => visible(cell(item)))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, index) => (cell || "-").padEnd(widths[index] ?? 0))
          .join("   ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** Names come from outside: what would move the cursor or start another line is shown as its escape. */
function visible(text: string): string {
  return /[\p{Cc}\u2028\u2029]/u.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}
