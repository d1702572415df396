/** Reads events of a pool's watch: of the blocks of thousands of nodes only this node's becomes an object. Pure. */
import type { KubeObject } from "../kube/object.ts";
import { parseWithoutList } from "../kube/without_list.ts";

/** The text of all entries of status.allocations. No JSON has such a member. */
export const ALLOCATIONS = Symbol("allocations");

/** A pool as an event has it. */
export interface PoolEventObject extends KubeObject {
  /** Where it is there, status.allocations has no other entries than this node's. */
  readonly [ALLOCATIONS]?: string;
}

/** As JSON.parse, but for other nodes' entries of status.allocations. @throws SyntaxError */
export function parsePoolEvent(text: string, nodeName: string): unknown {
  return parseShortened(text, nodeName) ?? JSON.parse(text);
}

interface Shortened {
  readonly object: { readonly status: { readonly allocations: unknown[] }; [ALLOCATIONS]?: string };
}

function parseShortened(text: string, nodeName: string): Shortened | undefined {
  const read = parseWithoutList(text, "allocations");
  if (read === undefined) return undefined;
  try {
    const event = read.value as Shortened;
    event.object.status.allocations.push(...ownEntry(read.items, nodeName));
    event.object[ALLOCATIONS] = `[${read.items}]`;
    return event;
  } catch {
    // The list is not the status' one, or the entry is none.
    return undefined;
  }
}

function ownEntry(entries: string, nodeName: string): readonly unknown[] {
  const at = entries.indexOf(`"nodeName":${JSON.stringify(nodeName)}`);
  if (at < 0) return [];
  return [JSON.parse(entries.slice(entries.lastIndexOf("{", at), entries.indexOf("}", at) + 1))];
}
