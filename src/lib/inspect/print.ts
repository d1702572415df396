/** Writes inspect's documents as aligned columns, JSON or YAML. Pure. */
import { visible, visibleJson } from "../visible.ts";
import type { Finding, Severity } from "./finding.ts";
import type {
  AddressReport,
  BlockText,
  NodeReport,
  PlaceItem,
  PodInterface,
  PodPool,
  PodReport,
  PoolItem,
  Report,
  ReservationItem,
  RestingItem,
  StoreReport,
} from "./report.ts";
import { type Colour, type Column, coloured, type Layout, table } from "./table.ts";
import { yamlText } from "./yaml_text.ts";

/** How a document is written. */
export type OutputFormat = "table" | "wide" | "json" | "yaml";

/** The format of that name. @returns undefined when there is none. */
export function outputFormat(text: string): OutputFormat | undefined {
  return text === "table" || text === "wide" || text === "json" || text === "yaml" ? text : undefined;
}

/** Whether a format is for people rather than for programs. */
export function isForPeople(format: OutputFormat): boolean {
  return format === "table" || format === "wide";
}

/** Writes a document, with a line end. */
export function print(report: Report, format: OutputFormat, hasColours = false): string {
  if (format === "json") return visibleJson(report);
  if (format === "yaml") return yamlText(report);
  const layout = { isWide: format === "wide", hasColours };
  switch (report.kind) {
    case "PoolList":
      return report.items.length === 0
        ? "no pools\n"
        : table(poolColumns(report.source.type === "cluster"), report.items, layout);
    case "ReservationList":
      return report.items.length === 0 ? "no reservations\n" : table(RESERVATION_COLUMNS, report.items, layout);
    case "FindingList":
      return findingsText(report.items, layout);
    case "NodeReport":
      return nodeText(report, layout);
    case "PodReport":
      return podText(report, layout);
    case "AddressReport":
      return addressText(report, layout);
    case "StoreReport":
      return storeText(report, layout);
  }
}

function blockText(block: BlockText | null): string {
  return block === null ? "" : `${block.startIP} - ${block.endIP}`;
}

/** No free address is as bad as it gets for the next pod; but a node without a block has none, and nothing is wrong. */
function paintFree({ free, total }: { readonly free: string; readonly total: string }): Colour | undefined {
  return free === "0" && total !== "0" ? "red" : undefined;
}

function column<T>(
  heading: string,
  cell: (item: T) => string,
  more: Omit<Column<T>, "heading" | "cell"> = {},
): Column<T> {
  return { heading, cell, ...more };
}

function poolColumns(isCluster: boolean): readonly Column<PoolItem>[] {
  const whole: readonly Column<PoolItem>[] = [
    column("BLOCKS", ({ blocks }) => (blocks === null ? "" : `${blocks.allocated}/${blocks.total}`)),
    column("RESTING", ({ blocks }) => blocks?.resting ?? "", { isWide: true }),
  ];
  const own = [column<PoolItem>("BLOCK", ({ block }) => blockText(block))];
  return [
    column("KIND", ({ poolKind }) => poolKind),
    column("POOL", ({ pool }) => pool),
    column("SUBNET", ({ subnet }) => subnet),
    column("GATEWAY", ({ gateway }) => gateway),
    ...(isCluster ? whole : own),
    column("USED", ({ addresses }) => addresses.used),
    column("FREE", ({ addresses }) => addresses.free, { paint: ({ addresses }) => paintFree(addresses) }),
    column("EXCLUDED", ({ addresses }) => addresses.excluded, { isWide: isCluster }),
    column("TOTAL", ({ addresses }) => addresses.total, { isWide: true }),
    column("LAST", ({ lastAddress }) => lastAddress, { isWide: true }),
    column("UID", ({ uid }) => uid, { isWide: true }),
    column("PROBLEM", ({ problem }) => problem, { paint: () => "red" }),
  ];
}

const RESERVATION_COLUMNS: readonly Column<ReservationItem>[] = [
  column("POOL", ({ pool }) => pool),
  column("ADDRESSES", ({ addresses }) => addresses.join(",")),
  column("POD", ({ pod }) => (pod === null ? "" : `${pod.namespace}/${pod.name}`)),
  column("INTERFACE", ({ ifname }) => ifname),
  column("NODE", ({ node }) => node, { isWide: true }),
  column("CONTAINER", ({ containerID }) => containerID.slice(0, 13)),
  column("NETWORK", ({ network }) => network),
  column("HOW", ({ how }) => how),
  column("SINCE", ({ createdAt }) => createdAt.slice(0, 19)),
  column("DEVICE", ({ deviceID }) => deviceID, { isWide: true }),
  column("KIND", ({ poolKind }) => poolKind, { isWide: true }),
  column("POD UID", ({ pod }) => pod?.uid ?? "", { isWide: true }),
];

const SEVERITY_COLOURS: Readonly<Record<Severity, Colour | undefined>> = {
  error: "red",
  warning: "yellow",
  info: undefined,
};

