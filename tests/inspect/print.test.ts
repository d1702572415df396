import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { finding } from "../../src/lib/inspect/finding.ts";
import { print } from "../../src/lib/inspect/print.ts";
import { head } from "../../src/lib/inspect/report.ts";
import { nodeContent, pool, reservation } from "./_node.ts";
import { schemaErrors } from "./_schema.ts";

const content = nodeContent();
const pools = { ...head("PoolList", content), items: [pool] };
const reservations = { ...head("ReservationList", content), items: [reservation] };
const findings = {
  ...head("FindingList", content),
  items: [
    finding("error", "OutsideBlock", { poolKind: "IPPool", pool: "pool1", node: "n", pod: "a/b" }, "words"),
    finding("info", "NotAdopted", {}, "more"),
  ],
};

test("JSON and YAML hold the same document with its apiVersion and kind", () => {
  const expected = JSON.parse(JSON.stringify(reservations));
  assert.equal(JSON.parse(print(reservations, "json")), expected);
  assert.equal(parse(print(reservations, "yaml")), expected);
  assert.is(expected.apiVersion, "inspect.nv-ipam.nvidia.com/v1");
  assert.is(expected.kind, "ReservationList");
});

test("the schema knows the documents, and refuses what is none", () => {
  for (const report of [pools, reservations, findings]) assert.is(schemaErrors(report), "", report.kind);
  const wrong: readonly unknown[] = [
    { ...pools, kind: "PodList" },
    { ...pools, apiVersion: "v2" },
    { ...pools, items: [{ ...pool, size: "8" }] },
    { ...pools, items: [{ ...pool, addresses: { ...pool.addresses, used: 1 } }] },
    { ...reservations, items: [{ ...reservation, how: "by luck" }] },
    { ...findings, items: [{ ...findings.items[0], reason: "Whatever" }] },
    { ...findings, source: undefined },
  ];
  for (const document of wrong) assert.not.equal(schemaErrors(JSON.parse(JSON.stringify(document))), "");
});

test("a table has a heading, aligned columns, and a dash for what is empty", () => {
  const lines = print(pools, "table").split("\n");
  assert.match(lines[0] ?? "", /^KIND +POOL +SUBNET +GATEWAY +BLOCK/);
  assert.match(lines[1] ?? "", /^IPPool +pool1 +10\.0\.0\.0\/24 +10\.0\.0\.1 +10\.0\.0\.1 - 10\.0\.0\.8 +1 +6 +1 +-$/);
  assert.is(lines[0]?.indexOf("SUBNET"), lines[1]?.indexOf("10.0.0.0/24"));
});

test("wide has more columns than table", () => {
  const headings = (format: "table" | "wide") => print(reservations, format).split("\n")[0]?.split(/ {2,}/) ?? [];
  const more = headings("wide").filter((heading) => !headings("table").includes(heading));
  assert.equal(more, ["NODE", "DEVICE", "KIND", "POD UID"]);
});

test("without items a list says so, for people", () => {
  assert.is(print({ ...pools, items: [] }, "table"), "no pools\n");
  assert.is(print({ ...reservations, items: [] }, "wide"), "no reservations\n");
  assert.is(print({ ...findings, items: [] }, "table"), "nothing wrong found\n");
  assert.equal(JSON.parse(print({ ...findings, items: [] }, "json")).items, []);
});

test("a name cannot draw over the table", () => {
  const evil = { ...reservation, network: "a\nb\u001b[2J\u202e" };
  const text = print({ ...reservations, items: [evil] }, "table");
  assert.is(text.split("\n").length, 3);
  assert.match(text, "a\\u000ab\\u001b[2J\\u202e");
});

const HOSTILE = "a\n\u001b[2J\u009b31m\u202e\u200b\ufeff\u{e0001}\ud800 'b' \"c\"";

test("what a program reads can be printed as well, and means the same", () => {
  const evil = { ...reservations, items: [{ ...reservation, network: HOSTILE }] };
  for (const format of ["json", "yaml"] as const) {
    const text = print(evil, format);
    assert.match(text.replaceAll("\n", ""), /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u);
    assert.is((format === "json" ? JSON.parse(text) : parse(text)).items[0].network, HOSTILE);
  }
});

test("what is wrong with a store cannot draw over the terminal", () => {
  const source = { type: "store", place: "/\u001b[2J", node: "" } as const;
  const report = {
    ...head("StoreReport", { source, notes: [] }),
    state: "damaged",
    content: "journal",
    generation: 1,
    reservations: 0,
    pools: 0,
    files: [],
    problems: ["\u009b31m"],
  } as const;
  const [problem, , summary] = print(report, "table").split("\n");
  assert.equal([problem, summary?.split(" ")[0]], ["\\u009b31m", "/\\u001b[2J"]);
});

test("a node that a store does not name is no empty word", () => {
  const report = { ...head("NodeReport", content), node: "", pools: [], resting: [], findings: [] };
  assert.match(print(report, "table"), /^Node \(a store does not name it\)\n/);
});

test("colours are there only where they are asked for, and leave the columns where they are", () => {
  const plain = print(findings, "table");
  const coloured = print(findings, "table", true);
  assert.not.ok(plain.includes("\u001b"));
  assert.match(coloured, "\u001b[31merror\u001b[0m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are made of.
  assert.is(coloured.replaceAll(/\u001b\[\d+m/g, ""), plain);
});

test("red is what is wrong: no free address, a problem; not their absence", () => {
  const counts = { total: "8", excluded: "0", used: "8", free: "0" };
  const full = { addresses: counts, problem: "broken" };
  const without = { addresses: { ...counts, total: "0", used: "0" } };
  const reds = (item: typeof full) =>
    print({ ...pools, items: [{ ...pool, ...item }] }, "table", true)
      .split("\u001b[31m")
      .slice(1)
      .map((text) => text.split("\u001b", 1)[0]);
  assert.equal(reds(full), ["0", "broken"]);
  assert.equal(reds({ ...without, problem: "" }), []);
});

test("a list as long as a cluster's is written", () => {
  const items = Array.from({ length: 130_000 }, () => reservation);
  assert.is(print({ ...reservations, items }, "table").split("\n").length, 130_002);
});

test.run();
