/**
 * A disk in memory that can lose power: then any part of what was not synced is gone. Sectors of writes are kept, lost or
 * torn one by one, changes of names are kept or lost one by one. It can also fail on demand, run full, and ignore a sync.
 */
import { basename, dirname } from "node:path";
import type { Disk, DiskFile, DiskLock } from "../../src/lib/journal/disk.ts";
import type { StoreProblem } from "../../src/lib/journal/problem.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { Random } from "../random.ts";

const SECTOR = 512;

type Mutation = { readonly at: number; readonly data: Buffer } | { readonly length: number };

/** A file's content as programs see it, as the platters have it, and what is between the two. */
class Inode {
  seen: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  pending: Mutation[] = [];
  /** How often writing back failed; each open file learns of it once. */
  failures = 0;
}

type Entries = Map<string, Inode | Directory>;
type NameChange =
  | { readonly type: "link"; readonly name: string; readonly node: Inode | Directory }
  | { readonly type: "unlink"; readonly name: string }
  | { readonly type: "rename"; readonly from: string; readonly to: string; readonly node: Inode | Directory };

class Directory {
  seen: Entries = new Map();
  durable: Entries = new Map();
  pending: NameChange[] = [];
}

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

/** What stays when a process ends: the platters and the kernel's memory. */
export class SimStorage {
  readonly root = new Directory();
  /** Bytes that all files together may have. */
  capacity: number = Number.POSITIVE_INFINITY;
  readonly locks = new Map<string, SimDisk>();

  constructor() {
    this.root.seen.set("var", new Directory());
    this.root.durable = new Map(this.root.seen);
  }

  /** Forgets a random part of what was not synced. */
  losePower(random: Random): void {
    const share = random.pick([0, 0.1, 0.5, 0.9, 1]);
    const keeps = (): boolean => random.below(1000) < share * 1000;
    const visit = (directory: Directory): void => {
      for (const change of directory.pending) if (keeps()) applyName(directory.durable, change);
      directory.pending = [];
      directory.seen = new Map(directory.durable);
      for (const node of directory.seen.values()) {
        if (node instanceof Directory) visit(node);
        else losePending(node, random, keeps);
      }
    };
    visit(this.root);
  }

  /** The content of a file as programs see it. */
  content(path: string): Buffer | undefined {
    const node = this.lookup(path);
    return node instanceof Inode ? Buffer.from(node.seen) : undefined;
  }

  /** Makes a directory, durably. */
  makeDirectory(path: string): void {
    const parent = this.directory(dirname(path));
    const directory = new Directory();
    parent.seen.set(basename(path), directory);
    parent.durable.set(basename(path), directory);
  }

  /** Puts a file there, durably. */
  put(path: string, content: Buffer): void {
    const directory = this.directory(dirname(path));
    const inode = new Inode();
    inode.seen = Buffer.from(content);
    inode.durable = Buffer.from(content);
    directory.seen.set(basename(path), inode);
    directory.durable.set(basename(path), inode);
  }

  /** Removes a file, durably. */
  remove(path: string): void {
    const directory = this.directory(dirname(path));
    directory.seen.delete(basename(path));
    directory.durable.delete(basename(path));
  }

  /** Paths of all files in a directory; none when it is not there. */
  paths(directory: string): string[] {
    const node = this.lookup(directory);
    return node instanceof Directory ? [...node.seen.keys()].sort().map((name) => `${directory}/${name}`) : [];
  }

  /** An equal storage that goes its own way. */
  copy(): SimStorage {
    const copies = new Map<Inode | Directory, Inode | Directory>();
    const copyNode = (node: Inode | Directory): Inode | Directory => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node instanceof Inode) {
        const inode = Object.assign(new Inode(), node, { pending: [...node.pending] });
        inode.seen = Buffer.from(node.seen);
        inode.durable = Buffer.from(node.durable);
        copies.set(node, inode);
        return inode;
      }
      const directory = new Directory();
      copies.set(node, directory);
      for (const [name, child] of node.seen) directory.seen.set(name, copyNode(child));
      for (const [name, child] of node.durable) directory.durable.set(name, copyNode(child));
      directory.pending = node.pending.map((change) =>
        change.type === "unlink" ? change : { ...change, node: copyNode(change.node) },
      );
      return directory;
    };
    const storage = new SimStorage();
    Object.assign(storage, { root: copyNode(this.root), capacity: this.capacity });
    return storage;
  }

  used(directory: Directory = this.root): number {
    let sum = 0;
    for (const node of directory.seen.values()) sum += node instanceof Inode ? node.seen.length : this.used(node);
    return sum;
  }

  directory(path: string): Directory {
    const node = this.lookup(path);
    if (node instanceof Directory) return node;
    throw error(node === undefined ? "ENOENT" : "ENOTDIR", path);
  }

  lookup(path: string): Inode | Directory | undefined {
    let node: Inode | Directory | undefined = this.root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (!(node instanceof Directory)) return undefined;
      node = node.seen.get(name);
    }
    return node;
  }
}

