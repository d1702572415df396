/** The nodes that have blocks, with what the rest of a plan needs to know of them. */
import type { Allocation } from "../api/types.ts";
import type { Held } from "./block_entry.ts";
import { Occupied } from "./occupied.ts";
import { presentHolder, type Terms } from "./terms.ts";

/** Immutable: nodes that get blocks make a new one, at a cost that is that of copying a list. */
export class Standing {
  /** In name order, their entries as the status shall have them. */
  readonly holders: readonly Held[];
  readonly occupied: Occupied;
  /** Nodes whose block has no usable address, in name order. */
  readonly unusable: readonly string[];
  /** About the bytes of the entries as JSON. */
  readonly bytes: number;

  #byNode: ReadonlyMap<string, Held> | undefined;

  private constructor(parts: Pick<Standing, "holders" | "occupied" | "unusable" | "bytes">) {
    this.holders = parts.holders;
    this.occupied = parts.occupied;
    this.unusable = parts.unusable;
    this.bytes = parts.bytes;
  }

  /** Those of the entries that stay, with gateways and the wording of static allocations as the terms in force say them. */
  static of(kept: readonly Held[], terms: Terms | undefined): Standing {
    const nobody = { holders: [], occupied: Occupied.none, unusable: [], bytes: 0 };
    return new Standing(nobody).with(
      terms === undefined ? kept : kept.map((held) => presentHolder(terms, held)),
      terms,
    );
  }

  /** The holders by the names of their nodes: made when it is first asked for, as most plans need only their order. */
  get byNode(): ReadonlyMap<string, Held> {
    this.#byNode ??= new Map(this.holders.map((held) => [held.nodeName, held]));
    return this.#byNode;
  }

  /** The standing with further nodes, which had no block before. */
  with(added: readonly Held[], terms: Terms | undefined): Standing {
    return this.#grown(added, withoutAddresses(added, terms));
  }

  /** The same for nodes that got a free block: none is dealt without usable address, where there are better ones (R8). */
  withFresh(added: readonly Held[]): Standing {
    return this.#grown(added, []);
  }

  #grown(added: readonly Held[], unusable: readonly string[]): Standing {
    if (added.length === 0) return this;
    const sorted = [...added].sort(byName);
    return new Standing({
      holders: merge(this.holders, sorted),
      occupied: this.occupied.with(sorted.map(({ block }) => block)),
      unusable: unusable.length === 0 ? this.unusable : [...this.unusable, ...unusable].sort(),
      bytes: this.bytes + estimateBytes(sorted.map(({ entry }) => entry)),
    });
  }
}

/** Compares by node name, as status lists are sorted. */
export function byName(a: Held, b: Held): number {
  return a.nodeName < b.nodeName ? -1 : a.nodeName > b.nodeName ? 1 : 0;
}

/** Merges two lists in name order. */
function merge(a: readonly Held[], b: readonly Held[]): readonly Held[] {
  if (a.length === 0) return b;
  const merged: Held[] = [];
  let next = 0;
  for (const held of a) {
    for (let other = b[next]; other !== undefined && byName(other, held) < 0; other = b[++next]) merged.push(other);
    merged.push(held);
  }
  return [...merged, ...b.slice(next)];
}

function withoutAddresses(holders: readonly Held[], terms: Terms | undefined): readonly string[] {
  if (terms === undefined) return [];
  const { usability, staticByNode, division } = terms;
  return holders.flatMap(({ nodeName, block }) => {
    if (block.family !== division.family) return [];
    const item = staticByNode.get(nodeName);
    const gateway = item?.block.first === block.first ? item.gateway : undefined;
    return usability.hasUsableAddress(block, gateway) ? [] : nodeName;
  });
}

/** About the bytes of entries as JSON. */
export function estimateBytes(entries: readonly Allocation[]): number {
  let bytes = 0;
  for (const entry of entries) {
    const texts =
      "prefix" in entry
        ? entry.prefix.length + (entry.gateway?.length ?? 0)
        : entry.startIP.length + entry.endIP.length;
    bytes += 45 + entry.nodeName.length + texts + ("releasedAt" in entry ? 70 : 0);
  }
  return bytes;
}
