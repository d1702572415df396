/** The licences of everything that is in the executable, as one text. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BundledPackage } from "./_bundled_packages.ts";

/** Writes the project's own first, then Node's, then those of the packages. */
export function licensesText(node: BundledPackage, packages: readonly BundledPackage[]): string {
  const own = readFileSync(join(import.meta.dirname, "../LICENSE"), "utf8").trim();
  const line = "=".repeat(80);
  const sections = [node, ...packages].map(
    ({ name, version, licence, licenceText }) =>
      `\n${line}\n${name} ${version}: ${licence}\n${line}\n\n${licenceText}\n`,
  );
  return `nv-ipam is licensed as follows; what it is made of beside its own code, and under which licences, stands below.\n\n${own}\n${sections.join("")}`;
}
