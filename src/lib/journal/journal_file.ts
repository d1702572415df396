/** One journal that is being written. It is made whole, filled with zeros, and never grows: a sync touches no metadata. */
import type { Disk, DiskFile } from "./disk.ts";
import { FILE_HEADER_BYTES, fileHeader } from "./format.ts";
import { stageFile } from "./staging.ts";

const ZEROS = Buffer.alloc(256 * 1024);

/** What a journal needs to be written again after a restart. */
export interface JournalEnd {
  readonly generation: number;
  /** Length of the file in bytes. */
  readonly size: number;
  /** Bytes of the last record and where they stand; empty when there is none. */
  readonly last: Buffer;
  readonly lastOffset: number;
  /** Where the last byte stands that is not zero, when a record was torn behind the last one. */
  readonly used: number;
}

/** An open journal. Its methods throw what the disk throws. */
export class JournalFile {
  readonly path: string;
  readonly generation: number;
  readonly #file: DiskFile;
  readonly #size: number;
  #position: number;

  private constructor(path: string, generation: number, file: DiskFile, size: number, position: number) {
    this.path = path;
    this.generation = generation;
    this.#file = file;
    this.#size = size;
    this.#position = position;
  }

  /** Makes a journal with room for `capacity` bytes of records, in place of one of that name. */
  static async create(disk: Disk, path: string, generation: number, capacity: number): Promise<JournalFile> {
    const size = FILE_HEADER_BYTES + capacity;
    const staged = await stageFile(disk, path, async (file) => {
      await file.write(0, fileHeader("journal"));
      for (let at = FILE_HEADER_BYTES; at < size; at += ZEROS.length) {
        await file.write(at, ZEROS.subarray(0, Math.min(ZEROS.length, size - at)));
      }
    });
    try {
      await staged.publish();
    } catch (error) {
      await staged.file.close();
      throw error;
    }
    return new JournalFile(path, generation, staged.file, size, FILE_HEADER_BYTES);
  }

  /**
   * Opens a journal that was read, to go on behind its last record. That record is written again before it is synced: when
   * the process that wrote it was told that its sync failed and then died, the kernel still shows bytes that it has given
   * up writing. What is left of a torn record is overwritten with zeros.
   */
  static async reopen(disk: Disk, path: string, end: JournalEnd): Promise<JournalFile> {
    const file = await disk.open(path, "write");
    const position = end.lastOffset + end.last.length;
    try {
      await file.write(end.lastOffset, Buffer.concat([end.last], Math.max(position, end.used) - end.lastOffset));
      await file.sync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return new JournalFile(path, end.generation, file, end.size, position);
  }

  /** Bytes that still have room. */
  get room(): number {
    return this.#size - this.#position;
  }

  /** Bytes of records in the file, and of its first line. */
  get length(): number {
    return this.#position;
  }

  /** Writes a record and waits until it is on the disk. When that fails the file is cut back and must not be used again. */
  async append(record: Buffer): Promise<void> {
    try {
      await this.#file.write(this.#position, record);
      await this.#file.sync();
    } catch (error) {
      // Best effort: what this would remove was never acknowledged, and the next journal begins where it would.
      await this.#file.truncate(this.#position).catch(() => undefined);
      throw error;
    }
    this.#position += record.length;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
