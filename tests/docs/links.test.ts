/** Links between documents lead somewhere: files and headings exist. */
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Page, pages, ROOT, withoutCode } from "./_pages.ts";

/** Anchors of a page's headings, as GitHub makes them. */
function anchors(text: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#{1,6} +(.+)$/gm)) {
    const words = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim()
      .toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let count = 1; found.has(unique); count++) unique = `${anchor}-${count}`;
    found.add(unique);
  }
  return found;
}

const anchorsOf = new Map(pages.map(({ path, text }) => [path, anchors(text)]));

function faults({ path, text }: Page): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)[^)]*\)/g)].flatMap(([, target = ""]) => {
    if (/^https:\/\//.test(target)) return [];
    const [file = "", anchor] = target.split("#");
    const at = file === "" ? path : normalize(join(dirname(path), file));
    if (!anchorsOf.has(at) && !existsSync(join(ROOT, at))) return [`${target}: there is no ${at}`];
    if (anchor === undefined || anchorsOf.get(at)?.has(anchor)) return [];
    return [`${target}: ${at} has no heading for it`];
  });
}

for (const page of pages) {
  test(`every link of ${page.path} leads somewhere`, () => {
    assert.equal(faults(page), []);
  });
}

test("links that lead nowhere are found", () => {
  const text =
    "# A `b`: c\n[a](#a-b-c) [b](#a-b) [c](none.md) `[d](d.md)` [e](https://example.org)\n\n    [f](f.md)\n\nend\n";
  anchorsOf.set("x.md", anchors(text));
  assert.equal(faults({ path: "x.md", text }), ["#a-b: x.md has no heading for it", "none.md: there is no none.md"]);
});

test("README.md leads to every page of docs", () => {
  const readme = pages.find(({ path }) => path === "README.md")?.text ?? "";
  const missing = pages.filter(({ path }) => path.startsWith("docs/") && !readme.includes(`(${path}`));
  assert.equal(
    missing.map(({ path }) => path),
    [],
  );
});

test.run();
