/** `--vmodule`: verbosity for single parts of the program. */
import { fail, ok, type Result } from "../result.ts";

/** Parts whose name matches the pattern (as Go's filepath.Match has it) log up to this level. */
export interface ModuleLevel {
  readonly pattern: string;
  readonly level: number;
}

/** Reads `pattern=N,…`. Empty items are passed over. */
export function parseModuleLevels(text: string): Result<readonly ModuleLevel[], string> {
  const levels: ModuleLevel[] = [];
  for (const item of text.split(",").filter((part) => part !== "")) {
    const [, pattern, digits] = /^([^=]+)=(\d+)$/.exec(item) ?? [];
    const level = Number(digits);
    if (pattern === undefined || level >= 2 ** 31) {
      return fail(`"${item}" is not pattern=N; name a part of the program and its level, such as store=4`);
    }
    levels.push({ pattern, level });
  }
  return ok(levels);
}

/** The level for a part: that of the first pattern that matches its name, else 0. */
export function levelOf(levels: readonly ModuleLevel[], name: string): number {
  return levels.find(({ pattern }) => expression(pattern)?.test(name))?.level ?? 0;
}

/** @returns undefined for a pattern that is none: it matches nothing, as in the original. */
function expression(pattern: string): RegExp | undefined {
  const source = pattern.replaceAll(/\[\^?[^\]]+\]|\\?./gsu, (token) => {
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.startsWith("[") && token.length > 1) return token;
    return token.replace(/^\\(?=.)/su, "").replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  });
  try {
    return new RegExp(`^${source}$`, "u");
  } catch {
    return undefined;
  }
}
