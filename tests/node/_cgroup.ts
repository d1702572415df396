/** Control groups that are a machine's own, in one hierarchy for all controllers (version 2) or one for each (version 1). */
import { existsSync, globSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";

/** How the names of the groups begin that belong to the clusters of a process. */
export function cgroupPrefix(pid: number): string {
  return `nv-ipam-test-${pid}-`;
}

/** Makes a group of this name at the top of every hierarchy. */
export function makeCgroup(name: string): void {
  for (const path of cgroupPaths(name)) mkdirSync(path, { recursive: true });
}

/** Where groups of this name could be. */
export function cgroupPaths(name: string): readonly string[] {
  return hierarchies().map((hierarchy) => join(hierarchy, name));
}

function hierarchies(): readonly string[] {
  const isHierarchy = (path: string): boolean => existsSync(join(path, "cgroup.procs"));
  return isHierarchy(ROOT) ? [ROOT] : globSync(`${ROOT}/*/`).filter(isHierarchy);
}

/** Removes a group with those inside it. @returns whether it is gone: one with processes stays. */
export function removeCgroup(path: string): boolean {
  const inside = globSync(`${path}/**/`).sort((a, b) => b.length - a.length);
  for (const directory of [...inside, path]) {
    try {
      rmdirSync(directory);
    } catch {
      // In use still, or gone with one above.
    }
  }
  return !existsSync(path);
}
