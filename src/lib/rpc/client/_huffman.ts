/**
 * The Huffman code of HPACK, RFC 7541 appendix B. The code is canonical (within a length, codes rise with the symbol), so
 * the length of each symbol says all: one base-36 digit for each of the 256 bytes. EOS, 30 one bits, comes last.
 */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6" +
  "f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq";

const LONGEST = 30;

interface Code {
  /** By length: the first code of that length, how many there are, and where its symbols start. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly start: Int32Array;
  /** The symbols ordered by length, then by value. */
  readonly symbols: Uint8Array;
}

let code: Code | undefined;

function build(): Code {
  const lengths = Array.from(LENGTHS, (digit) => Number.parseInt(digit, 36));
  const first = new Int32Array(LONGEST + 1);
  const count = new Int32Array(LONGEST + 1);
  const start = new Int32Array(LONGEST + 1);
  const symbols = new Uint8Array(lengths.length);
  let next = 0;
  let at = 0;
  for (let length = 5; length <= LONGEST; length++) {
    first[length] = next;
    start[length] = at;
    lengths.forEach((of, symbol) => {
      if (of === length) {
        symbols[at++] = symbol;
      }
    });
    const some = at - (start[length] ?? 0);
    count[length] = some;
    next = (next + some) << 1;
  }
  return { first, count, start, symbols };
}

/**
 * The text behind Huffman-coded bytes, one character a byte (latin1). Undefined where RFC 7541 section 5.2 calls for an
 * error: EOS within the text, padding longer than 7 bits or of anything but ones.
 */
export function huffmanDecode(bytes: Uint8Array): string | undefined {
  code ??= build();
  const { first, count, start, symbols } = code;
  const text = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let size = 0;
  let value = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      value = (value << 1) | ((byte >> bit) & 1);
      length++;
      const offset = value - (first[length] ?? 0);
      if (offset < (count[length] ?? 0)) {
        text[size++] = symbols[(start[length] ?? 0) + offset] ?? 0;
        value = 0;
        length = 0;
      } else if (length === LONGEST) {
        return undefined;
      }
    }
  }
  const padded = length < 8 && value === (1 << length) - 1;
  return padded ? text.toString("latin1", 0, size) : undefined;
}
