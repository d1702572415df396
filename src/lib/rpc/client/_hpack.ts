import { fail, ok, type Result } from "../../result.ts";
import { huffmanDecode } from "./_huffman.ts";

/** Largest header list taken, in bytes as RFC 9113 section 6.5.2 counts them: name, value and 32 a field. */
export const HEADER_LIST_MAX = 65536;

/** The static table, RFC 7541 appendix A, from index 1: one field a line, its name and its value if there is one. */
const STATIC_FIELDS = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

let staticFields: string[] | undefined;

/** Header fields by name; of fields with the same name, the first. Values are latin1: one character a byte. */
export type Headers = ReadonlyMap<string, string>;

/**
 * The fields of a complete header block of a peer that was told SETTINGS_HEADER_TABLE_SIZE=0: the dynamic table is always
 * empty, so what refers to it is an error. The error says what is wrong.
 */
export function decodeHeaders(block: Buffer): Result<Headers, string> {
  const reader = new BlockReader(block);
  const headers = new Map<string, string>();
  let size = 0;
  while (reader.more()) {
    const field = reader.field();
    if (field === undefined) {
      continue;
    }
    size += field.name.length + field.value.length + 32;
    if (size > HEADER_LIST_MAX) {
      return fail("the header list is too large");
    }
    if (!headers.has(field.name)) {
      headers.set(field.name, field.value);
    }
  }
  return reader.error === undefined ? ok(headers) : fail(reader.error);
}

interface Field {
  readonly name: string;
  readonly value: string;
}

class BlockReader {
  /** What is wrong with the block; nothing is read after that. */
  error: string | undefined;
  readonly #block: Buffer;
  #at = 0;
  #fieldsSeen = false;

  constructor(block: Buffer) {
    this.#block = block;
  }

  more(): boolean {
    return this.error === undefined && this.#at < this.#block.length;
  }

  /** Reads one representation, RFC 7541 section 6; undefined: it was no field, or `error` says what is wrong with it. */
  field(): Field | undefined {
    const first = this.#block[this.#at] ?? 0;
    if ((first & 0xe0) === 0x20) {
      this.#sizeUpdate();
      return undefined;
    }
    this.#fieldsSeen = true;
    if (first & 0x80) {
      return this.#staticField(this.#integer(7));
    }
    const index = this.#integer(first & 0x40 ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#staticField(index)?.name;
    const value = this.#string();
    if (this.error !== undefined || name === undefined) {
      return undefined;
    }
    return { name, value };
  }

  #sizeUpdate(): void {
    if (this.#integer(5) !== 0) {
      this.#fail("a dynamic table is used although it was switched off");
    } else if (this.#fieldsSeen) {
      this.#fail("a table size update stands behind a field");
    }
  }

  #staticField(index: number): Field | undefined {
    staticFields ??= STATIC_FIELDS.split("\n");
    const line = staticFields[index - 1];
    if (line === undefined) {
      this.#fail(`index ${index} is not in the static table`);
      return undefined;
    }
    const space = line.indexOf(" ");
    return space < 0 ? { name: line, value: "" } : { name: line.slice(0, space), value: line.slice(space + 1) };
  }

  /** RFC 7541 section 5.1, bounded to 28 bits beyond the prefix. */
  #integer(prefix: number): number {
    const mask = (1 << prefix) - 1;
    let value = (this.#block[this.#at++] ?? 0) & mask;
    if (value < mask) {
      return value;
    }
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#block[this.#at++];
      if (byte === undefined) {
        return this.#fail("the block ends within an integer");
      }
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    return this.#fail("an integer is too large");
  }

  #string(): string {
    const at = this.#at;
    const length = this.#integer(7);
    const coded = ((this.#block[at] ?? 0) & 0x80) !== 0;
    const end = this.#at + length;
    if (at >= this.#block.length || end > this.#block.length) {
      this.#fail("the block ends within a text");
      return "";
    }
    const text = coded
      ? huffmanDecode(this.#block.subarray(this.#at, end))
      : this.#block.toString("latin1", this.#at, end);
    this.#at = end;
    if (text === undefined) {
      this.#fail("a text is not valid Huffman code");
      return "";
    }
    return text;
  }

  #fail(error: string): 0 {
    this.error ??= error;
    return 0;
  }
}

/**
 * A literal field without indexing, RFC 7541 section 6.2.2, as latin1: a header block is such texts behind each other.
 * `name` is the text or an index into the static table.
 */
export function encodeField(name: string | number, value: string): string {
  const start = typeof name === "number" ? encodeInteger(name, 4) : `\0${encodeText(name)}`;
  return start + encodeText(value);
}

function encodeText(text: string): string {
  return encodeInteger(text.length, 7) + text;
}

function encodeInteger(value: number, prefix: number): string {
  const mask = (1 << prefix) - 1;
  if (value < mask) {
    return String.fromCharCode(value);
  }
  let bytes = String.fromCharCode(mask);
  let rest = value - mask;
  while (rest >= 0x80) {
    bytes += String.fromCharCode((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  return bytes + String.fromCharCode(rest);
}
