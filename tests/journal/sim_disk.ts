/**
 * A disk in memory that can lose power (see {@link SimStorage}). It can also fail on demand, run full, and ignore a sync.
 */
import { basename, dirname } from "node:path";
import type { Disk, DiskFile, DiskLock } from "../../src/lib/journal/disk.ts";
import type { StoreProblem } from "../../src/lib/journal/problem.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { Random } from "../random.ts";
import { Directory, diskError, Inode, type SimStorage } from "./sim_storage.ts";

/** What a disk is asked for. */
export type Asked = "sync" | "syncDirectory" | "other";

/** What happens when the disk is asked for the n-th thing, or the n-th of that kind, counted from 1. */
export type Fault = {
  readonly at: number;
  readonly of?: Asked;
} /** Power loss or the end of the process, before or after the thing is done; nothing returns from it. */ & (
  | { readonly type: "power" | "kill"; readonly when: "before" | "after" }
  /** The thing fails; of a write the first half is done. */
  | { readonly type: "error"; readonly code: "EIO" | "ENOSPC" }
);

/** How one process sees a storage. */
export interface SimOptions {
  readonly random: Random;
  readonly faults?: readonly Fault[];
  /** The place in the code whose syncs do nothing; of the form that `onSync` tells. */
  readonly ignoredSync?: string;
  /** Told of each thing that is asked for, before it is done: the number of it. */
  readonly onAsk?: (asked: number) => void;
  /** Told of the place in the code of each sync. */
  readonly onSync?: (place: string) => void;
}

/** A process's disk. After a power loss or kill nothing that is asked of it ever returns. */
export class SimDisk implements Disk {
  readonly storage: SimStorage;
  readonly #options: SimOptions;
  readonly #died = Promise.withResolvers<"power" | "kill">();
  #asked = 0;
  readonly #askedFor: Record<Asked, number> = { sync: 0, syncDirectory: 0, other: 0 };
  #isAlive = true;

  constructor(storage: SimStorage, options: SimOptions) {
    this.storage = storage;
    this.#options = options;
  }

  /** Resolves when the process ends by a fault or by {@link end}. */
  get died(): Promise<"power" | "kill"> {
    return this.#died.promise;
  }

  /** How many things were asked for. */
  get asked(): number {
    return this.#asked;
  }

  end(how: "power" | "kill"): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    for (const [path, holder] of this.storage.locks) if (holder === this) this.storage.locks.delete(path);
    if (how === "power") this.storage.losePower(this.#options.random);
    this.#died.resolve(how);
  }

