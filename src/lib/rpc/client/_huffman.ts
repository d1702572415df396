/**
 * The Huffman code of HPACK, RFC 7541 appendix B. It is canonical: codes rise with the length, and within a length with the
 * symbol. So the symbols in this order and how many there are of each length say all. EOS, 30 one bits, comes last.
 */
const SYMBOLS =
  "012aceiost %-./3456789=A_bdfghlmnpru:BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz&*,;XZ!\"()?'+|#>\x00$@[]~^}<`{\\\xc3\xd0" +
  "\x80\x82\x83\xa2\xb8\xc2\xe0\xe2\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6\x81\x84\x85\x86\x88\x92\x9a" +
  "\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93" +
  "\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef\x09\x8e\x90\x91\x94\x9f\xab\xce" +
  "\xd7\xe1\xec\xed\xc7\xcf\xea\xeb\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff\xcb\xcc\xd3\xd4\xd6" +
  "\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12" +
  "\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9\x0a\x0d\x16";

const SHORTEST = 5;
const LONGEST = 30;

/** How many symbols have a code of 5, 6, … 30 bits. */
const COUNTS = [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29, 0, 3];

/**
 * The text behind Huffman-coded bytes, one character a byte (latin1). Undefined where RFC 7541 section 5.2 calls for an
 * error: EOS within the text, padding longer than 7 bits or of anything but ones.
 */
export function huffmanDecode(bytes: Uint8Array): string | undefined {
  let text = "";
  let value = 0;
  let length = 0;
  /** The first code of the length, and where its symbols start. */
  let first = 0;
  let start = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      value = (value << 1) | ((byte >> bit) & 1);
      length++;
      const count = COUNTS[length - SHORTEST] ?? 0;
      if (value < first + count) {
        text += SYMBOLS[start + value - first];
        value = length = first = start = 0;
      } else if (length === LONGEST) {
        return undefined;
      } else {
        first = (first + count) << 1;
        start += count;
      }
    }
  }
  const padded = length < 8 && value === (1 << length) - 1;
  return padded ? text : undefined;
}
