import { test } from "uvu";
import * as assert from "uvu/assert";
import { huffmanDecode } from "../../../src/lib/rpc/client/_huffman.ts";

function decode(hex: string): string | undefined {
  return huffmanDecode(Buffer.from(hex, "hex"));
}

for (const [hex, text] of [
  ["f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"],
  ["a8eb10649cbf", "no-cache"],
  ["25a849e95ba97d7f", "custom-key"],
  ["25a849e95bb8e8b4bf", "custom-value"],
  ["6402", "302"],
  ["aec3771a4b", "private"],
  ["d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"],
  ["640eff", "307"],
  ["", ""],
] as const) {
  test(`RFC 7541 appendix C: ${hex} is ${JSON.stringify(text)}`, () => {
    assert.is(decode(hex), text);
  });
}

test("every byte has its code: the text of all 256 as another implementation (golang.org/x/net/http2/hpack) codes it", () => {
  const coded =
    "ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfffffedfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed4fe3f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7fffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fffff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1fffebfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff87ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffffcffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3fffffabfffff5fffffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf";
  assert.is(decode(coded), Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1"));
});

for (const [hex, what] of [
  ["ffffffff", "EOS within the text"],
  ["1cffff", "padding longer than seven bits"],
  ["ff", "eight bits of padding and no text"],
  ["18", "padding that is not all ones"],
] as const) {
  test(`${what} is refused, RFC 7541 section 5.2`, () => {
    assert.is(decode(hex), undefined);
  });
}

test.run();
