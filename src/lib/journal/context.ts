/** What the parts of an open store share. */
import type { Disk } from "./disk.ts";
import type { StoreFiles } from "./files.ts";

/** How large the parts of a store are, all in bytes. */
export interface StoreSizes {
  /** Room of a journal beside the reserve. Default 1 MiB. */
  readonly journal: number;
  /**
   * Room kept for releases when nothing more can be had from the disk, beside that for a record for each reservation.
   * Default 64 KiB.
   */
  readonly reserve: number;
  /** Journals of this size at least, and of twice the size of the last snapshot, are summed up in a new one. Default 2 MiB. */
  readonly snapshotAfter: number;
}

/** The sizes used when none are given. */
export const DEFAULT_SIZES: StoreSizes = {
  journal: 1024 * 1024,
  reserve: 64 * 1024,
  snapshotAfter: 2 * 1024 * 1024,
};

/** What the store works with. */
export interface StoreContext {
  readonly disk: Disk;
  readonly files: StoreFiles;
  readonly sizes: StoreSizes;
  /** See StoreOptions. */
  readonly rebuilds: boolean;
  /** Told about problems that no caller waits for. */
  readonly warn: (message: string) => void;
  /** Told how many seconds a record took until it was on the disk. */
  readonly committed: (seconds: number) => void;
}
