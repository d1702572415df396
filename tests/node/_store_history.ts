/** Everything that a daemon has written down about its reservations, record by record, also what it has removed since. */
import { linkSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasCode } from "../../src/lib/disk/has_code.ts";
import { formatAddress } from "../../src/lib/ip/address.ts";
import { StoreFiles } from "../../src/lib/journal/files.ts";
import { nodeDisk } from "../../src/lib/journal/node_disk.ts";
import { recover } from "../../src/lib/journal/recovery.ts";
import { addressesOf, type Entry } from "../../src/lib/reservations/entry.ts";
import type { Change } from "../../src/lib/reservations/reservation.ts";

/** What was read of it. */
export interface ReservationHistory {
  /** Each record behind which an address was held twice, a sentence each. */
  readonly doubles: readonly string[];
  /** What could not be read: nothing may be. */
  readonly losses: readonly string[];
  /** The addresses that are held at the end, in order. */
  readonly held: readonly string[];
}

/** How often it is looked which files are new, in milliseconds. Journals stay for much longer. */
const EVERY_MS = 250;

/**
 * Keeps the store's files by hard links: the first snapshot, and every journal from then on. Where one is missed all the same,
 * the numbers of the records have a gap, which counts as a loss.
 */
export class StoreHistory {
  readonly #store: string;
  readonly #kept: string;
  readonly #timer: NodeJS.Timeout;

  /** @param store path of the store file. Its files must be those of one store until `end`. */
  constructor(store: string) {
    this.#store = store;
    this.#kept = mkdtempSync(join(dirname(store), "kept-"));
    this.#keep();
    this.#timer = setInterval(() => this.#keep(), EVERY_MS);
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads what was kept, and removes it. */
  async end(): Promise<ReservationHistory> {
    this.close();
    this.#keep();
    const held = new Held();
    const read = await recover(nodeDisk, new StoreFiles(join(this.#kept, "store")), () => held);
    rmSync(this.#kept, { recursive: true });
    return { doubles: held.doubles, losses: read?.losses ?? ["there is no store"], held: held.addresses };
  }

  #keep(): void {
    const names = readdirSync(dirname(this.#store));
    const kept = new Set(readdirSync(this.#kept));
    const isFirst = ![...kept].some((name) => name.includes(".snapshot."));
    const [snapshot] = names.filter((name) => /\.snapshot\.\d+$/.test(name)).sort(byGeneration);
    for (const name of names) {
      const isWanted = /\.journal\.\d+$/.test(name) || (isFirst && name === snapshot);
      if (isWanted && (!kept.has(name) || this.#isOther(name))) this.#link(name);
    }
  }

  /** Whether the file was made anew since: after a write that failed, with what the one before had and nobody was promised. */
  #isOther(name: string): boolean {
    const present = statSync(join(dirname(this.#store), name), { throwIfNoEntry: false });
    return present !== undefined && present.ino !== statSync(join(this.#kept, name)).ino;
  }

  #link(name: string): void {
    const kept = join(this.#kept, name);
    rmSync(kept, { force: true });
    try {
      linkSync(join(dirname(this.#store), name), kept);
    } catch (error) {
      // The daemon has just removed it: if it was needed, its records are a gap.
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }
}

function byGeneration(a: string, b: string): number {
  const [first = 0, second = 0] = [a, b].map((name) => Number(name.slice(name.lastIndexOf(".") + 1)));
  return first - second;
}

/** Who holds which address after each record. */
class Held {
  readonly doubles: string[] = [];
  readonly #holders = new Map<string, Set<number>>();
  readonly #entries = new Map<number, Entry>();

  /** The changes of one record happen at once. */
  apply(changes: readonly Change[]): void {
    const touched = new Set<string>();
    for (const change of changes) {
      if (change.type !== "reserve" && change.type !== "release") continue;
      const { place } = change;
      for (const address of this.#addressesAt(place)) this.#holders.get(address)?.delete(place);
      if (change.type === "release") continue;
      this.#entries.set(place, change.entry);
      for (const address of this.#addressesAt(place)) {
        touched.add(address);
        this.#holders.set(address, (this.#holders.get(address) ?? new Set()).add(place));
      }
    }
    for (const address of touched) {
      const those = [...(this.#holders.get(address) ?? [])].map((place) => this.#entries.get(place)?.text);
      if (those.length > 1) this.doubles.push(`${address} is held by ${those.join(" and ")}`);
    }
  }

  get addresses(): readonly string[] {
    return [...this.#holders]
      .filter(([, { size }]) => size > 0)
      .map(([address]) => address)
      .sort();
  }

  #addressesAt(place: number): string[] {
    const entry = this.#entries.get(place);
    return entry === undefined ? [] : addressesOf(entry).map(formatAddress);
  }
}
