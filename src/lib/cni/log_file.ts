/** The plugin's log file on disk. Many plugins write to it at once; no lock is taken. */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { hasCode } from "../disk/has_code.ts";

/** When the file is set aside, and what is kept of those set aside before. */
export interface LogLimits {
  /** The file is set aside before a line is added to one of at least this many bytes. */
  readonly maxBytes: number;
  /** Number of files set aside that are kept. */
  readonly maxFiles: number;
  /** How long they are kept, in milliseconds. */
  readonly maxAgeMs: number;
}

/** As the original: 100 MB, five old files, five days. */
export const LOG_LIMITS: LogLimits = { maxBytes: 100 * 1024 * 1024, maxFiles: 5, maxAgeMs: 5 * 24 * 3600 * 1000 };

const MODE = 0o644;
/** Of the directories that are made, as the original; less the umask. */
const DIRECTORY_MODE = 0o755;

// O_NOFOLLOW refuses a symbolic link; O_NONBLOCK keeps a pipe without a reader from holding the call up.
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * Adds text to the log file, which is created, with its directory, when it does not exist, and set aside when it is full.
 * Never throws: a log that cannot be written is no reason for a call to fail.
 *
 * @param now milliseconds since the epoch.
 */
export function appendToLog(path: string, text: string, now: number, limits: LogLimits = LOG_LIMITS): void {
  try {
    let file = openLog(path);
    try {
      if (setAsideIfFull(path, file, now, limits)) {
        const full = file;
        file = openLog(path);
        closeSync(full);
      }
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
  } catch {
    // See above.
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, FLAGS);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  try {
    return createLog(path);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  makeDirectory(dirname(path));
  return createLog(path);
}

function createLog(path: string): number {
  try {
    const created = openSync(path, FLAGS | constants.O_CREAT | constants.O_EXCL, MODE);
    // The runtime's umask may have taken rights away.
    fchmodSync(created, MODE);
    return created;
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    return openSync(path, FLAGS);
  }
}

/** As `disk/make_directory.ts`, which says why without `recursive`; that one would load node:fs/promises at each call. */
function makeDirectory(path: string): void {
  try {
    mkdirUnlessThere(path);
  } catch (error) {
    const parent = dirname(path);
    if (!hasCode(error, "ENOENT") || parent === path) throw error;
    makeDirectory(parent);
    mkdirUnlessThere(path);
  }
}

function mkdirUnlessThere(path: string): void {
  try {
    mkdirSync(path, DIRECTORY_MODE);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

function setAsideIfFull(path: string, file: number, now: number, limits: LogLimits): boolean {
  const full = fstatSync(file);
  if (!full.isFile() || full.size < limits.maxBytes) return false;
  try {
    const present = lstatSync(path);
    // Where another plugin has set this file aside already, the one that is there now is new.
    if (present.ino !== full.ino || present.dev !== full.dev) return true;
    const aside = asideName(path, now);
    if (existsSync(aside)) return false;
    renameSync(path, aside);
    removeOld(path, now, limits);
    return true;
  } catch (error) {
    return hasCode(error, "ENOENT");
  }
}

/** `dir/name-2026-11-22T07-52-03.123-PID.ext`: as the original names them, with a process id so that no two are the same. */
function asideName(path: string, now: number): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  const time = new Date(now).toISOString().replaceAll(":", "-").replace("Z", "");
  return join(dirname(path), `${stem}-${time}-${process.pid}${extension}`);
}

function removeOld(path: string, now: number, limits: LogLimits): void {
  const extension = extname(path);
  const stem = basename(path, extension);
  const oldest = new Date(now - limits.maxAgeMs).toISOString().replaceAll(":", "-");
  const aside = readdirSync(dirname(path))
    .map((name) => ({ name, time: asideTime(name, stem, extension) }))
    .filter((entry) => entry.time !== undefined)
    .sort((a, b) => (a.name < b.name ? 1 : -1));
  aside.forEach(({ name, time }, age) => {
    if (age >= limits.maxFiles || (time ?? "") < oldest) tryUnlink(join(dirname(path), name));
  });
}

function asideTime(name: string, stem: string, extension: string): string | undefined {
  if (!name.startsWith(`${stem}-`) || !name.endsWith(extension)) return undefined;
  const middle = name.slice(stem.length + 1, name.length - extension.length);
  return /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})(?:-\d+)?$/.exec(middle)?.[1];
}

function tryUnlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Another plugin was faster, or it stays until the next time.
  }
}
