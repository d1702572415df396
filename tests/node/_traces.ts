/** What a cluster could leave behind on this machine. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { cgroupPaths, cgroupPrefix } from "./_cgroup.ts";

/** By what the traces of a cluster are known. */
export interface Marks {
  /** Processes of which one brings it up. */
  pids: readonly number[];
  /** Where its temporary files are. */
  readonly temporary: string;
}

/** Where container runtimes and plugins write when nobody keeps them from it. */
const USUAL_PLACES = ["containerd", "kubelet", "cni", "kubernetes"].flatMap((name) =>
  ["/etc", "/opt", "/run", "/var/lib", "/var/log"].map((parent) => `${parent}/${name}`),
);
/** What kubelet sets in the kernel. */
const SETTINGS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
];

/** Processes, mounts, links, control groups and files of a cluster that are still there, a sentence each. */
export function traces({ pids, temporary }: Marks): readonly string[] {
  const links = JSON.parse(execFileSync("ip", ["-j", "link", "show"], { encoding: "utf8" })) as { ifname: string }[];
  return [
    ...processesWith(temporary),
    ...links.filter(({ ifname }) => pids.some((pid) => ifname === `nvt${pid}`)).map(({ ifname }) => `link ${ifname}`),
    ...globSync(pids.flatMap((pid) => cgroupPaths(`${cgroupPrefix(pid)}*`))).map((path) => `control group ${path}`),
    ...filesBelow(temporary)
      .slice(0, 10)
      .map((file) => `file ${file}`),
  ];
}

/** The machine's own things that a cluster must not touch, as they are now. */
export function machineState(): Readonly<Record<string, string>> {
  return Object.fromEntries([
    ...USUAL_PLACES.map((path) => [path, existsSync(path) ? "exists" : "does not exist"]),
    ...SETTINGS.map((name) => [name, readFileSync(`/proc/sys/${name}`, "utf8").trim()]),
  ]);
}

/** While others remove them, they cannot be listed: then the directory alone. */
function filesBelow(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch {
    return existsSync(directory) ? [directory] : [];
  }
}

/** Processes that name the directory, or have something of it mounted in whatever namespace. */
function processesWith(directory: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => ["cmdline", "mountinfo"].some((file) => read(`/proc/${pid}/${file}`).includes(directory)))
    .map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
