/** The nodes that pools are divided among where no API server tells: a file, or just this node. */
import { parseAllDocuments } from "yaml";
import { isNodeName } from "../api/node_name.ts";
import type { NodeInfo } from "../api/selector.ts";
import { fail, ok, type Result } from "../result.ts";

/** Copies that aliases may make in one document. */
const MAX_ALIASES = 100;

/**
 * Reads a list of nodes from YAML or JSON: names, `{name, labels}` entries, Kubernetes Node objects, or a List of those (as
 * `kubectl get nodes -o yaml` prints); several documents are put together.
 *
 * @returns a message that names the file and the entry that is no node, or the name that is there twice; a list of no nodes is
 *   a mistake, too: it would take every block from its node.
 */
export function parseNodes(text: string, file: string): Result<readonly NodeInfo[], string> {
  const nodes = new Map<string, NodeInfo>();
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error !== undefined) return fail(`${file}: ${error.message.split("\n", 1)[0]}`);
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (cause) {
      return fail(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    for (const [index, entry] of entriesOf(value).entries()) {
      const node = nodeEntry(entry);
      const where = `${file}: entry ${index + 1}`;
      if (node === undefined) return fail(`${where} is no node: write a name, or {name: …, labels: {…}}`);
      if (nodes.has(node.name)) return fail(`${where}: node ${node.name} is there twice`);
      nodes.set(node.name, node);
    }
  }
  if (nodes.size === 0) return fail(`${file}: lists no node`);
  return ok([...nodes.values()]);
}

function entriesOf(value: unknown): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value;
  return isRecord(value) && Array.isArray(value.items) ? value.items : [value];
}

function nodeEntry(value: unknown): NodeInfo | undefined {
  if (typeof value === "string") return isNodeName(value) ? { name: value, labels: {} } : undefined;
  if (!isRecord(value)) return undefined;
  const { name, labels = {} } = isRecord(value.metadata) ? value.metadata : value;
  if (typeof name !== "string" || !isNodeName(name) || !isRecord(labels ?? {})) return undefined;
  const texts = Object.entries(labels ?? {});
  if (texts.some(([, text]) => typeof text !== "string")) return undefined;
  return { name, labels: Object.fromEntries(texts) as Record<string, string> };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
