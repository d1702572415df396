/** Reads members of untrusted JSON values, noting each wrong type with its path. */
import type { FieldErrors } from "./field_error.ts";

/** A JSON object of unknown members. */
export type Fields = Readonly<Record<string, unknown>>;

/** Longer lists are refused. An object of the API server's largest size holds fewer of the shortest items. */
const MAX_ITEMS = 100_000;

/** Whether the value is a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object's own member; undefined when it is absent or null, which Kubernetes takes for the same. */
export function member(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? (fields[key] ?? undefined) : undefined;
}

/** `fields` without members that are undefined: an optional member is absent or has a value. */
export function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Reads the members of one JSON object. Every method gives undefined for a member that is absent or wrong; wrong ones are noted. */
export class FieldReader {
  readonly #fields: Fields;
  readonly #path: string;
  readonly #errors: FieldErrors;
  readonly #unknown: FieldErrors | undefined;
  readonly #known = new Set<string>();

  /** @param unknown takes the members of the objects inside that nobody asks for. */
  constructor(fields: Fields, path: string, errors: FieldErrors, unknown?: FieldErrors) {
    this.#fields = fields;
    this.#path = path;
    this.#errors = errors;
    this.#unknown = unknown;
  }

  /** The path of a member. */
  path(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }

  string(key: string): string | undefined {
    return this.#typed(key, (value) => typeof value === "string", "must be a string; quote it");
  }

  /** A string that has to be there. */
  requiredString(key: string, meaning: string): string | undefined {
    return this.#required(key, meaning) ? this.string(key) : undefined;
  }

  boolean(key: string): boolean | undefined {
    return this.#typed(key, (value) => typeof value === "boolean", "must be true or false");
  }

  /** An integer from -2^31 to 2^31 - 1. */
  int32(key: string): number | undefined {
    return this.#typed(
      key,
      (value) => Number.isInteger(value) && value === (Number(value) | 0),
      "must be an integer of 32 bits",
    );
  }

  /** An int32 that has to be there. */
  requiredInt32(key: string, meaning: string): number | undefined {
    return this.#required(key, meaning) ? this.int32(key) : undefined;
  }

  /** An integer that a double holds exactly. */
  integer(key: string): number | undefined {
    return this.#typed(key, Number.isSafeInteger, "must be an integer of at most 9007199254740991 (2^53 - 1)");
  }

  /** Such an integer that has to be there. */
  requiredInteger(key: string, meaning: string): number | undefined {
    return this.#required(key, meaning) ? this.integer(key) : undefined;
  }

  /** A list of strings. */
  strings(key: string): readonly string[] | undefined {
    return this.#items(key)?.filter((item, index): item is string => {
      if (typeof item === "string") return true;
      this.#errors.add(`${this.path(key)}[${index}]`, item, "must be a string; quote it");
      return false;
    });
  }

  /** An object whose members are strings. */
  stringMap(key: string): Readonly<Record<string, string>> | undefined {
    const fields = this.#typed<Fields>(key, isFields, "must be an object");
    if (fields === undefined) return undefined;
    const entries = Object.entries(fields).filter((entry): entry is [string, string] => {
      if (typeof entry[1] === "string") return true;
      this.#errors.add(`${this.path(key)}.${entry[0]}`, entry[1], "must be a string; quote it");
      return false;
    });
    return Object.fromEntries(entries);
  }

  /** An object, read by `read`. */
  object<T>(key: string, read: (reader: FieldReader) => T): T | undefined {
    const fields = this.#typed<Fields>(key, isFields, "must be an object");
    return fields === undefined ? undefined : this.#readInside(fields, this.path(key), read);
  }

  /** An object that has to be there. */
  requiredObject<T>(key: string, meaning: string, read: (reader: FieldReader) => T): T | undefined {
    return this.#required(key, meaning) ? this.object(key, read) : undefined;
  }

  /** A list of objects; items that `read` gives up are left out. */
  objects<T>(key: string, read: (reader: FieldReader) => T | undefined): readonly T[] | undefined {
    return this.#items(key)?.flatMap((item, index) => {
      const path = `${this.path(key)}[${index}]`;
      if (!isFields(item)) {
        this.#errors.add(path, item, "must be an object");
        return [];
      }
      return this.#readInside(item, path, read) ?? [];
    });
  }

  #readInside<T>(fields: Fields, path: string, read: (reader: FieldReader) => T): T {
    const inside = new FieldReader(fields, path, this.#errors, this.#unknown);
    const result = read(inside);
    inside.#noteUnknown();
    return result;
  }

  #noteUnknown(): void {
    if (this.#unknown === undefined) return;
    const message = `there is no such field; known are ${[...this.#known].join(", ")}`;
    for (const [key, value] of Object.entries(this.#fields)) {
      if (!this.#known.has(key)) this.#unknown.add(this.path(key), value, message);
    }
  }

  #items(key: string): readonly unknown[] | undefined {
    const items = this.#typed<readonly unknown[]>(key, Array.isArray, "must be a list");
    if (items === undefined || items.length <= MAX_ITEMS) return items;
    this.#errors.add(this.path(key), items, `has ${items.length} items; at most ${MAX_ITEMS} are allowed`);
    return undefined;
  }

  #member(key: string): unknown {
    this.#known.add(key);
    return member(this.#fields, key);
  }

  #required(key: string, meaning: string): boolean {
    if (this.#member(key) !== undefined) return true;
    this.#errors.add(this.path(key), undefined, meaning);
    return false;
  }

  #typed<T>(key: string, is: (value: unknown) => boolean, expected: string): T | undefined {
    const value = this.#member(key);
    if (value === undefined) return undefined;
    if (is(value)) return value as T;
    this.#errors.add(this.path(key), value, expected);
    return undefined;
  }
}
