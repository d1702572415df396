/**
 * The store file of the original (docs/store.md describes it): reading, writing and its checksum, the 32 bit FNV-1a hash of
 * what Go's encoding/json makes of the whole with checksum 0.
 */
import { fail, ok, type Result } from "../result.ts";

/** What the original notes beside an address. */
export interface LegacyMetadata {
  /** RFC 3339, with up to nanoseconds. */
  readonly create_time: string;
  readonly pod_uuid: string;
  readonly pod_name: string;
  readonly pod_namespace: string;
  readonly device_id: string;
  /** JSON text of the pool's configuration at that time. */
  readonly pool_config_snapshot: string;
}

/** One address in use. */
export interface LegacyEntry {
  readonly container_id: string;
  readonly interface_name: string;
  readonly ip_address: string;
  readonly metadata: LegacyMetadata;
}

/** One pool; `name` is its key: the name of an IPPool, `cidrpool/` and the name of a CIDRPool. */
export interface LegacyPool {
  readonly name: string;
  /** By `<container id>_<interface>`. Null where Go had no map. */
  readonly entries: ReadonlyMap<string, LegacyEntry> | null;
  /** JSON text. */
  readonly last_pool_config: string;
  /** "" when no address was given in turn yet. */
  readonly last_reserved_ip: string;
}

/** The content of the file: its pools by their keys. Null where Go had no map. */
export type LegacyStore = ReadonlyMap<string, LegacyPool> | null;

/** The version that the original writes. */
export const LEGACY_VERSION = 1;

/** Why a file is none of the original's. */
export interface LegacyProblem {
  readonly code: "syntax" | "version" | "checksum";
  readonly message: string;
}

/** The file's text, and the checksum in it. */
export function formatLegacy(store: LegacyStore): { readonly text: string; readonly checksum: number } {
  const pools = goMap(store, goPool);
  const checksum = fnv1a(Buffer.from(goFile(0, pools)));
  return { text: goFile(checksum, pools), checksum };
}

/** Reads a file of the original's, as strictly as the original does. */
export function parseLegacy(text: string): Result<{ store: LegacyStore; checksum: number }, LegacyProblem> {
  let file: Members;
  let store: LegacyStore;
  try {
    file = members(JSON.parse(text), "the file");
    store = readMap(file.pools, "pools", readPool);
  } catch (error) {
    return fail({ code: "syntax", message: error instanceof Error ? error.message : String(error) });
  }
  const { version, checksum } = file;
  if (version !== LEGACY_VERSION)
    return fail({ code: "version", message: `its version is ${JSON.stringify(version)}` });
  const expected = formatLegacy(store).checksum;
  if (checksum === expected) return ok({ store, checksum: expected });
  return fail({
    code: "checksum",
    message: `its checksum is ${JSON.stringify(checksum)}, that of its content ${expected}`,
  });
}

/** The checksum in the first bytes of a file as {@link formatLegacy} lays it out; undefined for any other. */
export function checksumAtStart(start: string): number | undefined {
  const [, digits] = /^\{"version":1,"checksum":(\d{1,10}),/.exec(start) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

type Members = Readonly<Record<string, unknown>>;

function readPool(value: unknown, what: string): LegacyPool {
  const pool = members(value, what);
  return {
    name: text(pool, "name", what),
    entries: readMap(pool.entries, `entries of ${what}`, readEntry),
    last_pool_config: text(pool, "last_pool_config", what),
    last_reserved_ip: text(pool, "last_reserved_ip", what),
  };
}

function readEntry(value: unknown, what: string): LegacyEntry {
  const entry = members(value, what);
  const metadata = members(entry.metadata ?? {}, `metadata of ${what}`);
  return {
    container_id: text(entry, "container_id", what),
    interface_name: text(entry, "interface_name", what),
    ip_address: text(entry, "ip_address", what),
    metadata: {
      create_time: text(metadata, "create_time", what),
      pod_uuid: text(metadata, "pod_uuid", what),
      pod_name: text(metadata, "pod_name", what),
      pod_namespace: text(metadata, "pod_namespace", what),
      device_id: text(metadata, "device_id", what),
      pool_config_snapshot: text(metadata, "pool_config_snapshot", what),
    },
  };
}

function readMap<T>(value: unknown, what: string, read: (value: unknown, what: string) => T): Map<string, T> | null {
  if (value === null || value === undefined) return null;
  const entries = Object.entries(members(value, what));
  return new Map(entries.map(([key, item]) => [key.toWellFormed(), read(item, JSON.stringify(key))]));
}

function members(value: unknown, what: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Members;
}

/** A member's text; "" where it is absent or null, as in Go. */
function text(object: Members, name: string, what: string): string {
  const value = object[name] ?? "";
  if (typeof value !== "string") throw new Error(`${name} of ${what} is no text`);
  return value.toWellFormed();
}

function goFile(checksum: number, pools: string): string {
  return `{"version":${LEGACY_VERSION},"checksum":${checksum},"pools":${pools}}`;
}

function goPool(pool: LegacyPool): string {
  const { name, entries, last_pool_config, last_reserved_ip } = pool;
  return goObject({ name, entries: { json: goMap(entries, goEntry) }, last_pool_config, last_reserved_ip });
}

function goEntry({ container_id, interface_name, ip_address, metadata }: LegacyEntry): string {
  return goObject({ container_id, interface_name, ip_address, metadata: { json: goObject({ ...metadata }) } });
}

function goObject(object: Readonly<Record<string, string | { readonly json: string }>>): string {
  const parts = Object.entries(object).map(
    ([name, value]) => `"${name}":${typeof value === "string" ? goString(value) : value.json}`,
  );
  return `{${parts.join(",")}}`;
}

function goMap<T>(map: ReadonlyMap<string, T> | null, write: (value: T) => string): string {
  if (map === null) return "null";
  // Units below the surrogates are in the order of their bytes in UTF-8.
  const entries = [...map];
  const isPlain = entries.every(([key]) => !/[\ud800-\uffff]/.test(key));
  entries.sort(([a], [b]) => (isPlain ? (a < b ? -1 : 1) : Buffer.compare(Buffer.from(a), Buffer.from(b))));
  return `{${entries.map(([key, value]) => `${goString(key)}:${write(value)}`).join(",")}}`;
}

/**
 * encoding/json escapes what could end a script element or a line of JavaScript, besides what JSON demands. Half a surrogate
 * pair it reads as U+FFFD: written as it is, the checksum would not be that of what Go reads.
 */
function goString(value: string): string {
  return JSON.stringify(value.toWellFormed()).replace(/[<>&\u2028\u2029]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
