/**
 * IP addresses as texts. The plugin only passes them on, so it does without the parser of src/lib/ip and Node's `isIP`: each
 * of them would cost its start-up a tenth.
 */

const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";

/** 4 or 6, or undefined when the text is no address (RFC 791 with four decimal parts, RFC 4291 without a zone). */
export function familyOf(text: string): 4 | 6 | undefined {
  if (new RegExp(`^${BYTE}(?:\\.${BYTE}){3}$`).test(text)) return 4;
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`) ? 6 : undefined;
}

/** The same text for the same IPv6 address, however it is spelt; other text as it is. */
export function canonical(text: string): string {
  return familyOf(text) === 6 ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text;
}
