/** Reads what a node holds from its store, while no daemon runs. */
import { textOf } from "../api/text_of.ts";
import { type Address, type Cidr, formatAddress, parseAddress, parseCidr } from "../ip/address.ts";
import { type Interval, IntervalSet } from "../ip/intervals.ts";
import { usableAddresses } from "../ip/usable.ts";
import { readStore } from "../journal/store.ts";
import type { PoolID, PoolRecord, Reservation } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import { reservationView } from "../rpc/server/inspection.ts";
import type { Absence, NodeContent } from "./content.ts";
import { NO_COUNTS, type PoolItem, reservationItem } from "./report.ts";

/**
 * Reads the store. Its pools are those that an address was ever given from, as they were when it was.
 *
 * @returns why there is nothing to read.
 */
export async function readFromStore(storeFile: string): Promise<Result<NodeContent, Absence>> {
  const store = await readStore({ storeFile });
  if (!store.ok) return fail({ isAbsent: false, message: `the store cannot be read: ${store.error.message}` });
  const { state, problems: notes, content } = store.value;
  if (state === "new") return fail({ isAbsent: true, message: `there is no store at ${storeFile}` });
  const held = Map.groupBy(content.reservations, ({ pool }) => poolKey(pool));
  const problems = state === "damaged" ? [`the store ${storeFile} is damaged; nv-ipam store repair mends it`] : [];
  const pools = content.pools.map((record) => storedPool(record, held.get(poolKey(record.pool)) ?? []));
  const reservations = content.reservations.map((reservation) => reservationItem(reservationView(reservation), ""));
  const source = { type: "store", place: storeFile, node: "" } as const;
  return ok({
    type: "node",
    source,
    notes,
    pools,
    isRunning: false,
    reservations,
    pods: undefined,
    problems,
    outdated: [],
  });
}

function poolKey({ kind, name, uid }: PoolID): string {
  return JSON.stringify([kind, name, uid]);
}

function storedPool({ pool, cursor, config }: PoolRecord, held: readonly Reservation[]): PoolItem {
  const known = config === undefined ? undefined : readConfig(config);
  const common = {
    pool: pool.name,
    poolKind: pool.kind,
    uid: pool.uid,
    lastAddress: cursor === undefined ? "" : formatAddress(cursor),
    blocks: null,
    problem: "",
  };
  const used = String(held.length);
  if (known === undefined) {
    return { ...common, subnet: "", gateway: "", block: null, addresses: { ...NO_COUNTS, used } };
  }
  const { subnet, gateway, block, exclusions } = known;
  const indexExclusions = IntervalSet.empty;
  const usable = usableAddresses({ block, network: subnet, gateway, exclusions, indexExclusions });
  const isUsable = ({ family, value }: Address): boolean => family === subnet.family && usable.contains(value);
  const taken = held.filter(({ addresses }) => addresses.some(isUsable)).length;
  const total = block.last - block.first + 1n;
  const text = (value: bigint): string => formatAddress({ family: subnet.family, value });
  return {
    ...common,
    subnet: `${text(subnet.first)}/${subnet.prefixLength}`,
    gateway: gateway === undefined ? "" : formatAddress(gateway),
    block: { startIP: text(block.first), endIP: text(block.last) },
    addresses: {
      total: String(total),
      excluded: String(total - usable.count()),
      used,
      free: String(usable.count() - BigInt(taken)),
    },
  };
}

interface StoredConfig {
  readonly subnet: Cidr;
  readonly gateway: Address | undefined;
  readonly block: Interval;
  readonly exclusions: IntervalSet;
}

/** Reads the configuration that a pool had, in the original's words; undefined where it cannot be read. */
function readConfig(text: string): StoredConfig | undefined {
  const members = parseObject(text);
  const subnet = parseCidr(textOf(members.subnet));
  const block = readRange(members);
  if (subnet === undefined || block === undefined) return undefined;
  const excluded: readonly unknown[] = Array.isArray(members.exclusions) ? members.exclusions : [];
  const exclusions = IntervalSet.of(excluded.flatMap((entry) => readRange(entry) ?? []));
  return { subnet, block, exclusions, gateway: parseAddress(textOf(members.gateway)) };
}

function readRange(value: unknown): Interval | undefined {
  const { startIP, endIP } = Object(value) as Readonly<Record<string, unknown>>;
  const first = parseAddress(textOf(startIP));
  const last = parseAddress(textOf(endIP));
  if (first === undefined || last === undefined || first.value > last.value) return undefined;
  return { first: first.value, last: last.value };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
