import { test } from "uvu";
import * as assert from "uvu/assert";
import { canonical, familyOf } from "../../src/lib/cni/_address.ts";
import { formatAddress, parseAddress } from "../../src/lib/ip/address.ts";

const TEXTS = [
  ..."0.0.0.0 255.255.255.255 1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 1.2.3.-4 1.2.3.4. .1.2.3.4 0x1.2.3.4 1 1e1.2.3.4".split(
    " ",
  ),
  ...":: ::1 fd00::2 FD00::2 fd00:0:0::2 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7 1::2::3 ::g 12345::".split(
    " ",
  ),
  ..."fe80::1%eth0 fe80::1%251 ::ffff:1.2.3.4 ::ffff:1.2.3.04 ::1.2.3.4 1:2:3:4:5:6:1.2.3.4 ::1.2.3 :1 1: ::: [::1]".split(
    " ",
  ),
  ..."pool1 ١.1.1.1".split(" "),
  "",
  " 1.2.3.4",
  "1.2.3.4 ",
  "::1\n",
  "\t::1",
];

test("a text is an address here if it is one for the rest of the house", () => {
  for (const text of TEXTS) {
    assert.is(familyOf(text) !== undefined, parseAddress(text) !== undefined, JSON.stringify(text));
  }
});

test("random IPv6 texts are judged and spelt as in the rest of the house", () => {
  const seed = Number(process.env.SEED ?? Date.now());
  console.log(`SEED=${seed}`);
  const random = generator(seed);
  const alphabet = ["0", "1", "00", "f", "A9", "abcd", "12345", ":", ":", ":", "::", "."];
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: 1 + random(15) }, () => alphabet[random(alphabet.length)]).join("");
    const address = parseAddress(text);
    assert.is(familyOf(text), address?.family, text);
    if (address !== undefined) assert.is(canonical(text), formatAddress(address), text);
  }
});

test("what is no IPv6 address keeps its text", () => {
  for (const text of ["10.0.0.1", "nonsense", ""]) assert.is(canonical(text), text);
});

/** mulberry32. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test.run();
