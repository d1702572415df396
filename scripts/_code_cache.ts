/**
 * Scripts as V8 compiles them. The code cache that Node makes for a single executable is of the first script only, and lacks the
 * functions that are not compiled before anything runs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** V8 takes a cache only under the flags of its making, and looks at them when the cache is made. */
const COMPILER = `
const [, , code, cache, filename, upTo] = process.argv;
const { readFileSync, writeFileSync } = require("node:fs");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");
// Which functions were compiled to machine code as well is a matter of time, and is noted in the cache.
setFlagsFromString("--no-sparkplug");
if (upTo === "compiled") setFlagsFromString("--no-lazy");
const script = new Script(readFileSync(code, "latin1"), { filename });
setFlagsFromString("--lazy");
if (upTo === "loaded") {
  const module = { exports: {} };
  try {
    script.runInThisContext()(module, module.exports, require, process.execPath, "/");
  } catch {
    // It will throw as well where it is run, and is said there.
  }
}
setFlagsFromString("--sparkplug");
writeFileSync(cache, script.createCachedData());
process.exit(0);
`;

/** A script to compile. */
export interface Source {
  /** Its file name in stack traces, part of what V8 looks at. */
  readonly name: string;
  /** In ASCII. */
  readonly code: string;
  /**
   * `compiled`: all of its functions, for a script that needs most of them at once. `loaded`: those that run when the function that
   * it gives, of CommonJS's parameters, is called; compiling all of a large bundle would cost more than it saves.
   */
  readonly upTo: "compiled" | "loaded";
}

/**
 * Makes the code cache of a script, the same for the same script.
 *
 * @param nodeOptions under which it will run
 * @throws when the script is not in ASCII: read as such, it would be another one.
 */
export function makeCodeCache({ name, code, upTo }: Source, nodeOptions: readonly string[]): Buffer {
  if (Buffer.byteLength(code) !== code.length) throw new Error(`the script ${name} is not in ASCII`);
  const work = mkdtempSync(join(tmpdir(), "nv-ipam-code-cache-"));
  try {
    const [file, cache, compiler] = [join(work, "code.js"), join(work, "cache"), join(work, "compiler.cjs")];
    writeFileSync(file, code, "latin1");
    writeFileSync(compiler, COMPILER);
    // Without its random seed V8 orders what is in the cache in the same way each time.
    execFileSync(process.execPath, ["--random-seed=1", ...nodeOptions, compiler, file, cache, name, upTo]);
    return readFileSync(cache);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
