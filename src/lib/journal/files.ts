/** The names of a store's files, all derived from `--store-file`. */
import { basename, dirname, join } from "node:path";
import type { Disk } from "./disk.ts";
import type { FileKind } from "./format.ts";
import { errno } from "./problem.ts";

/** Which generations of a store exist, in ascending order. */
export interface StoreListing {
  readonly snapshots: readonly number[];
  readonly journals: readonly number[];
  /** Generations that imports set aside. */
  readonly replaced: readonly number[];
  /** Paths of files that were being written when a process ended. */
  readonly unfinished: readonly string[];
}

/** Names the files of one store. Snapshot n holds what was before journal n. */
export class StoreFiles {
  readonly storeFile: string;
  readonly directory: string;
  readonly #name: string;

  /** @param storeFile the path given by `--store-file`: the original's store file, which is ours to replace. */
  constructor(storeFile: string) {
    this.storeFile = storeFile;
    this.directory = dirname(storeFile);
    this.#name = basename(storeFile);
  }

  get lock(): string {
    return `${this.storeFile}.lock`;
  }

  path(kind: FileKind, generation: number): string {
    return `${this.storeFile}.${kind}.${generation}`;
  }

  /** Where a file goes that is no longer used but may be wanted by people. */
  aside(why: "damaged" | "replaced", generation: number, what: FileKind | "store"): string {
    return `${this.storeFile}.${why}.${generation}.${what}`;
  }

  /** What is there; nothing when the directory is missing. */
  async list(disk: Disk): Promise<StoreListing> {
    const snapshots: number[] = [];
    const journals: number[] = [];
    const replaced = new Set<number>();
    const unfinished: string[] = [];
    for (const name of await namesIn(disk, this.directory)) {
      if (!name.startsWith(this.#name)) continue;
      const rest = name.slice(this.#name.length);
      const [, aside] = /^\.replaced\.([1-9]\d{0,14})\.(?:snapshot|journal)$/.exec(rest) ?? [];
      if (aside !== undefined) replaced.add(Number(aside));
      const match = /^(?:\.(snapshot|journal)\.([1-9]\d{0,14}))?(\.tmp)?$/.exec(rest);
      if (match === null) continue;
      const [, kind, generation, temporary] = match;
      if (temporary !== undefined) unfinished.push(join(this.directory, name));
      else if (kind === "snapshot") snapshots.push(Number(generation));
      else if (kind === "journal") journals.push(Number(generation));
    }
    const ascending = (a: number, b: number): number => a - b;
    return {
      snapshots: snapshots.sort(ascending),
      journals: journals.sort(ascending),
      replaced: [...replaced].sort(ascending),
      unfinished,
    };
  }
}

async function namesIn(disk: Disk, directory: string): Promise<readonly string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if (errno(error) === "ENOENT") return [];
    throw error;
  }
}
