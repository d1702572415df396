/** docs/metrics.md as a table. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROLES = ["controller", "node", "standalone"] as const;

export type Role = (typeof ROLES)[number];

export interface Documented {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Sorted. */
  readonly labels: readonly string[];
  readonly roles: readonly Role[];
}

const TEXT = readFileSync(join(import.meta.dirname, "../../docs/metrics.md"), "utf8");

export const documented: readonly Documented[] = [
  ...TEXT.matchAll(/^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$/gm),
].map(([, name = "", type = "", labels = "", help = "", where = ""]) => ({
  name,
  type,
  help,
  labels: words(labels).sort(),
  roles: where === "all" ? ROLES : ROLES.filter((role) => where.split(", ").includes(role)),
}));

/** What the text names as code: values of labels among them. */
export const named: ReadonlySet<string> = new Set(words(TEXT));

function words(text: string): string[] {
  return [...text.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word);
}
