/** Counts what a store asks of its disk, for metrics. */
import type { Disk, DiskFile } from "./disk.ts";

/** Totals since the store was opened. */
export interface DiskUse {
  readonly bytesWritten: number;
  /** Syncs of files and of directories. */
  readonly syncs: number;
  /** How long the last sync of a file took. */
  readonly lastSyncSeconds: number;
}

/** A disk that counts what goes through it to another one. */
export class MeteredDisk implements Disk {
  readonly #disk: Disk;
  readonly #use = { bytesWritten: 0, syncs: 0, lastSyncSeconds: 0 };

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  get use(): DiskUse {
    return { ...this.#use };
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    return {
      read: (position, length) => file.read(position, length),
      write: (position, data) => {
        this.#use.bytesWritten += data.length;
        return file.write(position, data);
      },
      truncate: (length) => file.truncate(length),
      sync: async () => {
        this.#use.syncs++;
        const start = performance.now();
        await file.sync();
        this.#use.lastSyncSeconds = (performance.now() - start) / 1000;
      },
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  syncDirectory(path: string): Promise<void> {
    this.#use.syncs++;
    return this.#disk.syncDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
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
}
