import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeHeaders, encodeField, HEADER_LIST_MAX } from "../../../src/lib/rpc/client/_hpack.ts";

/** The fields behind a hex text (blanks allowed), or the error. */
function decode(hex: string): Record<string, string> | string {
  const result = decodeHeaders(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  return result.ok ? Object.fromEntries(result.value) : result.error;
}

function encode(name: string, value: string): Buffer {
  return Buffer.from(encodeField(name, value), "latin1");
}

function text(value: string): string {
  return Buffer.from(value, "latin1").toString("hex");
}

for (const [what, hex, expected] of [
  ["an indexed field", "82", { ":method": "GET" }],
  ["several indexed fields", "88 90", { ":status": "200", "accept-encoding": "gzip, deflate" }],
  ["an indexed field without a value", "9f", { "content-type": "" }],
  ["the last entry of the static table", "bd", { "www-authenticate": "" }],
  [
    "a literal with indexing and a new name",
    `40 0a${text("custom-key")} 0d${text("custom-header")}`,
    { "custom-key": "custom-header" },
  ],
  ["a literal without indexing and an indexed name", `04 0c${text("/sample/path")}`, { ":path": "/sample/path" }],
  ["a literal that is never indexed", `10 08${text("password")} 06${text("secret")}`, { password: "secret" }],
  ["a literal that is never indexed with an indexed name", `1f10 03${text("a/b")}`, { "content-type": "a/b" }],
  ["Huffman coded name and value", "40 88 25a849e95ba97d7f 89 25a849e95bb8e8b4bf", { "custom-key": "custom-value" }],
  ["an empty value", "5f 00", { "content-type": "" }],
  ["size updates in front", "20 20 88", { ":status": "200" }],
  ["the first of two fields with a name", `48 03${text("200")} 48 03${text("500")}`, { ":status": "200" }],
  ["an empty block", "", {}],
] as const) {
  test(`${what} is read`, () => {
    assert.equal(decode(hex), expected);
  });
}

for (const [what, hex, error] of [
  ["index 0", "80", /index 0 is not/],
  ["an index of the dynamic table", "be", /index 62 is not/],
  ["a name from the dynamic table", "7e 00", /index 62 is not/],
  ["a size update to more than nothing", "21 88", /switched off/],
  ["a size update behind a field", "88 20", /behind a field/],
  ["an integer without an end", "ff ff", /ends within an integer/],
  ["an integer over 28 bits", "ff ff ff ff ff 0f", /too large/],
  ["a text longer than the block", "40 0a 61", /ends within a text/],
  ["a value longer than the block", "5f 0a 61", /ends within a text/],
  ["a block that ends before a value", "5f", /ends within a text/],
  ["a block that ends before a name", "40", /ends within a text/],
  ["a length of a text without an end", "40 7f 80", /ends within/],
  ["wrong Huffman code", "40 84 ffffffff 00", /Huffman/],
] as const) {
  test(`${what} is an error`, () => {
    assert.match(String(decode(hex)), error);
  });
}

test("a header list is bounded by its size when decoded", () => {
  const field = encode("a", "x".repeat(1000));
  const fits = Math.floor(HEADER_LIST_MAX / (1 + 1000 + 32));
  assert.ok(decodeHeaders(Buffer.concat(Array.from({ length: fits }, () => field))).ok);
  const result = decodeHeaders(Buffer.concat(Array.from({ length: fits + 1 }, () => field)));
  assert.equal(result, { ok: false, error: "the header list is too large" });
});

for (const length of [0, 1, 126, 127, 128, 254, 255, 256, 16383, 16384, 60000]) {
  test(`a value of ${length} bytes comes back as it was written`, () => {
    const value = "v".repeat(length);
    const result = decodeHeaders(encode("x-name", value));
    assert.is(result.ok && result.value.get("x-name"), value);
  });
}

test.run();
