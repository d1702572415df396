import { test } from "uvu";
import * as assert from "uvu/assert";
import { isVisible, visible, visibleJson } from "../src/lib/visible.ts";

const unprintable: readonly [what: string, text: string, written: string][] = [
  ["a line end", "\n", "\\u000a"],
  ["an escape", "\u001b[2J", "\\u001b[2J"],
  ["a delete", "\u007f", "\\u007f"],
  ["a C1 control character", "\u009b", "\\u009b"],
  ["an Arabic letter mark", "\u061c", "\\u061c"],
  ["a blank without width", "\u200b", "\\u200b"],
  ["a mark of direction", "\u200f", "\\u200f"],
  ["a line separator", "\u2028", "\\u2028"],
  ["an override of direction", "\u202e", "\\u202e"],
  ["an invisible operator", "\u2060\u2063", "\\u2060\\u2063"],
  ["an isolate of direction", "\u2066\u2069", "\\u2066\\u2069"],
  ["a byte order mark", "\ufeff", "\\ufeff"],
  ["half a surrogate pair", "\ud800x", "\\ud800x"],
  ["a tag", "\u{e0001}", "\\udb40\\udc01"],
];
for (const [what, text, written] of unprintable) {
  test(`${what} is shown as its escape`, () => {
    assert.is(visible(`a${text}b`), `a${written}b`);
    assert.not.ok(isVisible(text));
    const json = visibleJson({ text });
    assert.is(json.split("\n").length, 4);
    assert.ok(isVisible(json.replaceAll("\n", "")));
    assert.equal(JSON.parse(json), { text });
  });
}

test("letters, marks, digits, punctuation, symbols and blanks stay", () => {
  const text = 'pool-1 für 数 e\u0301 ٣ → € 😀 \\ "';
  assert.is(visible(text), text);
  assert.ok(isVisible(text));
});

test.run();
