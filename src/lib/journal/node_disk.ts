/** The file system of the machine. */
import * as fs from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { fail, ok, type Result } from "../result.ts";
import type { Disk, DiskFile, DiskLock } from "./disk.ts";
import { errno, failure, type StoreProblem } from "./problem.ts";

const open = promisify(fs.open);
const close = promisify(fs.close);
const read = promisify(fs.read);
const write = promisify(fs.write);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const ftruncate = promisify(fs.ftruncate);
const fstat = promisify(fs.fstat);

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants;
const FLAGS = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_EXCL };
/** Bytes that are copied to the kernel's cache in less time than it takes to wake a thread that does it. */
const SMALL = 32 * 1024;
const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

class NodeFile implements DiskFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await read(this.#fd, buffer, done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return buffer.subarray(0, done);
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const length = data.length - done;
      done +=
        length <= SMALL
          ? fs.writeSync(this.#fd, data, done, length, position + done)
          : (await write(this.#fd, data, done, length, position + done)).bytesWritten;
    }
  }

  truncate(length: number): Promise<void> {
    return ftruncate(this.#fd, length);
  }

  sync(): Promise<void> {
    return fdatasync(this.#fd);
  }

  async size(): Promise<number> {
    return (await fstat(this.#fd)).size;
  }

  close(): Promise<void> {
    return close(this.#fd);
  }
}

/** {@link Disk} on node:fs and, for the lock, node:sqlite. */
export const nodeDisk: Disk = {
  open: async (path, mode) => new NodeFile(await open(path, FLAGS[mode], 0o600)),
  rename: promisify(fs.rename),
  unlink: promisify(fs.unlink),
  list: (directory) => promisify(fs.readdir)(directory),
  makeDirectory: (path) => promisify(fs.mkdir)(path, 0o700).then(() => undefined),
  syncDirectory: async (path) => {
    const fd = await open(path, O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await fsync(fd);
    } finally {
      await close(fd);
    }
  },
  lock,
};

/**
 * An exclusive transaction that is never committed: a kernel lock on the file's inode, seen from every network and mount
 * namespace, that the end of the process frees. Nothing is ever written to the file.
 */
function lock(path: string): Result<DiskLock, StoreProblem> {
  let database: DatabaseSync | undefined;
  try {
    // Closed before SQLite opens it: closing any descriptor of the file would drop this process's lock.
    fs.closeSync(fs.openSync(path, O_RDWR | O_CREAT, 0o600));
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    if (database?.isOpen) database.close();
    return fail(lockProblem(path, error));
  }
  const held = database;
  return ok({ release: () => held.close() });
}

function lockProblem(path: string, error: unknown): StoreProblem {
  const sqlite = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  if (sqlite === SQLITE_BUSY) {
    const message = `the store is in use: another nv-ipam process holds ${path}: stop it first (fuser ${path} names it)`;
    return { code: "locked", file: path, message };
  }
  if (sqlite === SQLITE_NOTADB) {
    const message = `${path} is no lock file: remove it when no nv-ipam daemon is running`;
    return { code: "io", file: path, message };
  }
  return failure("io", path, errno(error) === "" ? "cannot lock the store" : "cannot open the lock file", error)
    .problem;
}
