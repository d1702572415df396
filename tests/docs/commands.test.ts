/** Commands that documents show exist, with the flags that they are shown with. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pages, ROOT } from "./_pages.ts";

const test = suite("commands");

/** What is shown as code, line by line; a line that ends with a backslash goes on. */
function codeOf(text: string): string[] {
  const fenced = [...text.matchAll(/^( *)```\w*\n([\s\S]*?)^\1```/gm)].map(([, , code = ""]) => code);
  const rest = text.replaceAll(/^( *)```[\s\S]*?^\1```/gm, "");
  const indented = [...rest.matchAll(/^ {4}.+$/gm)].map(([line]) => line);
  const spans = [...rest.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
  return [...fenced, ...indented, ...spans].flatMap((code) => code.replaceAll(/\\\n\s*/g, " ").split("\n"));
}

interface Shown {
  readonly page: string;
  readonly line: string;
  readonly words: readonly string[];
}

/** Lines that begin with this program, with what follows it up to a comment or another command. */
function shown(program: RegExp): Shown[] {
  return pages.flatMap(({ path, text }) =>
    codeOf(text).flatMap((line) => {
      const found = program.exec(line.trim().replace(/^(?:\$ |sudo |ExecStart=\S*\/(?=nv-ipam))/, ""));
      if (found === null) return [];
      const [command = ""] = line.slice(line.indexOf(found[0]) + found[0].length).split(/ #|[|;&>]| {2,}/);
      return [
        {
          page: path,
          line: line.trim(),
          words: command
            .trim()
            .split(/\s+/)
            .filter((word) => word !== ""),
        },
      ];
    }),
  );
}

/** What `--help` of a command says, by its names. */
const helps = new Map<string, string>();

function help(...command: readonly string[]): string {
  const key = command.join(" ");
  let text = helps.get(key);
  if (text === undefined) {
    const { status, stdout } = spawnSync(process.execPath, [join(ROOT, "src/main.ts"), ...command, "--help"], {
      encoding: "utf8",
    });
    text = status === 0 ? stdout : "";
    helps.set(key, text);
  }
  return text;
}

const roles = globSync("[a-z]*.ts", { cwd: join(ROOT, "src/modes") }).map((file) => basename(file, ".ts"));

/** Other things that begin so. */
const NO_COMMANDS = ["nv-ipam build id"];

const ownCommands = shown(/^nv-ipam(?= [a-z-])/).filter(({ line }) => !NO_COMMANDS.includes(line));

test("documents show commands of nv-ipam", () => {
  assert.ok(ownCommands.length > 20);
});

for (const { page, line, words } of ownCommands) {
  test(`${page}: ${line}`, () => {
    const [role = "", ...rest] = words;
    if (role.startsWith("--")) return assert.ok(["--version", "--help"].includes(role), role);
    assert.ok(roles.includes(role), `there is no nv-ipam ${role}`);
    const text = help(role);
    for (const word of rest.filter((each) => each.startsWith("-") && each !== "-")) {
      const [flag = ""] = word.replaceAll(/[`,.…()]+$/g, "").split("=");
      if (flag === "--" || flag === "--help") continue;
      assert.ok(new RegExp(`(^|[\\s,])${flag}\\b`, "m").test(text), `nv-ipam ${role} has no flag ${flag}`);
    }
    const [argument] = rest;
    if (argument !== undefined && /^[a-z]+$/.test(argument)) {
      assert.ok(new RegExp(`\\b${argument}\\b`).test(text), `nv-ipam ${role} knows no ${argument}`);
    }
  });
}

const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

test("npm scripts that documents show exist", () => {
  const all = shown(/^npm (?:run |(?=test))/);
  assert.ok(all.length > 5);
  for (const { page, line, words } of all) assert.ok(Object.hasOwn(scripts, words[0] ?? ""), `${page}: ${line}`);
});

test("files of the project that documents show in commands exist, and scripts can be run", () => {
  const paths = pages.flatMap(({ path, text }) =>
    codeOf(text).flatMap((line) =>
      [...line.matchAll(/(?<=^|\s|\.\/)(?:charts|manifests|scripts|tests)\/[\w./-]*\w(?=\s|$)/g)].map(([file]) => ({
        path,
        file,
      })),
    ),
  );
  assert.ok(paths.length > 10);
  for (const { path, file } of paths) {
    const mode = file.startsWith("scripts/") && !file.includes(".") ? constants.X_OK : constants.R_OK;
    assert.not.throws(() => accessSync(join(ROOT, file), mode), `${path}: ${file}`);
  }
});

test.run();
