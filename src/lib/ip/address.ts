/**
 * IP addresses, CIDR texts and inclusive ranges (RFC 791, RFC 4291, RFC 4632, RFC 5952). Pure.
 *
 * An address is its family and its value as an unsigned integer, so that ranges of any size are compared and counted
 * with plain bigint arithmetic and nothing ever loops over addresses (R9).
 */
import ipaddr from "ipaddr.js";
import { readIPv4, readIPv6 } from "./_text.ts";

/** 4 or 6. */
export type Family = 4 | 6;

/** One address: `value` is below 2^32 for family 4 and below 2^128 for family 6. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** An inclusive range of addresses of one family; `first <= last`. */
export interface Range {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** A network as CIDR text says it: its addresses, the length of its prefix, and the address that was written before the slash. */
export interface Cidr extends Range {
  readonly prefixLength: number;
  /** The address as written; differs from `first` when host bits are set. */
  readonly written: bigint;
}

/** Number of bits of an address of the family: 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Reads one address as Go's net.ParseIP does: four decimal parts without leading zeros, or RFC 4291 text; an IPv4-mapped
 * IPv6 address is the IPv4 address. No zone, no prefix length, no white space.
 *
 * @returns undefined when the text is no address.
 */
export function parseAddress(text: string): Address | undefined {
  const ipv4 = readIPv4(text);
  if (ipv4 >= 0) return { family: 4, value: BigInt(ipv4) };
  const groups = text.includes(":") ? readIPv6(text) : undefined;
  return groups === undefined ? undefined : fromGroups(groups);
}

/** Writes an address in its canonical text (RFC 5952 for IPv6). */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIPv4(Number(address.value)) : formatIPv6(address.value);
}

/**
 * Reads `address/length`. Host bits may be set (compare `written` with `first`); the length is plain decimal.
 *
 * @returns undefined when the text is no CIDR.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const lengthText = text.slice(slash + 1);
  const addressText = text.slice(0, slash);
  const address = parseAddress(addressText);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
  // A mapped address such as ::ffff:10.0.0.0/104 has its length counted on 128 bits.
  const mapped = address.family === 4 && addressText.includes(":");
  const prefixLength = Number(lengthText) - (mapped ? 96 : 0);
  if (prefixLength < 0 || prefixLength > addressBits(address.family)) return undefined;
  return { ...prefixRange(address, prefixLength), prefixLength, written: address.value };
}

/** The network of `prefixLength` bits that holds the address. */
export function prefixRange(address: Address, prefixLength: number): Range {
  const hostBits = BigInt(addressBits(address.family) - prefixLength);
  const first = (address.value >> hostBits) << hostBits;
  return { family: address.family, first, last: first + (1n << hostBits) - 1n };
}

/** Writes a network as `first/length`. */
export function formatCidr(cidr: Pick<Cidr, "family" | "first" | "prefixLength">): string {
  return `${formatAddress({ family: cidr.family, value: cidr.first })}/${cidr.prefixLength}`;
}

/** Writes a range as `first-last`. */
export function formatRange({ family, first, last }: Range): string {
  return `${formatAddress({ family, value: first })}-${formatAddress({ family, value: last })}`;
}

/** Whether the address lies in the range. */
export function contains(range: Range, address: Address): boolean {
  return range.family === address.family && range.first <= address.value && address.value <= range.last;
}

/** Whether the ranges share an address. */
export function overlaps(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Number of addresses in the range. */
export function size(range: Range): bigint {
  return range.last - range.first + 1n;
}

/** Whether two addresses are the same one. */
export function sameAddress(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

function fromGroups(groups: readonly number[]): Address {
  // 48 bits at a time: what a double holds exactly.
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const low = BigInt(g * 0x10000 + h);
  if (a === 0 && b === 0 && c === 0 && d === 0 && e === 0 && f === 0xffff) return { family: 4, value: low };
  const high = BigInt(a * 0x100000000 + b * 0x10000 + c);
  const middle = BigInt(d * 0x100000000 + e * 0x10000 + f);
  return { family: 6, value: (high << 80n) | (middle << 32n) | low };
}

function formatIPv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
}

function formatIPv6(value: bigint): string {
  const parts: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) parts.push(Number((value >> shift) & 0xffffn));
  return new ipaddr.IPv6(parts).toRFC5952String();
}