/** How one process sees a storage. */
export interface SimOptions {
  readonly random: Random;
  readonly faults?: readonly Fault[];
  /** The place in the code whose syncs do nothing; see {@link syncPlaces}. */
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
        if (node !== undefined) throw error("EEXIST", path);
        node = new Inode();
        change(directory, { type: "link", name, node });
      }
      if (node === undefined) throw error("ENOENT", path);
      if (node instanceof Directory) throw error("EISDIR", path);
      return new SimFile(this, node, path);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.ask(() => {
      const directory = this.storage.directory(dirname(from));
      if (dirname(from) !== dirname(to)) throw error("EXDEV", from);
      const node = directory.seen.get(basename(from));
      if (node === undefined) throw error("ENOENT", from);
      change(directory, { type: "rename", from: basename(from), to: basename(to), node });
    });
  }

  unlink(path: string): Promise<void> {
    return this.ask(() => {
      const directory = this.storage.directory(dirname(path));
      if (!directory.seen.has(basename(path))) throw error("ENOENT", path);
      change(directory, { type: "unlink", name: basename(path) });
    });
  }

  list(directory: string): Promise<string[]> {
    return this.ask(() => [...this.storage.directory(directory).seen.keys()]);
  }

  makeDirectory(path: string): Promise<void> {
    return this.ask(() => {
      const parent = this.storage.directory(dirname(path));
      if (parent.seen.has(basename(path))) throw error("EEXIST", path);
      change(parent, { type: "link", name: basename(path), node: new Directory() });
    });
  }

  syncDirectory(path: string): Promise<void> {
    const ignored = this.isIgnored();
    return this.ask(
      () => {
        const directory = this.storage.directory(path);
        if (ignored) return;
        directory.pending = [];
        directory.durable = new Map(directory.seen);
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
      throw error(fault.code, "injected");
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
        throw error("ENOSPC", this.#path);
      this.#mutate({ at: position, data: part });
    };
    return this.#disk.ask(
      () => put(copy),
      () => put(copy.subarray(0, Math.ceil(copy.length / 2))),
    );
  }

  truncate(length: number): Promise<void> {
    return this.#disk.ask(() => this.#mutate({ length }));
  }

  sync(): Promise<void> {
    const ignored = this.#disk.isIgnored();
    const giveUp = (): void => {
      // As Linux does: what could not be written is taken for written from now on, and shows until it leaves memory.
      this.#inode.pending = [];
      this.#inode.failures++;
      this.#failures = this.#inode.failures;
    };
    return this.#disk.ask(
      () => {
        if (this.#failures !== this.#inode.failures) {
          this.#failures = this.#inode.failures;
          throw error("EIO", this.#path);
        }
        if (ignored) return;
        for (const mutation of this.#inode.pending) this.#inode.durable = mutated(this.#inode.durable, mutation);
        this.#inode.pending = [];
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

  #mutate(mutation: Mutation): void {
    this.#inode.seen = mutated(this.#inode.seen, mutation);
    this.#inode.pending.push(mutation);
  }
}

function losePending(inode: Inode, random: Random, keeps: () => boolean): void {
  for (const mutation of inode.pending) {
    if ("length" in mutation) {
      if (keeps()) inode.durable = mutated(inode.durable, mutation);
      continue;
    }
    const { at, data } = mutation;
    for (let start = 0; start < data.length; ) {
      const end = Math.min(data.length, start + SECTOR - ((at + start) % SECTOR));
      const tornAt = random.below(16) === 0 ? start + random.below(end - start) : end;
      if (keeps()) inode.durable = mutated(inode.durable, { at: at + start, data: data.subarray(start, tornAt) });
      start = end;
    }
  }
  // The length is metadata, which may be ahead of the content.
  if (inode.seen.length > inode.durable.length && keeps()) {
    inode.durable = Buffer.concat([inode.durable], inode.seen.length);
  }
  inode.pending = [];
  inode.seen = Buffer.from(inode.durable);
  inode.failures = 0;
}

/** Small writes within the file are made in place. */
function mutated(content: Buffer, mutation: Mutation): Buffer {
  if ("length" in mutation) return Buffer.concat([content.subarray(0, mutation.length)], mutation.length);
  const { at, data } = mutation;
  const result = at + data.length > content.length ? Buffer.concat([content], at + data.length) : content;
  data.copy(result, at);
  return result;
}

function change(directory: Directory, nameChange: NameChange): void {
  applyName(directory.seen, nameChange);
  directory.pending.push(nameChange);
}

function applyName(entries: Entries, nameChange: NameChange): void {
  if (nameChange.type === "unlink") entries.delete(nameChange.name);
  else if (nameChange.type === "link") entries.set(nameChange.name, nameChange.node);
  else {
    if (entries.get(nameChange.from) === nameChange.node) entries.delete(nameChange.from);
    entries.set(nameChange.to, nameChange.node);
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

function error(code: string, path: string): Error {
  const limit = Error.stackTraceLimit;
  // Most of these are expected, and their stacks cost more than all the rest.
  Error.stackTraceLimit = 0;
  const made = Object.assign(new Error(`${code}: ${path}`), { code });
  Error.stackTraceLimit = limit;
  return made;
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
