/**
 * The main script as V8 compiles it, all functions of it. The code cache that Node makes for a single executable lacks those
 * that are not compiled before anything runs, which is nearly all that a plugin call needs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** V8 takes a cache only under the flags of its making, and looks at them when the cache is made. */
const COMPILER = `
const [, , code, cache] = process.argv;
const { readFileSync, writeFileSync } = require("node:fs");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");
setFlagsFromString("--no-lazy");
const script = new Script(readFileSync(code, "latin1"), { filename: "main" });
setFlagsFromString("--lazy");
writeFileSync(cache, script.createCachedData());
`;

/**
 * Makes the code cache of a script, the same for the same script.
 *
 * @param script in ASCII
 * @param nodeOptions under which it will run
 */
export function makeCodeCache(script: string, nodeOptions: readonly string[]): Buffer {
  const work = mkdtempSync(join(tmpdir(), "nv-ipam-code-cache-"));
  try {
    const [code, cache, compiler] = [join(work, "main.js"), join(work, "main.cache"), join(work, "compiler.cjs")];
    writeFileSync(code, script, "latin1");
    writeFileSync(compiler, COMPILER);
    // Without its random seed V8 orders what is in the cache in the same way each time.
    execFileSync(process.execPath, ["--random-seed=1", ...nodeOptions, compiler, code, cache]);
    return readFileSync(cache);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
