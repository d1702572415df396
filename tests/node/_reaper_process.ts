/** Reads a list of what was made from stdin; at its end, clears that away and exits with 0 when nothing of it is left. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { cgroupPaths, removeCgroup } from "./_cgroup.ts";

/** How long processes get to end by themselves, and what they held to become free. */
const LIMIT_MS = 20_000;

const processes: { readonly pid: number; readonly began: string | undefined }[] = [];
const cgroups: string[] = [];
const directories: string[] = [];
const failures: string[] = [];

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, what] = JSON.parse(line) as [string, string];
  if (kind === "process") processes.push({ pid: Number(what), began: beginning(Number(what)) });
  else if (kind === "cgroup") cgroups.push(what);
  else directories.push(what);
}

for (const { pid, began } of processes) {
  const isThere = (): boolean => began !== undefined && beginning(pid) === began;
  if (await within(() => !isThere())) continue;
  process.kill(pid, "SIGKILL");
  if (!(await within(() => !isThere()))) failures.push(`process ${pid} does not end`);
}
for (const name of cgroups) {
  for (const path of cgroupPaths(name)) {
    if (!(await within(() => removeCgroup(path)))) failures.push(`control group ${path} is in use`);
  }
}
for (const path of directories) {
  if (!(await within(() => removeDirectory(path)))) failures.push(`directory ${path} cannot be removed`);
}
process.stderr.write(failures.join("; "));
process.exitCode = failures.length === 0 ? 0 : 1;

/** When a process began, so that another with its number is not taken for it. */
function beginning(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : rest[18];
  } catch {
    return undefined;
  }
}

function removeDirectory(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Somebody still writes there.
  }
  return !existsSync(path);
}

async function within(isTrue: () => boolean): Promise<boolean> {
  for (const end = performance.now() + LIMIT_MS; performance.now() < end; await delay(20)) if (isTrue()) return true;
  return isTrue();
}
