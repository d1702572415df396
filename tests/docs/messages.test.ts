/** docs/troubleshooting.md knows every message, condition and Event that people meet. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { page, ROOT } from "./_pages.ts";

const TEXT = page("docs/troubleshooting.md").replaceAll(/\s+/g, " ");

const ROOMS = [
  "cni",
  "controller",
  "daemon",
  "journal",
  "kube",
  "node",
  "planner",
  "reservations",
  "rpc/server",
  "standalone",
];

/** Places where messages are made; the last group is the message as it is written in the source. */
const MADE = [
  /message(?::| =|\()\s*(`[^`]*`|"[^"]*")/g,
  /\breason: (`[^`]*`)/g,
  /\ballow\(\[(?:\.\.\.\w+, )?(`[^`]*`)/g,
  /\bunknown = ("[^"]*")/g,
  /\bunavailable\(\s*(`[^`]*`|"[^"]*")/g,
  /\blog\.(?:warning|error)\(\s*(`[^`]*`|"[^"]*")/g,
  /\bfailure\([^,]+,[^,]+,\s*(`[^`]*`|"[^"]*")/g,
];

/** Messages that are part of another one, of an answer that only programs read, or of the command line. */
const NOT_SHOWN = [
  // Around another message.
  "the nv-ipam node daemon at",
  // JSON of the original's file.
  '{"version',
  "{${entries",
  "${status.message",
  // For programs of ours, which do not ask so.
  "network is required",
  "address is no IP address",
  "page_token is not one of ours",
  "refused",
  // Wrong command lines are told what would be right.
  "use ",
];

/** The longest part of each message that does not depend on anything. */
function fixedParts(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const rooms = [...ROOMS.map((room) => `src/lib/${room}/**/*.ts`), "src/modes/*.ts"];
  for (const file of globSync(rooms, { cwd: ROOT }).sort()) {
    if (file.includes("/generated/")) continue;
    const source = readFileSync(join(ROOT, file), "utf8");
    for (const [, literal = ""] of MADE.flatMap((pattern) => [...source.matchAll(pattern)])) {
      const parts = literal.slice(1, -1).split(/\$\{(?:[^{}]|\{[^}]*\})*\}/);
      const [longest = ""] = parts
        .map((part) => part.replaceAll(/^[\s:;,("]+|[\s:;,("]+$/g, ""))
        .sort((a, b) => b.length - a.length);
      if (longest.length >= 8) found.set(longest, file);
    }
  }
  return found;
}

const parts = fixedParts();

test("messages are found in the sources", () => {
  assert.ok(parts.size > 60, String(parts.size));
  assert.ok(
    parts.has(
      'is already reserved on this node; "nv-ipam inspect reservations" shows for whom. Delete that pod or ask for another address',
    ),
  );
});

test("every message is in docs/troubleshooting.md: a new one needs a row there", () => {
  const missing = [...parts].filter(
    ([part]) => !TEXT.includes(part) && !NOT_SHOWN.some((other) => part.startsWith(other)),
  );
  assert.equal(
    missing.map(([part, file]) => `${file}: ${part}`),
    [],
  );
});

/** Every word in a place of the planner's and the controller's sources. */
function words(pattern: RegExp, files: readonly string[]): string[] {
  const all = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), "utf8").matchAll(pattern)].map(([, word = ""]) => word),
  );
  return [...new Set(all)].sort();
}

test("every condition, its reasons, Events and reasons of a rest are there", () => {
  const planner = globSync("src/lib/planner/*.ts", { cwd: ROOT });
  const named = words(/\b(?:reason|eventReason|type): "([A-Z]\w+)"/g, planner).filter((word) => word !== "Warning");
  assert.ok(named.length > 15);
  const [releases = ""] = words(/type ReleaseReason = (.*);/g, planner);
  const events = words(/\? "(NoFree\w+)"|: "(NoFree\w+)"/g, planner);
  for (const word of [...named, ...events, ...releases.matchAll(/\w+/g)].map(String))
    assert.match(TEXT, new RegExp(`\\b${word}\\b`));
});

test("every code of the plugin's errors is there", () => {
  const { ErrorCode } = { ErrorCode: page("docs/cni.md").matchAll(/^\| (\d+) \|/gm) };
  const headings = [...page("docs/troubleshooting.md").matchAll(/^### .*\(([\d, ]+)\)$/gm)].flatMap(([, codes = ""]) =>
    codes.split(", "),
  );
  assert.equal(
    headings.map(Number).sort((a, b) => a - b),
    [...ErrorCode].map(([, code]) => Number(code)),
  );
});

test.run();
