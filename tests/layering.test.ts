/** The arrows between the folders of src only point down, and names say what is inside. */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const ROOT = join(import.meta.dirname, "..");

/** Rooms without effects, lowest first: each may import those before it. */
const PURE = ["src/lib/ip", "src/lib/api", "src/lib/planner", "src/lib/reservations"];
/** Files that any other may import: they import nothing themselves. */
const LEAVES = ["src/lib/result.ts", "src/lib/visible.ts", "src/version.ts"];
/** Packages that are pure themselves. */
const PURE_PACKAGES = ["ipaddr.js", "yaml"];
const EFFECTS = /\b(?:Date\.now|new Date\(\)|Math\.random|performance\.|process\.|setTimeout|setInterval|fetch\()/;
const EMPTY_NAMES = /^_?(?:utils?|helpers?|common|manager|misc)$/;

interface Source {
  readonly path: string;
  readonly text: string;
  /** Paths from the project's root for files, names for packages and Node's own modules. */
  readonly imports: readonly string[];
}

const sources: Source[] = globSync("src/**/*.ts", { cwd: ROOT })
  .sort()
  .map((path) => {
    const text = readFileSync(join(ROOT, path), "utf8");
    const specifiers = [...text.matchAll(/(?:\bfrom |\bimport\(|^import )"([^"]+)"/gm)].map(
      ([, specifier]) => specifier,
    );
    const imports = specifiers.flatMap((specifier) =>
      specifier === undefined ? [] : specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier,
    );
    return { path, text, imports };
  });

function isIn(folder: string): (path: string) => boolean {
  return (path) => path.startsWith(`${folder}/`);
}

/** Every import of the files that `from` selects for which `wrong` holds, as "file -> import". */
function arrows(from: (path: string) => boolean, wrong: (imported: string, importer: string) => boolean): string[] {
  return sources
    .filter(({ path }) => from(path))
    .flatMap(({ path, imports }) => imports.filter((i) => wrong(i, path)).map((i) => `${path} -> ${i}`));
}

test("the sources and their imports are found", () => {
  assert.ok(sources.some(({ path }) => isIn("src/lib/ip")(path)));
  assert.ok(sources.some(({ imports }) => imports.includes("src/lib/ip/address.ts")));
  assert.ok(sources.some(({ imports }) => imports.some((i) => !i.startsWith("src/"))));
});

test("a library imports libraries only, never a mode or main", () => {
  assert.equal(
    arrows(isIn("src/lib"), (i) => i.startsWith("src/") && !isIn("src/lib")(i) && !LEAVES.includes(i)),
    [],
  );
});

test("a mode imports no other mode and not main", () => {
  assert.equal(
    arrows(isIn("src/modes"), (i, path) => {
      const isPrivate = basename(i).startsWith("_") && dirname(i) === dirname(path);
      return i.startsWith("src/") && !isIn("src/lib")(i) && !LEAVES.includes(i) && !isPrivate;
    }),
    [],
  );
});

test("a file that every other may import imports nothing", () => {
  assert.equal(
    arrows(
      (path) => LEAVES.includes(path),
      () => true,
    ),
    [],
  );
});

test("a pure room imports only rooms below it and pure packages", () => {
  const wrong = PURE.flatMap((room, rank) => {
    const below = PURE.slice(0, rank + 1);
    return arrows(
      isIn(room),
      (i) => !below.some((lower) => isIn(lower)(i)) && !LEAVES.includes(i) && !PURE_PACKAGES.includes(i),
    );
  });
  assert.equal(wrong, []);
});

test("a pure room reads no clock, environment or randomness", () => {
  const wrong = sources
    .filter(({ path }) => PURE.some((room) => isIn(room)(path)))
    .filter(({ text }) => EFFECTS.test(withoutComments(text)))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test("the Kubernetes room knows nothing of IPAM", () => {
  const wrong = sources
    .filter(({ path, text }) => isIn("src/lib/kube")(path) && /ipam|ippool|cidrpool|\bpools?\b/i.test(text))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test("a file whose name starts with _ is imported only from its own folder and those inside it", () => {
  assert.equal(
    arrows(
      () => true,
      (i, path) => i.startsWith("src/") && basename(i).startsWith("_") && !isIn(dirname(i))(path),
    ),
    [],
  );
});

test("no room or file has a name that says nothing", () => {
  const wrong = sources.filter(({ path }) => path.split("/").some((part) => EMPTY_NAMES.test(basename(part, ".ts"))));
  assert.equal(
    wrong.map(({ path }) => path),
    [],
  );
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
}

test.run();
