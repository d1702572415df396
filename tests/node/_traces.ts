/** What a cluster could leave behind on this machine. */
import { execFileSync } from "node:child_process";
import { existsSync, globSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { cgroupPaths, cgroupPrefix } from "./_cgroup.ts";

/** By what the traces of a cluster are known. */
export interface Marks {
  /** Processes of which one brings it up. */
  pids: readonly number[];
  /** Where its temporary files are. */
  readonly temporary: string;
}

/** Whose files container runtimes and plugins write when nobody keeps them from it. */
const OWNERS = ["containerd", "kubelet", "cni", "kubernetes"];
/** Where only people change them. */
const SETTLED_PLACES = placesIn("/etc", "/opt");
/** Where those that run on this machine of themselves change them all the time. */
const BUSY_PLACES = placesIn("/run", "/var/lib", "/var/log");
/** containerd's names of network namespaces: others may have some of their own here. */
const NETWORK_NAMESPACES = "/run/netns/cni-*";
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
    ...SETTLED_PLACES.map((path) => [
      path,
      filesBelow(path)
        .map((file) => stampOf(join(path, file)))
        .join("\n"),
    ]),
    ...BUSY_PLACES.map((path) => [path, existsSync(path) ? readdirSync(path).sort().join("\n") : "does not exist"]),
    [NETWORK_NAMESPACES, globSync(NETWORK_NAMESPACES).sort().join("\n")],
    ...SETTINGS.map((name) => [name, readFileSync(`/proc/sys/${name}`, "utf8").trim()]),
  ]);
}

function placesIn(...parents: readonly string[]): readonly string[] {
  return OWNERS.flatMap((name) => parents.map((parent) => `${parent}/${name}`));
}

function stampOf(file: string): string {
  const { size, mtimeMs } = lstatSync(file);
  return `${file} ${size} ${mtimeMs}`;
}

/** While others remove them, they cannot be listed: then the directory alone. */
function filesBelow(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: "utf8" });
  } catch {
    return existsSync(directory) ? [directory] : [];
  }
}

/**
 * Processes that name the directory, inherited its name with their environment, or have something of it mounted in whatever
 * namespace: there it is known by its last part where a file system of its own is above it.
 */
function processesWith(directory: string): readonly string[] {
  const name = basename(directory);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => ["cmdline", "environ", "mountinfo"].some((file) => read(`/proc/${pid}/${file}`).includes(name)))
    .map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ")}`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
