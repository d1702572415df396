/**
 * The bytes of the store's files. Snapshots and journals alike are one header line and then records:
 *
 *     nv-ipam journal 00000001 <CRC>\n
 *     <length><CRC of body><sequence><type><CRC of these>  body \n          (without the blanks)
 *
 * Numbers are lower-case hexadecimal of a fixed width, CRCs are CRC-32. A body is ASCII without control characters, blanks
 * and `@`; so no byte of a record is zero or one flipped bit away from it. A zero therefore says that the byte was never
 * written: that tells a record that a power failure tore from one that was damaged later (see {@link Tail}).
 */
import { crc32 } from "node:zlib";

/** What a file holds. */
export type FileKind = "journal" | "snapshot";

/** `c`: changes; `e`: the end of a snapshot. */
export type RecordType = "c" | "e";

/** Version of the format that this release writes, and the only one that it reads. */
export const FORMAT_VERSION = 1;

/** Length in bytes of the first line of each file. */
export const FILE_HEADER_BYTES = "nv-ipam snapshot 00000001 00000000\n".length;

/** Length in bytes of what a record has beside its body. */
export const RECORD_OVERHEAD = 8 + 8 + 12 + 1 + 8 + 1;

const RECORD_HEADER_BYTES = RECORD_OVERHEAD - 1;
const CHECKED_HEADER_BYTES = RECORD_HEADER_BYTES - 8;
const SECTOR_BYTES = 512;
const NEWLINE = 0x0a;
const ZEROS = Buffer.alloc(4096);

/** A record that was read: `offset` to `end` are its bytes in the file. */
export interface StoredRecord {
  readonly offset: number;
  readonly end: number;
  readonly sequence: number;
  readonly type: string;
}

/**
 * What stands behind the last readable record of a file:
 * - `clean`: nothing, or zeros;
 * - `torn`: the beginning of a record that was never written whole, so never acknowledged;
 * - `damaged`: bytes that were written whole and cannot be read any more.
 */
export type Tail = "clean" | "torn" | "damaged";

/** The records of a file in order, those behind an unreadable place included. */
export interface Scan {
  readonly records: readonly StoredRecord[];
  /** Where the last readable record ends. */
  readonly end: number;
  readonly tail: Tail;
  /** Where the last byte that is not zero ends. */
  readonly used: number;
}

/** The first line of a file. */
export function fileHeader(kind: FileKind, version: number = FORMAT_VERSION): Buffer {
  const text = `nv-ipam ${kind.padEnd("snapshot".length)} ${hex(version, 8)} `;
  return Buffer.from(`${text}${hex(crc32(text), 8)}\n`, "latin1");
}

/**
 * The format version that a file's first line names.
 *
 * @returns undefined when the line is damaged (or belongs to a file of another kind).
 */
export function readFileHeader(kind: FileKind, start: Buffer): number | undefined {
  const version = Number.parseInt(start.toString("latin1", 17, 25), 16);
  if (!Number.isSafeInteger(version)) return undefined;
  return start.subarray(0, FILE_HEADER_BYTES).equals(fileHeader(kind, version)) ? version : undefined;
}

/** One record's bytes. The body must be of the bytes that bodies may have ({@link asciiJson}). */
export function encodeRecord(sequence: number, type: RecordType, body: string): Buffer {
  const header = hex(body.length, 8) + hex(crc32(body), 8) + hex(sequence, 12) + type;
  return Buffer.from(`${header}${hex(crc32(header), 8)}${body}\n`, "latin1");
}

/** JSON text of the value in the bytes that a body may have; `JSON.parse` gives the value back. */
export function asciiJson(value: unknown): string {
  const text = JSON.stringify(value);
  return /[ @\x7f-\uffff]/.test(text) ? text.replace(/[ @\x7f-\uffff]/g, escapeUnit) : text;
}

/** Reads all records behind the file's first line. */
export function scanRecords(content: Buffer): Scan {
  const records: StoredRecord[] = [];
  let end = Math.min(FILE_HEADER_BYTES, content.length);
  let at = end;
  for (;;) {
    const record = recordAt(content, at) ?? recordAfter(content, at);
    if (record === undefined) break;
    records.push(record);
    at = end = record.end;
  }
  const used = usedBytes(content, end);
  return { records, end, tail: used === end ? "clean" : isTorn(content, end) ? "torn" : "damaged", used };
}

