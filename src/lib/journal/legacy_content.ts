/** Translates between what a store holds and the original's store file, which knows less. */
import { type Address, contains, formatAddress, parseAddress, type Range, sameAddress } from "../ip/address.ts";
import type { How, LedgerSnapshot, Owner, PoolID, PoolRecord, Reservation } from "../reservations/reservation.ts";
import { fail, ok, type Result } from "../result.ts";
import type { LegacyEntry, LegacyPool, LegacyProblem, LegacyStore } from "./legacy.ts";

const CIDR_POOL = "cidrpool/";
/** In place of a container id that is not known, before the address. */
const REBUILT = "rebuilt-";

/** What the file says, as reservations. They have no network name and no pool UID. */
export function fromLegacy(store: LegacyStore): Result<LedgerSnapshot, LegacyProblem> {
  const reservations: Reservation[] = [];
  const pools: PoolRecord[] = [];
  for (const [key, pool] of store ?? []) {
    const id = poolID(key);
    const config = pool.last_pool_config;
    const cursor = parseAddress(pool.last_reserved_ip);
    if (cursor === undefined && pool.last_reserved_ip !== "") return noAddress(pool.last_reserved_ip, key);
    pools.push({ pool: id, ...(cursor && { cursor }), ...(config !== "" && { config }) });
    const blocks = new Map<string, Block | undefined>();
    for (const entry of entriesInOrder(pool)) {
      const address = parseAddress(entry.ip_address);
      if (address === undefined) return noAddress(entry.ip_address, key);
      const text = entry.metadata.pool_config_snapshot;
      if (!blocks.has(text)) blocks.set(text, readBlock(text));
      addEntry(reservations, id, entry, address, blocks.get(text));
    }
  }
  return ok({ reservations, pools });
}

/** The content as the original would have kept it; docs/store.md says what of it the original does not know. */
export function toLegacy({ reservations, pools }: LedgerSnapshot): LegacyStore {
  const store = new Map<string, LegacyPool & { readonly entries: Map<string, LegacyEntry> }>();
  const poolOf = (pool: PoolID, record?: PoolRecord) => {
    const name = legacyKey(pool);
    const known = store.get(name);
    if (known !== undefined) return known;
    const cursor = record?.cursor === undefined ? "" : formatAddress(record.cursor);
    const made = { name, entries: new Map(), last_pool_config: record?.config ?? "", last_reserved_ip: cursor };
    store.set(name, made);
    return made;
  };
  for (const record of pools) poolOf(record.pool, record);
  for (const reservation of reservations) {
    const { entries, last_pool_config } = poolOf(reservation.pool);
    for (const address of reservation.addresses) {
      const entry = toEntry(reservation, formatAddress(address), last_pool_config);
      const ifname = freeInterface(entries, entry);
      entries.set(`${entry.container_id}_${ifname}`, { ...entry, interface_name: ifname });
    }
  }
  return store;
}

/** A node's block as a pool's configuration names it. */
interface Block {
  readonly range: Range;
  readonly gateway: Address | undefined;
}

function noAddress(text: string, key: string): Result<never, LegacyProblem> {
  return fail({ code: "syntax", message: `${JSON.stringify(text)} in ${JSON.stringify(key)} is no address` });
}

function poolID(key: string): PoolID {
  return key.startsWith(CIDR_POOL)
    ? { kind: "CIDRPool", name: key.slice(CIDR_POOL.length), uid: "" }
    : { kind: "IPPool", name: key, uid: "" };
}

function legacyKey({ kind, name }: PoolID): string {
  return kind === "CIDRPool" ? `${CIDR_POOL}${name}` : name;
}

/** Entries that stand for further addresses of an attachment come after the one for its first. */
function entriesInOrder({ entries }: LegacyPool): LegacyEntry[] {
  const index = (entry: LegacyEntry): number => furtherAddress(entry)?.index ?? 1;
  return [...(entries?.values() ?? [])].sort((a, b) => index(a) - index(b));
}

/** `net1#2` stands for the second address of `net1`. */
function furtherAddress({ interface_name }: LegacyEntry): { ifname: string; index: number } | undefined {
  const [, ifname, digits] = /^(.*)#([1-9]\d{0,3})$/s.exec(interface_name) ?? [];
  return ifname === undefined || digits === undefined ? undefined : { ifname, index: Number(digits) };
}

function addEntry(
  reservations: Reservation[],
  pool: PoolID,
  entry: LegacyEntry,
  address: Address,
  block: Block | undefined,
): void {
  const { container_id, metadata } = entry;
  const containerID = container_id === REBUILT + entry.ip_address ? "" : container_id;
  const further = furtherAddress(entry);
  if (further !== undefined) {
    const first = reservations.findIndex(
      (other) =>
        other.pool === pool &&
        other.containerID === containerID &&
        other.ifname === further.ifname &&
        other.createdAt === metadata.create_time,
    );
    const attachment = reservations[first];
    if (attachment !== undefined) {
      reservations[first] = { ...attachment, addresses: [...attachment.addresses, address] };
      return;
    }
  }
  reservations.push({
    pool,
    containerID,
    ifname: entry.interface_name,
    addresses: [address],
    owner: ownerOf(entry),
    network: "",
    deviceID: metadata.device_id,
    how: howOf(address, block),
    createdAt: metadata.create_time,
  });
}

function ownerOf({ metadata: { pod_namespace, pod_name, pod_uuid } }: LegacyEntry): Owner {
  if (pod_namespace === "" && pod_name === "" && pod_uuid === "") return { type: "none" };
  return { type: "pod", namespace: pod_namespace, name: pod_name, uid: pod_uuid };
}

/** The original does not note how an address was chosen; what lay outside the block of that time was asked for by name. */
function howOf(address: Address, block: Block | undefined): How {
  if (block === undefined) return "dynamic";
  if (block.gateway !== undefined && sameAddress(block.gateway, address)) return "gateway";
  return contains(block.range, address) ? "dynamic" : "static";
}

function readBlock(config: string): Block | undefined {
  try {
    const { startIP, endIP, gateway } = JSON.parse(config) as Readonly<Record<string, unknown>>;
    const first = parseAddress(String(startIP));
    const last = parseAddress(String(endIP));
    if (first === undefined || last === undefined) return undefined;
    return {
      range: { family: first.family, first: first.value, last: last.value },
      gateway: parseAddress(String(gateway)),
    };
  } catch {
    return undefined;
  }
}

function toEntry(
  { containerID, ifname, owner, deviceID, createdAt }: Reservation,
  ip: string,
  config: string,
): LegacyEntry {
  const pod = owner.type === "pod" ? owner : { uid: "", name: "", namespace: "" };
  return {
    // What the file cannot tell apart must not share a key.
    container_id: containerID === "" ? `${REBUILT}${ip}` : containerID.toWellFormed(),
    interface_name: ifname.toWellFormed(),
    ip_address: ip,
    metadata: {
      create_time: createdAt,
      pod_uuid: pod.uid,
      pod_name: pod.name,
      pod_namespace: pod.namespace,
      device_id: deviceID,
      pool_config_snapshot: config,
    },
  };
}

/** The original keeps one address for a container's interface: further ones go under names of their own. */
function freeInterface(
  entries: ReadonlyMap<string, LegacyEntry>,
  { container_id, interface_name }: LegacyEntry,
): string {
  let ifname = interface_name;
  for (let n = 2; entries.has(`${container_id}_${ifname}`); n++) ifname = `${interface_name}#${n}`;
  return ifname;
}
