/** What watches have told so far of nodes and pools, and which pools a change concerns. No I/O. */
import { divisionOf } from "../api/division.ts";
import { specInForce } from "../api/in_force.ts";
import { readPool } from "../api/parse.ts";
import { type NodeInfo, nodeMatcher } from "../api/selector.ts";
import { API_VERSION, type NodeSelector, type PoolKind, type PoolObject } from "../api/types.ts";
import { overlapsByPool, poolKey } from "../planner/overlaps.ts";

/** The part of an object's metadata that tells it, and its version, from others. */
export interface NamedObject {
  readonly metadata: { readonly name: string; readonly uid?: string; readonly resourceVersion?: string };
}

const DECIMAL = /^\d{1,30}$/;

interface KnownPool {
  readonly pool: PoolObject;
  readonly matches: (node: NodeInfo) => boolean;
  /** The network in force as text; "" where there is none. */
  readonly network: string;
}

/**
 * Nodes and pools of the moment. Every method that takes in a change gives the keys (`kind/name`) of the pools whose plan
 * may come out differently by it.
 */
export class ClusterView {
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #pools = new Map<string, KnownPool>();
  #nodeList: readonly NodeInfo[] | undefined;
  #overlaps: ReadonlyMap<string, readonly string[]> = new Map();

  /** Every node, in name order, in which plans need them. The same list as long as no node changes. */
  nodes(): readonly NodeInfo[] {
    this.#nodeList ??= [...this.#nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#nodeList;
  }

  /** One pool; undefined when there is none of this key. */
  pool(key: string): PoolObject | undefined {
    return this.#pools.get(key)?.pool;
  }

  /** Every pool. */
  pools(): readonly PoolObject[] {
    return [...this.#pools.values()].map(({ pool }) => pool);
  }

  /** The keys of the pools that share addresses with this one, sorted (R6). */
  overlapsOf(key: string): readonly string[] {
    return this.#overlaps.get(key) ?? [];
  }

  /** The node as it is known, if its labels are the same: a heartbeat then leaves nothing behind in memory. */
  readNode(node: NodeInfo): NodeInfo {
    const known = this.#nodes.get(node.name);
    return known !== undefined && sameLabels(known.labels, node.labels) ? known : node;
  }

  /** A node is there, or changed. A change of anything but labels concerns nobody. */
  setNode(node: NodeInfo): readonly string[] {
    const before = this.#nodes.get(node.name);
    if (before !== undefined && this.readNode(node) === before) return [];
    this.#nodes.set(node.name, node);
    this.#nodeList = undefined;
    return this.#concernedBy(before, node);
  }

  /** A node is gone. */
  deleteNode(name: string): readonly string[] {
    const before = this.#nodes.get(name);
    if (before === undefined) return [];
    this.#nodes.delete(name);
    this.#nodeList = undefined;
    return this.#concernedBy(before, undefined);
  }

  /** Reads a pool object, without reading it again if it is the one that is known. @returns undefined for what is none. */
  read(kind: PoolKind, object: NamedObject): PoolObject | undefined {
    const known = this.pool(`${kind}/${object.metadata.name}`);
    if (known !== undefined && isSameVersion(known, object)) return known;
    // Items of a list have neither member.
    const read = readPool({ ...object, apiVersion: API_VERSION, kind });
    return read.ok ? read.value : undefined;
  }

  /**
   * A pool is there, or was changed. What is not newer than what is known is passed over, such as the event of a write whose
   * answer came before it.
   */
  setPool(pool: PoolObject): readonly string[] {
    const key = poolKey(pool);
    const known = this.#pools.get(key);
    return known !== undefined && !isNewer(pool, known.pool) ? [] : this.#put(key, pool);
  }

  /** A pool as a list shows it: it is believed whatever its version, which is older where the server's data was restored. */
  setListed(pool: PoolObject): readonly string[] {
    const key = poolKey(pool);
    const known = this.pool(key);
    return known !== undefined && isSameVersion(known, pool) ? [] : this.#put(key, pool);
  }

  /**
   * The pool with the status that this process has written; passed over where a later one, or none, is known. A write that
   * changed nothing has no new version.
   */
  setWritten(pool: PoolObject): readonly string[] {
    const key = poolKey(pool);
    const before = this.pool(key);
    if (before === undefined || before.metadata.uid !== pool.metadata.uid) return [];
    const isCurrent = before.metadata.resourceVersion === pool.metadata.resourceVersion;
    return isCurrent || isNewer(pool, before) ? this.#put(key, pool) : [];
  }

  #put(key: string, pool: PoolObject): readonly string[] {
    const known = this.#pools.get(key);
    const network = networkText(pool);
    this.#pools.set(key, { pool, matches: nodeMatcher(selectorOf(pool)), network });
    return known?.network === network ? [key] : [key, ...this.#newOverlaps().filter((other) => other !== key)];
  }

  /** A pool is gone. */
  deletePool(kind: PoolKind, name: string): readonly string[] {
    const key = `${kind}/${name}`;
    if (!this.#pools.delete(key)) return [];
    return [key, ...this.#newOverlaps().filter((other) => other !== key)];
  }

  #concernedBy(before: NodeInfo | undefined, after: NodeInfo | undefined): readonly string[] {
    const keys: string[] = [];
    for (const [key, { matches }] of this.#pools) {
      // Whether a Node object exists matters to rests and to invalid specs, whatever the selector says.
      const isConcerned = before === undefined || after === undefined ? true : matches(before) !== matches(after);
      if (isConcerned) keys.push(key);
    }
    return keys;
  }

  /** Works out the overlaps anew. @returns the pools that now share addresses with others than before. */
  #newOverlaps(): readonly string[] {
    const before = this.#overlaps;
    const after = overlapsByPool(this.pools());
    this.#overlaps = after;
    const keys = new Set([...before.keys(), ...after.keys()]);
    return [...keys].filter((key) => before.get(key)?.join() !== after.get(key)?.join());
  }
}

function networkText(pool: PoolObject): string {
  const spec = specInForce(pool);
  const network = spec && divisionOf(spec)?.network;
  return network === undefined ? "" : `${network.family} ${network.first} ${network.last}`;
}

function selectorOf(pool: PoolObject): NodeSelector | undefined {
  return "unreadable" in pool ? undefined : pool.spec.nodeSelector;
}

function isSameVersion({ metadata: a }: NamedObject, { metadata: b }: NamedObject): boolean {
  return a.uid === b.uid && a.resourceVersion === b.resourceVersion;
}

/** Resource versions are decimal numbers that grow; where one is not, the newcomer is believed. */
function isNewer({ metadata: now }: PoolObject, { metadata: before }: PoolObject): boolean {
  const [a = "", b = ""] = [now.resourceVersion, before.resourceVersion];
  if (now.uid !== before.uid || a === "" || b === "") return true;
  return DECIMAL.test(a) && DECIMAL.test(b) ? BigInt(a) > BigInt(b) : a !== b;
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}