/** The body of a record that was read out of this content. */
export function bodyOf(content: Buffer, { offset, end }: StoredRecord): string {
  return content.toString("latin1", offset + RECORD_HEADER_BYTES, end - 1);
}

function recordAt(content: Buffer, offset: number): StoredRecord | undefined {
  const header = readRecordHeader(content, offset);
  if (header === undefined) return undefined;
  const start = offset + RECORD_HEADER_BYTES;
  const bodyEnd = start + header.length;
  if (content[bodyEnd] !== NEWLINE || crc32(content.subarray(start, bodyEnd)) !== header.crc) return undefined;
  return { offset, end: bodyEnd + 1, sequence: header.sequence, type: header.type };
}

/** The first record that begins after a line end behind `offset`; no body holds a line end. */
function recordAfter(content: Buffer, offset: number): StoredRecord | undefined {
  for (let line = content.indexOf(NEWLINE, offset); line >= 0; line = content.indexOf(NEWLINE, line + 1)) {
    const record = recordAt(content, line + 1);
    if (record !== undefined) return record;
  }
  return undefined;
}

function readRecordHeader(content: Buffer, offset: number) {
  if (offset + RECORD_HEADER_BYTES > content.length || content[offset] === 0) return undefined;
  const crcAt = offset + CHECKED_HEADER_BYTES;
  if (crc32(content.subarray(offset, crcAt)) !== hexAt(content, crcAt, 8)) return undefined;
  return {
    length: hexAt(content, offset, 8),
    crc: hexAt(content, offset + 8, 8),
    sequence: hexAt(content, offset + 16, 12),
    type: String.fromCharCode(content[crcAt - 1] ?? 0),
  };
}

/** The number that hexadecimal digits write; NaN where there are others. */
function hexAt(content: Buffer, offset: number, width: number): number {
  let value = 0;
  for (let at = offset; at < offset + width; at++) {
    const byte = content[at] ?? 0;
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : byte >= 0x61 && byte <= 0x66 ? byte - 0x57 : Number.NaN;
    value = value * 16 + digit;
  }
  return value;
}

function usedBytes(content: Buffer, from: number): number {
  let used = content.length;
  while (used - ZEROS.length >= from && content.subarray(used - ZEROS.length, used).equals(ZEROS)) used -= ZEROS.length;
  while (used > from && content[used - 1] === 0) used--;
  return used;
}

/**
 * Whether the unreadable record at `offset` was never written whole. A power failure loses whole sectors, or the rest of
 * one from some byte on, and these still read as the zeros that were there before. Anything else is damage.
 */
function isTorn(content: Buffer, offset: number): boolean {
  const headerEnd = offset + RECORD_HEADER_BYTES;
  const lost = zeroIn(content, offset, headerEnd);
  if (lost !== undefined) return isSectorLost(content, lost);
  if (headerEnd > content.length) return true;
  const header = readRecordHeader(content, offset);
  if (header === undefined) return false;
  const end = headerEnd + header.length + 1;
  let torn = end > content.length;
  for (let at = headerEnd; at < Math.min(end, content.length); at = sectorEnd(at)) {
    const zero = zeroIn(content, at, Math.min(end, sectorEnd(at)));
    if (zero === undefined) continue;
    if (!isSectorLost(content, zero)) return false;
    torn = true;
  }
  return torn;
}

function zeroIn(content: Buffer, from: number, to: number): number | undefined {
  const index = content.subarray(from, to).indexOf(0);
  return index < 0 ? undefined : from + index;
}

/** Whether nothing follows the zero at `offset` in its sector. */
function isSectorLost(content: Buffer, offset: number): boolean {
  const rest = content.subarray(offset, sectorEnd(offset));
  return usedBytes(rest, 0) === 0;
}

function sectorEnd(offset: number): number {
  return (Math.floor(offset / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}

function escapeUnit(unit: string): string {
  return `\\u${hex(unit.charCodeAt(0), 4)}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, "0");
}
