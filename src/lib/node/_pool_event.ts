/** Reads events of a pool's watch: of the blocks of thousands of nodes only this node's becomes an object. Pure. */
import type { KubeObject } from "../kube/object.ts";

/** The text of all entries of status.allocations. No JSON has such a member. */
export const ALLOCATIONS = Symbol("allocations");

/** A pool as an event has it. */
export interface PoolEventObject extends KubeObject {
  /** Where it is there, status.allocations has no other entries than this node's. */
  readonly [ALLOCATIONS]?: string;
}

/** How the API server writes the member: within a string its quotes would be escaped. */
const MEMBER = '"allocations":[';

/** As JSON.parse, but for other nodes' entries of status.allocations. @throws SyntaxError */
export function parsePoolEvent(text: string, nodeName: string): unknown {
  return parseShortened(text, nodeName) ?? JSON.parse(text);
}

/**
 * Takes the entries out, up to the first `]`. Where that is not their end, because it is in a string or ends a list in an entry,
 * the quotes or the brackets of what is left do not match, and all is read.
 */
function parseShortened(text: string, nodeName: string): unknown {
  const from = text.indexOf(MEMBER) + MEMBER.length;
  const to = text.indexOf("]", from);
  if (from < MEMBER.length || text.includes(MEMBER, to)) return undefined;
  const entries = text.slice(from, to);
  try {
    const event = JSON.parse(text.slice(0, from) + text.slice(to));
    event.object.status.allocations.push(...ownEntry(entries, nodeName));
    event.object[ALLOCATIONS] = `[${entries}]`;
    return event;
  } catch {
    return undefined;
  }
}

function ownEntry(entries: string, nodeName: string): readonly unknown[] {
  const at = entries.indexOf(`"nodeName":${JSON.stringify(nodeName)}`);
  if (at < 0) return [];
  return [JSON.parse(entries.slice(entries.lastIndexOf("{", at), entries.indexOf("}", at) + 1))];
}