  open(path: string, mode: "read" | "write" | "create"): Promise<DiskFile> {
    return this.ask(() => {
      const directory = this.storage.directory(dirname(path));
      const name = basename(path);
      let node = directory.seen.get(name);
      if (mode === "create") {
        if (node !== undefined) throw diskError("EEXIST", path);
        node = new Inode();
        directory.change({ type: "link", name, node });
      }
      if (node === undefined) throw diskError("ENOENT", path);
      if (node instanceof Directory) throw diskError("EISDIR", path);
      return new SimFile(this, node, path);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.ask(() => {
      const directory = this.storage.directory(dirname(from));
      if (dirname(from) !== dirname(to)) throw diskError("EXDEV", from);
      const node = directory.seen.get(basename(from));
      if (node === undefined) throw diskError("ENOENT", from);
      directory.change({ type: "rename", from: basename(from), to: basename(to), node });
    });
  }

  unlink(path: string): Promise<void> {
    return this.ask(() => {
      const directory = this.storage.directory(dirname(path));
      if (!directory.seen.has(basename(path))) throw diskError("ENOENT", path);
      directory.change({ type: "unlink", name: basename(path) });
    });
  }

  list(directory: string): Promise<string[]> {
    return this.ask(() => [...this.storage.directory(directory).seen.keys()]);
  }

  makeDirectory(path: string): Promise<void> {
    return this.ask(() => {
      const parent = this.storage.directory(dirname(path));
      if (parent.seen.has(basename(path))) throw diskError("EEXIST", path);
      parent.change({ type: "link", name: basename(path), node: new Directory() });
    });
  }

  syncDirectory(path: string): Promise<void> {
    const ignored = this.isIgnored();
    return this.ask(
      () => {
        const directory = this.storage.directory(path);
        if (!ignored) directory.sync();
      },
      undefined,
      "syncDirectory",
    );
  }

  lock(path: string): Result<DiskLock, StoreProblem> {
    if (this.storage.locks.has(path)) return fail({ code: "locked", file: path, message: `${path} is in use` });
    this.storage.locks.set(path, this);
    return ok({ release: () => this.storage.locks.delete(path) });
  }

  /** Does one thing, unless a fault comes in between; `half` is what an error leaves done of it. */
  async ask<T>(work: () => T, half?: () => void, what: Asked = "other"): Promise<T> {
    // Things that are asked for at the same time are done in any order.
    for (let turns = this.#options.random.below(3); turns > 0; turns--) await undefined;
    if (!this.#isAlive) return forever();
    this.#asked++;
    this.#askedFor[what]++;
    this.#options.onAsk?.(this.#asked);
    const fault = this.#options.faults?.find(({ at, of }) =>
      of === undefined ? at === this.#asked : of === what && at === this.#askedFor[what],
    );
    if (fault?.type === "error") {
      half?.();
      throw diskError(fault.code, "injected");
    }
    if (fault?.when === "before") return this.#die(fault.type);
    const result = work();
    if (fault !== undefined) return this.#die(fault.type);
    await undefined;
    return this.#isAlive ? result : forever();
  }

  /** Whether the sync that is being asked for is to be ignored. Call it before the first wait. */
  isIgnored(): boolean {
    const { ignoredSync, onSync } = this.#options;
    if (ignoredSync === undefined && onSync === undefined) return false;
    const place = placeInJournal();
    onSync?.(place);
    return place === ignoredSync;
  }

  #die(how: "power" | "kill"): Promise<never> {
    this.end(how);
    return forever();
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #inode: Inode;
  readonly #path: string;
  #failures: number;

  constructor(disk: SimDisk, inode: Inode, path: string) {
    this.#disk = disk;
    this.#inode = inode;
    this.#path = path;
    this.#failures = inode.failures;
  }

  read(position: number, length: number): Promise<Buffer> {
    return this.#disk.ask(() => Buffer.from(this.#inode.seen.subarray(position, position + length)));
  }

  write(position: number, data: Uint8Array): Promise<void> {
    const copy = Buffer.from(data);
    const put = (part: Buffer): void => {
      const growth = position + part.length - this.#inode.seen.length;
      if (growth > 0 && this.#disk.storage.used() + growth > this.#disk.storage.capacity)
        throw diskError("ENOSPC", this.#path);
      this.#inode.mutate({ at: position, data: part });
    };
    return this.#disk.ask(
      () => put(copy),
      () => put(copy.subarray(0, Math.ceil(copy.length / 2))),
    );
  }

  truncate(length: number): Promise<void> {
    return this.#disk.ask(() => this.#inode.mutate({ length }));
  }

  sync(): Promise<void> {
    const ignored = this.#disk.isIgnored();
    const giveUp = (): void => {
      this.#inode.failSync();
      this.#failures = this.#inode.failures;
    };
    return this.#disk.ask(
      () => {
        if (this.#failures !== this.#inode.failures) {
          this.#failures = this.#inode.failures;
          throw diskError("EIO", this.#path);
        }
        if (!ignored) this.#inode.sync();
      },
      giveUp,
      "sync",
    );
  }

  size(): Promise<number> {
    return this.#disk.ask(() => this.#inode.seen.length);
  }

  close(): Promise<void> {
    return this.#disk.ask(() => undefined);
  }
}

/** Where in src/lib/journal the sync is asked for that this is called in. */
function placeInJournal(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 20;
  const stack = new Error().stack ?? "";
  Error.stackTraceLimit = limit;
  for (const [, file, line] of stack.matchAll(/src\/lib\/journal\/([a-z_]+\.ts):(\d+)/g)) {
    if (file !== "meter.ts") return `${file}:${line}`;
  }
  throw new Error(`no part of the journal asked for this sync:\n${stack}`);
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
