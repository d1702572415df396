/** What is wrong with a field of an object, in the manner of Kubernetes' field errors. */

/** One broken rule. */
export interface FieldError {
  /** Where, such as `spec.exclusions[2].startIP`. */
  readonly path: string;
  /** What is there; undefined when a required field is missing. Of lists and objects only a word is kept. */
  readonly value: string | number | boolean | null | undefined;
  /** What would be right, in words that follow "must" or "is". */
  readonly message: string;
}

/** Something legal that is hardly meant. */
export type FieldWarning = FieldError;

/** Errors of one object beyond this many are only counted: a message has to be read, and to fit into an Event. */
const MAX_KEPT = 30;
const MAX_VALUE_LENGTH = 120;

/** Writes one error as Kubernetes does: `spec.gateway: Invalid value: "10.0.0.300": must be …`. */
export function formatFieldError({ path, value, message }: FieldError): string {
  return value === undefined
    ? `${path}: Required value: ${message}`
    : `${path}: Invalid value: ${show(value)}: ${message}`;
}

/** Writes one warning: `spec.defautGateway: …`. */
export function formatFieldWarning({ path, message }: FieldWarning): string {
  return `${path}: ${message}`;
}

/** Writes several errors in one line, the first few in full. */
export function formatFieldErrors(errors: readonly FieldError[]): string {
  const shown = errors.slice(0, 5).map(formatFieldError);
  if (errors.length > shown.length) shown.push(`and ${errors.length - shown.length} more`);
  return shown.join("; ");
}

/** Collects errors while an object is read or checked, and keeps the collection bounded. */
export class FieldErrors {
  readonly #kept: FieldError[] = [];
  #more = 0;

  /** Notes an error. `value` may be anything that JSON can hold. */
  add(path: string, value: unknown, message: string): void {
    if (this.#kept.length < MAX_KEPT) this.#kept.push({ path, value: keepable(value), message });
    else this.#more++;
  }

  /** What was noted; the last one counts those that were not kept. */
  list(): readonly FieldError[] {
    if (this.#more === 0) return this.#kept;
    const summary: FieldError = { path: "spec", value: "object", message: `has ${this.#more} more errors` };
    return [...this.#kept, summary];
  }
}

function show(value: FieldError["value"]): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text;
}

function keepable(value: unknown): FieldError["value"] {
  switch (typeof value) {
    case "string":
      return value.length > MAX_VALUE_LENGTH ? `${value.slice(0, MAX_VALUE_LENGTH)}…` : value;
    case "number":
    case "boolean":
    case "undefined":
      return value;
    default:
      return value === null ? null : Array.isArray(value) ? "list" : "object";
  }
}
