/**
 * What a simulated disk keeps: files and directories as programs see them and as the platters have them. A power loss keeps
 * any part of the difference: sectors of writes are kept, lost or torn one by one, changes of names are kept or lost one by one.
 */
import { basename, dirname } from "node:path";
import type { Random } from "../random.ts";

const SECTOR = 512;

type Mutation = { readonly at: number; readonly data: Buffer } | { readonly length: number };

/** A file's content as programs see it, as the platters have it, and what is between the two. */
export class Inode {
  seen: Buffer = Buffer.alloc(0);
  durable: Buffer = Buffer.alloc(0);
  pending: Mutation[] = [];
  /** How often writing back failed; each open file learns of it once. */
  failures = 0;

  mutate(mutation: Mutation): void {
    this.seen = mutated(this.seen, mutation);
    this.pending.push(mutation);
  }

  sync(): void {
    for (const mutation of this.pending) this.durable = mutated(this.durable, mutation);
    this.pending = [];
  }

  /** As Linux does: what could not be written is taken for written from now on, and shows until it leaves memory. */
  failSync(): void {
    this.pending = [];
    this.failures++;
  }
}

type Entries = Map<string, Inode | Directory>;
type NameChange =
  | { readonly type: "link"; readonly name: string; readonly node: Inode | Directory }
  | { readonly type: "unlink"; readonly name: string }
  | { readonly type: "rename"; readonly from: string; readonly to: string; readonly node: Inode | Directory };

export class Directory {
  seen: Entries = new Map();
  durable: Entries = new Map();
  pending: NameChange[] = [];

  change(change: NameChange): void {
    applyName(this.seen, change);
    this.pending.push(change);
  }

  sync(): void {
    this.pending = [];
    this.durable = new Map(this.seen);
  }
}

/** What stays when a process ends: the platters and the kernel's memory. */
export class SimStorage {
  readonly root = new Directory();
  /** Bytes that all files together may have. */
  capacity: number = Number.POSITIVE_INFINITY;
  /** Paths of locks, and who holds them. */
  readonly locks = new Map<string, object>();

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
    throw diskError(node === undefined ? "ENOENT" : "ENOTDIR", path);
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

function applyName(entries: Entries, nameChange: NameChange): void {
  if (nameChange.type === "unlink") entries.delete(nameChange.name);
  else if (nameChange.type === "link") entries.set(nameChange.name, nameChange.node);
  else {
    if (entries.get(nameChange.from) === nameChange.node) entries.delete(nameChange.from);
    entries.set(nameChange.to, nameChange.node);
  }
}

/** An error such as node:fs has. */
export function diskError(code: string, path: string): Error {
  const limit = Error.stackTraceLimit;
  // Most of these are expected, and their stacks cost more than all the rest.
  Error.stackTraceLimit = 0;
  const made = Object.assign(new Error(`${code}: ${path}`), { code });
  Error.stackTraceLimit = limit;
  return made;
}