const FINDING_COLUMNS: readonly Column<Finding>[] = [
  column("SEVERITY", ({ severity }) => severity, { paint: ({ severity }) => SEVERITY_COLOURS[severity] }),
  column("REASON", ({ reason }) => reason),
  column("POOL", ({ pool, poolKind }) => (pool === "" ? "" : `${poolKind}/${pool}`)),
  column("NODE", ({ node }) => node),
  column("POD", ({ pod }) => pod, { isWide: true }),
  column("MESSAGE", ({ message }) => message),
];

function findingsText(items: readonly Finding[], layout: Layout): string {
  if (items.length > 0) return table(FINDING_COLUMNS, items, layout);
  return layout.hasColours ? `${coloured("nothing wrong found", "green")}\n` : "nothing wrong found\n";
}

const RESTING_COLUMNS: readonly Column<RestingItem>[] = [
  column("RESTING IN", ({ pool, poolKind }) => `${poolKind}/${pool}`),
  column("BLOCK", ({ block }) => blockText(block)),
  column("SINCE", ({ releasedAt }) => releasedAt),
  column("REASON", ({ reason }) => reason),
];

function nodeText({ node, pools, resting, findings }: NodeReport, layout: Layout): string {
  return sections([
    `Node ${node === "" ? "(a store does not name it)" : visible(node)}\n`,
    pools.length === 0 ? "no pools\n" : table(poolColumns(false), pools, layout),
    resting.length === 0 ? "" : table(RESTING_COLUMNS, resting, layout),
    findings.length === 0 ? "" : findingsText(findings, layout),
  ]);
}

type Row = PodInterface & { readonly at: PodPool | undefined };

const INTERFACE_COLUMNS: readonly Column<Row>[] = [
  column("INTERFACE", ({ ifname }) => ifname),
  column("NETWORK", ({ network }) => network),
  column("POOL", ({ at }) => (at === undefined ? "" : `${at.poolKind}/${at.pool}`)),
  column("ADDRESS", ({ at }) => at?.addresses.join(",") ?? ""),
  column("BLOCK", ({ at }) => blockText(at?.block ?? null)),
  column("FREE", ({ at }) => at?.counts.free ?? "", {
    paint: ({ at }) => (at === undefined ? undefined : paintFree(at.counts)),
  }),
  column("RESERVED", ({ at }) => at?.reserved ?? ""),
  column("CONTAINER", ({ at }) => at?.containerID.slice(0, 13) ?? "", { isWide: true }),
  column("HOW", ({ at }) => at?.how ?? "", { isWide: true }),
  column("SINCE", ({ at }) => at?.createdAt.slice(0, 19) ?? "", { isWide: true }),
  column("IPAM", ({ ipam }) => ipam, { isWide: true }),
  column("ASKED FOR", ({ requested }) => requested.join(","), { isWide: true }),
  column("PROBLEM", ({ at, problem }) => [problem, at?.problem ?? ""].filter((text) => text !== "").join("; "), {
    paint: () => "red",
  }),
];

function podText({ namespace, name, node, phase, interfaces, events, problems }: PodReport, layout: Layout): string {
  const rows = interfaces.flatMap((each): readonly Row[] =>
    each.pools.length === 0 ? [{ ...each, at: undefined }] : each.pools.map((at) => ({ ...each, at })),
  );
  const where = node === "" ? "" : ` on ${node}`;
  const lines = (head: string, texts: readonly string[]): string =>
    texts.map((text) => `${head}: ${visible(text)}\n`).join("");
  return sections([
    `Pod ${visible(`${namespace}/${name}${where}${phase === "" ? "" : `: ${phase}`}`)}\n`,
    rows.length === 0 ? "" : table(INTERFACE_COLUMNS, rows, layout),
    lines("Problem", problems),
    lines(
      "Event",
      events.map(({ reason, message, count, lastSeen }) => `${lastSeen} ${reason} (${count}x): ${message}`),
    ),
  ]);
}

const PLACE_COLUMNS: readonly Column<PlaceItem>[] = [
  column("POOL", ({ pool, poolKind }) => `${poolKind}/${pool}`),
  column("NETWORK", ({ network }) => network),
  column("STATE", ({ state }) => state),
  column("NODE", ({ node }) => node),
  column("BLOCK", ({ block }) => blockText(block)),
  column("IS", ({ roles }) => roles.join(",")),
];

function addressText({ summary, places, holders }: AddressReport, layout: Layout): string {
  return sections([
    `${visible(summary)}\n`,
    places.length === 0 ? "" : table(PLACE_COLUMNS, places, layout),
    holders.length === 0 ? "" : table(RESERVATION_COLUMNS, holders, layout),
  ]);
}

function storeText(report: StoreReport, layout: Layout): string {
  const { source, state, content, generation, reservations, pools, files, problems } = report;
  const from = content === "original" ? ", from the original's file" : `, journal ${generation}`;
  return sections([
    problems.map((problem) => `${visible(problem)}\n`).join(""),
    `${visible(source.place)} is ${state}: ${reservations} reservations of ${pools} pools${from}\n`,
    table(FILE_COLUMNS, files, layout),
  ]);
}

const FILE_COLUMNS: readonly Column<StoreReport["files"][number]>[] = [
  column("FILE", ({ name }) => name),
  column("BYTES", ({ bytes }) => String(bytes)),
  column("MODIFIED", ({ modifiedAt }) => modifiedAt),
];

/** Parts with an empty line between them. */
function sections(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n");
}
