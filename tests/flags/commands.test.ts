/** Which flags the commands have: the original's, and what docs/flags.md says. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, globSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Flags } from "../../src/lib/flags/flags.ts";
import { defaultText, helpText } from "../../src/lib/flags/help.ts";
import { typeLabel } from "../../src/lib/flags/value.ts";
import { need } from "../_need.ts";
import { commands, type KnownCommand } from "./_commands.ts";
import { CONTROLLER, GATES, NODE, type OriginalFlags } from "./_original.ts";

const EXECUTABLE = need("dist/nv-ipam");
const all = await commands();

function commandNamed(name: string): KnownCommand {
  const found = all.find((command) => command.name === name);
  if (found === undefined) throw new Error(`there is no command ${name}`);
  return found;
}

for (const [name, original] of [
  ["controller", CONTROLLER],
  ["node", NODE],
] as const satisfies readonly (readonly [string, OriginalFlags])[]) {
  const { flags, command } = commandNamed(name);

  test(`${name} has all flags of the original, with its types and defaults, under its headings`, () => {
    for (const [section, expected] of Object.entries(original)) {
      for (const wanted of expected) {
        const flag = flags[wanted.name];
        if (flag === undefined) throw new Error(`--${wanted.name} is missing`);
        const has = { name: wanted.name, type: typeLabel(flag.type), default: defaultText(flag) ?? "" };
        assert.equal({ ...has, section: flag.section }, { ...wanted, section });
      }
    }
  });

  test(`${name} --help has the original's headings in its order`, () => {
    const headings = [...helpText(command, flags, 120).matchAll(/^(\S.*) flags:$/gm)].map(([, heading]) => heading);
    assert.equal(headings, Object.keys(original));
  });
}

test("the help names the original's feature gates with their defaults", () => {
  const text = helpText(commandNamed("node").command, commandNamed("node").flags, 120);
  for (const gate of GATES) assert.match(text, `\n                ${gate}\n`);
});

for (const { name, command, flags } of all) {
  test(`${name} --help goes to stdout, lists every flag and exits with 0`, () => {
    const text = execFileSync(EXECUTABLE, [name, "--help"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    assert.is(text, helpText(command, flags, 120));
    for (const flag of Object.keys(flags)) assert.match(text, new RegExp(`^ .{5}--${flag}\\b`, "m"));
    assert.ok(text.split("\n").every((line) => line.length <= 120));
    assert.is(execFileSync(EXECUTABLE, [name, "-h", "--nosuchflag"], { encoding: "utf8" }), text);
  });

  test(`${name} --version says which build this is and exits with 0`, () => {
    const text = execFileSync(EXECUTABLE, [name, "--version"], { encoding: "utf8" });
    assert.match(text, /^nv-ipam \d+\.\d+\.\d+\S*, commit \S+ of \S+\n$/);
  });
}

for (const name of ["version", "licenses"]) {
  test(`${name} takes nothing but --help and --version, and help ${name} is about it`, () => {
    const run = (...args: string[]) => spawnSync(EXECUTABLE, args, { encoding: "utf8" });
    const [wrong, extra] = [run(name, "--foo"), run(name, "more")];
    assert.equal(
      [wrong.status, wrong.stderr.trim()],
      [2, `nv-ipam ${name}: unknown flag --foo; --help lists the flags`],
    );
    assert.equal([extra.status, extra.stdout], [2, ""]);
    const { status, stdout } = run("help", name);
    assert.is(status, 0);
    assert.match(stdout, `Usage:\n  nv-ipam ${name} [flags]\n`);
    assert.is(run(name, "--help").stdout, stdout);
  });
}

test("help about nothing known is the overview", () => {
  const overview = execFileSync(EXECUTABLE, ["--help"], { encoding: "utf8" });
  for (const more of ["--help", "-h", "help"]) {
    assert.is(execFileSync(EXECUTABLE, ["help", more], { encoding: "utf8" }), overview);
  }
});

for (const args of [["help"], ["inspect", "--help"], ["version"]]) {
  test(`${args.join(" ")} ends with 1 where its output cannot be written, but not where nobody reads it`, () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(EXECUTABLE, args, { encoding: "utf8", stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    assert.equal([status, stderr.split("\n").length], [1, 2]);
    assert.match(stderr, `nv-ipam ${args[0]}: the output cannot be written: ENOSPC`);
    const unread = `exec 3>&1; { ${EXECUTABLE} ${args.join(" ")}; echo $? >&3; } | true`;
    const piped = spawnSync("sh", ["-c", unread], { encoding: "utf8" });
    assert.equal([piped.stdout, piped.stderr], ["0\n", ""]);
  });
}

const DOCS = join(import.meta.dirname, "../../docs/flags.md");
const BEGIN = "<!-- From the code; `node tests/flags/commands.test.ts --write` writes it anew. -->\n";
const END = "<!-- End -->\n";

test("docs/flags.md has the tables that the code gives", () => {
  const text = readFileSync(DOCS, "utf8");
  const [before, rest] = text.split(BEGIN);
  const [, after] = rest?.split(END) ?? [];
  if (before === undefined || after === undefined) throw new Error(`docs/flags.md has lost its marks ${BEGIN}${END}`);
  const right = `${before}${BEGIN}\n${tables()}\n${END}${after}`;
  if (process.argv.includes("--write")) writeFileSync(DOCS, right);
  else assert.fixture(text, right, "run node tests/flags/commands.test.ts --write");
});

test("docs/flags.md names every part of the program that --vmodule knows", () => {
  const root = join(import.meta.dirname, "../..");
  const names = globSync("src/**/*.ts", { cwd: root }).flatMap((file) => {
    const calls = readFileSync(join(root, file), "utf8").matchAll(/\.named\("([^"]+)"\)/g);
    return [...calls].map(([, name]) => `\`${name}\``);
  });
  const [, listed = ""] = /Parts are([^.]*)\./.exec(readFileSync(DOCS, "utf8")) ?? [];
  assert.equal([...listed.matchAll(/`\S+`/g)].flat(), [...new Set(names)].sort());
});

/** A table a section: each flag with its default, what it does, and which of the section's commands have it. */
function tables(): string {
  const rows = all.flatMap(({ name, flags }) =>
    Object.entries(flags).map(([flag, declared]) => ({ name, flag, declared })),
  );
  const sections = Map.groupBy(rows, ({ declared }) => declared.section);
  return [...sections]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([section, of]) => `### ${section} flags\n\n${tableOf(of)}`)
    .join("\n\n");
}

type Row = { readonly name: string; readonly flag: string; readonly declared: Flags[string] };

function tableOf(rows: readonly Row[]): string {
  const byFlag = [...Map.groupBy(rows, ({ flag }) => flag)].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = byFlag.flatMap(([flag, same]) =>
    [...Map.groupBy(same, ({ declared }) => declared.help)].map(([help, alike]) => {
      const declared = alike[0]?.declared;
      if (declared === undefined) throw new Error("a group has members");
      const names = `${declared.short === undefined ? "" : `\`-${declared.short}\`, `}\`--${flag}\``;
      const type = typeLabel(declared.type);
      const byDefault = defaultText(declared);
      const cells = [
        type === "" ? names : `${names} ${type}`,
        byDefault === undefined ? "" : `\`${byDefault.replaceAll('"', "")}\``,
        help.replaceAll("|", "\\|").replaceAll("\n", "<br>"),
        alike.map(({ name }) => name).join(", "),
      ];
      return `| ${cells.join(" | ")} |`;
    }),
  );
  return ["| flag | default | meaning | commands |", "|---|---|---|---|", ...lines].join("\n");
}

test.run();
