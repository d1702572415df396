/** What the kernel says about a running process. */
import { readdirSync, readFileSync } from "node:fs";

const MEGABYTE = 1e6;

/** What of a process is in memory, in megabytes (10^6 bytes). */
export interface Resident {
  readonly all: number;
  /** Pages that no file stands behind: what the process itself has written. */
  readonly anonymous: number;
}

/** What of the process is in memory now. */
export function resident(pid: number): Resident {
  const status = `/proc/${pid}/status`;
  const megabytes = (name: string): number => (kilobytes(status, name) * 1024) / MEGABYTE;
  return { all: megabytes("VmRSS"), anonymous: megabytes("RssAnon") };
}

/** Megabytes that were in memory when these were most. */
export function peakMegabytes(pid: number): number {
  return (kilobytes(`/proc/${pid}/status`, "VmHWM") * 1024) / MEGABYTE;
}

/**
 * Megabytes that are the process's own: what one more process of this kind costs. Pages of its file are not in it; whether
 * they count as private, or as dirty, depends on who else runs the same file and on when it was written.
 */
export function privateMegabytes(pid: number): number {
  return (kilobytes(`/proc/${pid}/smaps_rollup`, "Anonymous") * 1024) / MEGABYTE;
}

/** Milliseconds of CPU that the threads which still live have used. */
export function cpuMilliseconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number.parseInt(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"), 10);
  }
  return nanoseconds / 1e6;
}

/**
 * Bytes that the process has dirtied in the page cache so far. The disk takes whole blocks, so most of what a small commit costs
 * is the rest of its block. Kernels that keep files in large folios (ext4 from Linux 6.16 on) count a whole folio for each
 * block: the figure is then an upper bound, and depends on how many calls share a commit.
 */
export function bytesToDisk(pid: number): number {
  return bytes(pid, "write_bytes");
}

/** Bytes that the process has handed to write(2) and its like so far, to files and sockets. */
export function bytesHandedOver(pid: number): number {
  return bytes(pid, "wchar");
}

function bytes(pid: number, name: string): number {
  const [, value] = new RegExp(`^${name}: (\\d+)$`, "m").exec(readFileSync(`/proc/${pid}/io`, "utf8")) ?? [];
  if (value === undefined) throw new Error(`the kernel does not count what process ${pid} writes`);
  return Number(value);
}

function kilobytes(file: string, name: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(file, "utf8")) ?? [];
  if (value === undefined) throw new Error(`${file} does not say ${name}`);
  return Number(value);
}
