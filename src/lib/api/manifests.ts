/** Reads pools from manifest texts: YAML or JSON, several documents, kind List. Problems say file, line and field. */
import { type Document, isNode, LineCounter, parseAllDocuments } from "yaml";
import { isFields, member } from "./_fields.ts";
import { type FieldError, FieldErrors, formatFieldError, formatFieldWarning } from "./field_error.ts";
import { parsePool } from "./parse.ts";
import type { Pool } from "./types.ts";
import { validatePool } from "./validate.ts";

/** A valid pool and where its object begins. */
export interface ManifestPool {
  readonly pool: Pool;
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
}

/** Something about a manifest that has to be put right, or a warning. */
export interface ManifestProblem {
  readonly file: string;
  /** Counts from 1: the line of the field, or of what should hold it. */
  readonly line: number;
  /** Such as spec.subnet; "" when the text or the document as a whole is meant. */
  readonly field: string;
  readonly message: string;
}

/** What a text holds. Pools with a problem are not among `pools`. */
export interface Manifests {
  readonly pools: readonly ManifestPool[];
  readonly problems: readonly ManifestProblem[];
  readonly warnings: readonly ManifestProblem[];
  /** Whether a List without items says that there is nothing. */
  readonly saysNone: boolean;
}

/** Longest text that is read: more than the API server can store as one object. */
const MAX_TEXT_LENGTH = 2 * 1024 * 1024;
/** Copies that aliases may make in one document before it counts as a bomb. */
const MAX_ALIASES = 100;
const MAX_SYNTAX_ERRORS = 3;
const GROUP = "nv-ipam.nvidia.com/";

/** Writes a problem as compilers do: `pools.yaml:7: spec.subnet: …`. */
export function formatManifestProblem({ file, line, field, message }: ManifestProblem): string {
  return `${file}:${line}: ${field === "" ? "" : `${field}: `}${message}`;
}

/**
 * Reads and validates all pools of a text. Objects of other API groups are passed over, empty documents too. Bounded in text
 * length, nesting and alias expansion; never throws.
 *
 * @param file only for messages and the result.
 */
export function parseManifests(text: string, file: string): Manifests {
  const found: Found = { file, pools: [], problems: [], warnings: [], saysNone: false, lines: new LineCounter() };
  if (text.length > MAX_TEXT_LENGTH) {
    found.problems.push({
      file,
      line: 1,
      field: "",
      message: `a manifest may have ${MAX_TEXT_LENGTH} characters at most`,
    });
    return found;
  }
  for (const document of documentsOf(text, found)) readDocument(document, found);
  return found;
}

/** The problem of each pool whose kind and name another one before it has, in whichever files they are. */
export function duplicatePools(pools: readonly ManifestPool[]): readonly ManifestProblem[] {
  const seen = new Map<string, ManifestPool>();
  return pools.flatMap((item) => {
    const { kind, metadata } = item.pool;
    const key = `${kind}/${metadata.name}`;
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, item);
      return [];
    }
    const message = `${key} is defined in ${earlier.file}:${earlier.line} already`;
    return { file: item.file, line: item.line, field: "metadata.name", message };
  });
}

interface Found {
  readonly file: string;
  readonly pools: ManifestPool[];
  readonly problems: ManifestProblem[];
  readonly warnings: ManifestProblem[];
  saysNone: boolean;
  readonly lines: LineCounter;
}

type Path = readonly (string | number)[];

function documentsOf(text: string, { file, problems, lines }: Found): readonly Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      merge: true,
      prettyErrors: false,
      logLevel: "error",
    });
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    problems.push({ file, line: 1, field: "", message: `cannot be read: ${textOf(error)}` });
    return [];
  }
}

function readDocument(document: Document.Parsed, found: Found): void {
  const { file, problems, lines } = found;
  if (document.errors.length > 0) {
    for (const { pos, message } of document.errors.slice(0, MAX_SYNTAX_ERRORS)) {
      problems.push({ file, line: lines.linePos(pos[0]).line, field: "", message: `is no YAML or JSON: ${message}` });
    }
    return;
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    problems.push({ file, line: lineOf(document, [], found), field: "", message: `cannot be read: ${textOf(error)}` });
    return;
  }
  if (value !== null && value !== undefined) readObject(value, document, [], found);
}

function readObject(value: unknown, document: Document.Parsed, path: Path, found: Found): void {
  const items = path.length === 0 ? listItems(value) : undefined;
  if (items !== undefined) {
    if (items.length === 0) found.saysNone = true;
    for (const [index, item] of items.entries()) readObject(item, document, ["items", index], found);
    return;
  }
  if (isForeign(value)) return;

  const { file } = found;
  const place = ({ path: field }: FieldError) => ({
    file,
    line: lineOf(document, [...path, ...segments(field)], found),
    field,
  });
  // A misspelt exclusion must not pass for none. Like kubectl, which refuses what the API server would only leave out.
  const unknown = new FieldErrors();
  const parsed = parsePool(value, unknown);
  const { errors, warnings } = parsed.ok ? validatePool(parsed.value) : { errors: parsed.error, warnings: [] };
  const problems = [
    ...unknown.list().map((error) => ({ ...place(error), message: error.message })),
    ...errors.map((error) => ({ ...place(error), message: withoutPath(formatFieldError(error), error.path) })),
  ];
  found.problems.push(...problems);
  for (const warning of warnings) {
    found.warnings.push({ ...place(warning), message: withoutPath(formatFieldWarning(warning), warning.path) });
  }
  if (parsed.ok && problems.length === 0) {
    found.pools.push({ pool: parsed.value, file, line: lineOf(document, path, found) });
  }
}

/** The items of a List, IPPoolList or CIDRPoolList. */
function listItems(value: unknown): readonly unknown[] | undefined {
  if (!isFields(value)) return undefined;
  const kind = member(value, "kind");
  const items = member(value, "items");
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items) ? items : undefined;
}

/** Whether this is an object of another API group, such as a network attachment kept in the same file. */
function isForeign(value: unknown): boolean {
  if (!isFields(value)) return false;
  const apiVersion = member(value, "apiVersion");
  const kind = member(value, "kind");
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  return !apiVersion.startsWith(GROUP) && kind !== "IPPool" && kind !== "CIDRPool";
}

/** The line where the path's value stands, or where the nearest part of the path that exists does. */
function lineOf(document: Document.Parsed, path: Path, { lines }: Found): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

/** Cuts `spec.exclusions[2].startIP` into its steps. */
function segments(field: string): Path {
  return [...field.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index));
}

function withoutPath(text: string, path: string): string {
  return text.slice(path.length + ": ".length);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
