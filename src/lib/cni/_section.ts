import { type CniError, ErrorCode } from "./error.ts";

/**
 * A JSON object that is read with the types that its members must have. What has another type is noted as a fault
 * (error 7) and counts as absent, as do null and Go's zero values "" and 0, so that the reader can go on.
 *
 * Names are matched as Go's encoding/json does: exactly, else in any case.
 */
export class Section {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #faults: CniError[];

  /**
   * @param path what stands before a member's name in messages: "ipam." or "nv-ipam.conf: ".
   * @param faults takes what is wrong.
   */
  constructor(members: Readonly<Record<string, unknown>>, path: string, faults: CniError[]) {
    this.#members = members;
    this.#path = path;
    this.#faults = faults;
  }

  /** The member as it is; undefined for null. */
  value(name: string): unknown {
    const members = this.#members;
    if (Object.hasOwn(members, name)) return members[name] ?? undefined;
    const lower = name.toLowerCase();
    const other = Object.keys(members).find((key) => key.toLowerCase() === lower);
    return other === undefined ? undefined : (members[other] ?? undefined);
  }

  /** A text that is not empty. */
  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value || undefined;
    return this.#wrongType(name, "a string", value);
  }

  /** true or false. */
  flag(name: string): boolean | undefined {
    const value = this.value(name);
    return value === undefined || typeof value === "boolean" ? value : this.#wrongType(name, "true or false", value);
  }

  /** A whole number within the bounds, both inclusive. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value)) return this.#wrongType(name, "a whole number", value);
    if (value < min || value > max) return this.fault(name, `must be from ${min} to ${max}, not ${value}`);
    return value;
  }

  /** A list of texts; undefined when it is empty. */
  texts(name: string): readonly string[] | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!isTextList(value)) return this.#wrongType(name, "a list of strings", value);
    return value.length === 0 ? undefined : value;
  }

  /** An object; an empty section when it is absent. */
  section(name: string): Section {
    const value = this.value(name);
    if (value !== undefined && !isObject(value)) this.#wrongType(name, "an object", value);
    return new Section(isObject(value) ? value : {}, `${this.#path}${name}.`, this.#faults);
  }

  /** Notes that the member is invalid. */
  fault(name: string, what: string): undefined {
    this.#faults.push({ code: ErrorCode.config, message: `${this.#path}${name} ${what}` });
    return undefined;
  }

  #wrongType(name: string, wanted: string, value: unknown): undefined {
    return this.fault(name, `must be ${wanted}, not ${typeName(value)}`);
  }
}

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

/** What a JSON value is, for messages: a number itself, of all else only the type. */
export function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}
