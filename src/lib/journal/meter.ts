/** Counts what a store asks of its disk, for metrics. */
import type { Disk, DiskFile } from "./disk.ts";

/** Totals since the store was opened. */
export interface DiskUse {
  readonly bytesWritten: number;
  /** Syncs of files and of directories. */
  readonly syncs: number;
  /** Writes, syncs, new names and new files that failed. */
  readonly errors: number;
}

/** A disk that counts what goes through it to another one. */
export class MeteredDisk implements Disk {
  readonly #disk: Disk;
  readonly #use = { bytesWritten: 0, syncs: 0, errors: 0 };

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get use(): DiskUse {
    return { ...this.#use };
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    const opening = this.#disk.open(path, mode);
    const file = await (mode === "create" ? this.#counted(opening) : opening);
    return {
      read: (position, length) => file.read(position, length),
      write: (position, data) => {
        this.#use.bytesWritten += data.length;
        return this.#counted(file.write(position, data));
      },
      truncate: (length) => file.truncate(length),
      sync: () => {
        this.#use.syncs++;
        return this.#counted(file.sync());
      },
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  syncDirectory(path: string): Promise<void> {
    this.#use.syncs++;
    return this.#counted(this.#disk.syncDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#counted(this.#disk.rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return this.#disk.unlink(path);
  }

  list(directory: string): Promise<string[]> {
    return this.#disk.list(directory);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  lock(path: string): ReturnType<Disk["lock"]> {
    return this.#disk.lock(path);
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#use.errors++;
      throw error;
    }
  }
}
