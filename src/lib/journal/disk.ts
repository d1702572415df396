/**
 * What the store needs of a file system. The real one is in node_disk.ts; tests have one that forgets, at any instant,
 * what was not synced. Every method throws (rejects with) an error whose `code` is an errno name.
 */
import type { Result } from "../result.ts";
import { errno, type StoreProblem } from "./problem.ts";

/** An open file. Positions and lengths are in bytes. */
export interface DiskFile {
  /** Fewer bytes than asked for where the file ends. The buffer is the caller's. */
  read(position: number, length: number): Promise<Buffer>;
  /** All of the data, or an error; after an error any part of it may have been written. */
  write(position: number, data: Uint8Array): Promise<void>;
  truncate(length: number): Promise<void>;
  /** fdatasync: the content is on the disk, with the metadata needed to read it back; the name is the directory's matter. */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Keeps other processes out until it is released, or its process ends. */
export interface DiskLock {
  release(): void;
}

/** A file system. */
export interface Disk {
  /** `create`: mode 0600, EEXIST when there is something of that name. `read` and `write`: ENOENT when there is nothing. */
  open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in a directory, in no particular order. */
  list(directory: string): Promise<string[]>;
  /** Mode 0700; EEXIST when it is there, ENOENT when its parent is not. */
  makeDirectory(path: string): Promise<void>;
  /** The names in the directory are on the disk as they are now. */
  syncDirectory(path: string): Promise<void>;
  /** Takes the lock file `path`, made when missing, or says why it cannot: `locked` when another process has it. */
  lock(path: string): Result<DiskLock, StoreProblem>;
}

/** The whole content of a file, or undefined when there is none. */
export async function readWhole(disk: Disk, path: string): Promise<Buffer | undefined> {
  return readStart(disk, path, Number.POSITIVE_INFINITY);
}

/** The first `length` bytes of a file (fewer where it is shorter), or undefined when there is none. */
export async function readStart(disk: Disk, path: string, length: number): Promise<Buffer | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, "read");
  } catch (error) {
    if (errno(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    return await file.read(0, Math.min(length, await file.size()));
  } finally {
    await file.close();
  }
}

/**
 * Gives the memory of a buffer back at once; it must not be used any more. Otherwise it is found when enough new objects have been
 * made, which takes a daemon that has nothing to do for ever. Memory that other buffers share is left alone.
 */
export function discard({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
