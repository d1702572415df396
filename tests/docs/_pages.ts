/** The project's documents: README, docs and the like. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

export interface Page {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
}

export const pages: readonly Page[] = globSync(["*.md", "docs/**/*.md", "manifests/**/*.md", "charts/**/*.md"], {
  cwd: ROOT,
})
  .sort()
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));

export function page(path: string): string {
  const found = pages.find((each) => each.path === path);
  if (found === undefined) throw new Error(`${path} is missing`);
  return found.text;
}

/** Without what is shown as code: fenced, indented or between backticks. */
export function withoutCode(text: string): string {
  return text
    .replaceAll(/^( *)(```+)[\s\S]*?^\1\2 *$/gm, "")
    .replaceAll(/(?<=^\n)(?: {4}.*\n|\n(?= {4}))+/gm, "")
    .replaceAll(/`[^`\n]*`/g, "`");
}
